#include "homeserver/store/school/policies.h"

#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/store/driver/writer.h"

#define ROW "SELECT school_no, version, document, author, reason, created_ms FROM policies WHERE school_no = $1 "

enum { VERSION, NEWEST, HISTORY, INSERT, COUNT };
static const struct statement TEXTS[COUNT] = {
    [VERSION] = "SELECT MAX(version) FROM policies WHERE school_no = $1",
    [NEWEST] = ROW "ORDER BY version DESC LIMIT 1",
    [HISTORY] = ROW "AND version < $2 ORDER BY version DESC",
    [INSERT] = {"INSERT INTO policies (school_no, version, document, author, reason, created_ms)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                EPOCH_POLICIES, GUARDED},
};
STATEMENTS(POLICIES, "policies", TEXTS);

int64_t policies_version(struct db *db, school_no school)
{
    return db_int(db, &POLICIES, VERSION, 0, "i", school);
}

struct stmt *policies_newest(struct db *db, school_no school)
{
    return db_query(db, &POLICIES, NEWEST, "i", school);
}

struct stmt *policies_history(struct db *db, school_no school, int64_t before)
{
    return db_query(db, &POLICIES, HISTORY, "ii", school, before);
}

bool policies_next(struct stmt *q, struct policy_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct policy_row){.school = col_int(q, 0),
                               .version = col_int(q, 1),
                               .document = col_text(q, 2),
                               .author = col_text(q, 3),
                               .reason = col_text(q, 4),
                               .created_ms = col_int(q, 5)};
    return true;
}

/* Documents were valid when they came in; one that this program no longer understands changes nothing, and the log says
 * so. */
static void apply(struct school_policy *policy, const struct policy_row *row)
{
    struct school_policy read;
    struct error ignored;
    struct text problem = TEXT_INIT;
    json_t *document = json_parse(row->document, strlen(row->document), &ignored);
    if (document != NULL && school_policy_read(document, policy, &read, &problem))
        *policy = read;
    else
        log_error("policy", "version %lld of school %lld's policy is not understood: %s", (long long)row->version,
                  (long long)row->school, problem.data != NULL ? problem.data : "not JSON");
    json_decref(document);
    text_finish(&problem);
}

static void overlay(struct db *db, school_no school, struct school_policy *policy)
{
    struct policy_row row;
    struct stmt *q = policies_newest(db, school);
    if (policies_next(q, &row))
        apply(policy, &row);
    stmt_end(q);
}

void policies_in_force(struct db *db, school_no school, struct school_policy *out)
{
    *out = SCHOOL_POLICY_DEFAULT;
    overlay(db, 0, out);
    if (school != 0)
        overlay(db, school, out);
}

bool policies_insert(struct tx *tx, const struct policy_row *row)
{
    return db_run(tx->db, &POLICIES, INSERT, "iittti", row->school, row->version, row->document, row->author,
                  row->reason, row->created_ms);
}
