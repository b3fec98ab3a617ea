#include "homeserver/store/school/applications.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/days.h"
#include "homeserver/base/words.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/sql_private.h"

#define ROW                                                                                                            \
    "SELECT application_no, kind, state, user_no, link_no, school_no, class_no, role, child, given_name, family_name," \
    " middle_name, birth_date, note, decided_by, decided_ms, reason, created_ms, version FROM applications "
#define OPEN "state IN ('begun', 'waiting')"

enum { LAST, GET, OPEN_OF, QUERY, SAME, BEGUN, ANY_OPEN, INSERT, SET_PERSON, WAIT, WITHDRAW_ALL, DECIDE, FORGET, N };
static const struct statement TEXTS[N] = {
    [LAST] = "SELECT max(application_no) FROM applications",
    [GET] = ROW "WHERE application_no = $1",
    [OPEN_OF] = ROW "WHERE user_no = $1 AND kind <> 'correction' AND " OPEN " ORDER BY application_no",
    [QUERY] = ROW "WHERE application_no > $1 AND ($3 = 0 OR school_no = $3) AND ($4 = 0 OR class_no = $4)"
                  " AND ($5 = 0 OR user_no = $5) AND ($6 = 0 OR child = $6) AND ($7 = '' OR state = $7)"
                  " AND ($8 = '' OR kind = $8) ORDER BY application_no LIMIT $2",
    [SAME] = "SELECT application_no FROM applications WHERE user_no = $1 AND kind = $2 AND school_no = $3"
             " AND coalesce(class_no, 0) = $4 AND role = $5 AND coalesce(child, 0) = $6 AND " OPEN,
    [BEGUN] = "SELECT application_no FROM applications WHERE user_no = $1 AND link_no = $2 AND state = 'begun'",
    [ANY_OPEN] = "SELECT 1 FROM applications WHERE user_no = $1 AND " OPEN " LIMIT 1",
    [INSERT] =
        {"INSERT INTO applications (application_no, kind, state, user_no, link_no, school_no, class_no, role, child, "
         "given_name,"
         " family_name, middle_name, birth_date, note, created_ms)"
         " VALUES ($1, $2, $3, $4, nullif($5, 0), $6, nullif($7, 0), $8, nullif($9, 0), $10, $11, $12, $13, $14, $15)"
         " RETURNING application_no",
         0, GUARDED},
    [SET_PERSON] = "UPDATE applications SET given_name = $2, family_name = $3, middle_name = $4, birth_date = $5,"
                   " note = $6, version = version + 1 WHERE application_no = $1 AND " OPEN,
    [WAIT] = {"UPDATE applications SET state = 'waiting', version = version + 1"
              " WHERE application_no = $1 AND state = 'begun'",
              0, GUARDED},
    [WITHDRAW_ALL] = {"UPDATE applications SET state = 'withdrawn', decided_by = $2, decided_ms = $3,"
                      " version = version + 1 WHERE user_no = $1 AND " OPEN,
                      0, GUARDED},
    [FORGET] = "UPDATE applications SET given_name = '', family_name = '', middle_name = '', birth_date = NULL,"
               " note = '', reason = '' WHERE user_no = $1 OR (child = $1 AND kind = 'correction')",
    [DECIDE] = {"UPDATE applications SET state = $2, decided_by = $3, reason = $4, decided_ms = $5,"
                " version = version + 1 WHERE application_no = $1 AND " OPEN,
                0, GUARDED},
};
STATEMENTS(APPLICATIONS, "applications", TEXTS);

static const char *const KINDS[APPLICATION_KIND__COUNT] = {
    [APPLICATION_JOIN] = "join", [APPLICATION_GUARDIAN] = "guardian", [APPLICATION_CORRECTION] = "correction"};
static const char *const STATES[APPLICATION_STATE__COUNT] = {[APPLICATION_BEGUN] = "begun",
                                                             [APPLICATION_WAITING] = "waiting",
                                                             [APPLICATION_APPROVED] = "approved",
                                                             [APPLICATION_REFUSED] = "refused",
                                                             [APPLICATION_WITHDRAWN] = "withdrawn"};

const char *application_kind_name(enum application_kind kind)
{
    return KINDS[kind];
}

const char *application_state_name(enum application_state state)
{
    return STATES[state];
}

bool application_kind_from(const char *name, enum application_kind *out)
{
    int i = word_find(KINDS, APPLICATION_KIND__COUNT, name);
    *out = i >= 0 ? (enum application_kind)i : APPLICATION_KIND__COUNT;
    return i >= 0;
}

bool application_state_from(const char *name, enum application_state *out)
{
    int i = word_find(STATES, APPLICATION_STATE__COUNT, name);
    *out = i >= 0 ? (enum application_state)i : APPLICATION_STATE__COUNT;
    return i >= 0;
}

bool applications_next(struct stmt *q, struct application_row *out)
{
    if (!stmt_next(q))
        return false;
    *out = (struct application_row){
        .no = col_int(q, 0),
        .user = col_int(q, 3),
        .link = col_int(q, 4),
        .school = col_int(q, 5),
        .class = col_int(q, 6),
        .role = col_role(q, 7),
        .child = col_int(q, 8),
        .person = {col_text(q, 9), col_text(q, 10), col_text(q, 11), col_day(q, 12), col_text(q, 13)},
        .decided_by = col_null(q, 14) ? "" : col_text(q, 14),
        .decided_ms = col_int(q, 15),
        .reason = col_text(q, 16),
        .created_ms = col_int(q, 17),
        .version = col_int(q, 18),
    };
    application_kind_from(col_text(q, 1), &out->kind);
    application_state_from(col_text(q, 2), &out->state);
    return true;
}

void application_finish(struct application_row *row)
{
    free(row->memory);
    *row = (struct application_row){0};
}

bool applications_get(struct db *db, application_no no, struct application_row *out)
{
    struct stmt *q = db_query(db, &APPLICATIONS, GET, "i", no);
    *out = (struct application_row){0};
    bool found = applications_next(q, out);
    if (found)
        out->memory = strings_keep((const char **[]){&out->person.given, &out->person.family, &out->person.middle,
                                                     &out->person.note, &out->decided_by, &out->reason},
                                   6);
    stmt_end(q);
    return found;
}

struct stmt *applications_query(struct db *db, const struct applications_query *q)
{
    const char *state = q->state < APPLICATION_STATE__COUNT ? STATES[q->state] : "";
    const char *kind = q->kind < APPLICATION_KIND__COUNT ? KINDS[q->kind] : "";
    return db_query(db, &APPLICATIONS, QUERY, "iiiiiitt", q->after, (int64_t)q->limit, q->school, q->class, q->user,
                    q->child, state, kind);
}

static const char *role_word(enum school_role role)
{
    return role != 0 ? school_role_name(role) : "";
}

application_no applications_same(struct db *db, const struct application_row *row)
{
    return db_int(db, &APPLICATIONS, SAME, 0, "itiiti", row->user, KINDS[row->kind], row->school, row->class,
                  role_word(row->role), row->child);
}

application_no applications_begun(struct db *db, user_no user, link_no link)
{
    return db_int(db, &APPLICATIONS, BEGUN, 0, "ii", user, link);
}

struct stmt *applications_open_of(struct db *db, user_no user)
{
    return db_query(db, &APPLICATIONS, OPEN_OF, "i", user);
}

bool applications_any_open(struct db *db, user_no user)
{
    return db_int(db, &APPLICATIONS, ANY_OPEN, 0, "i", user) == 1;
}

static const char *birth_word(school_day birth, char out[DAY_TEXT_BYTES])
{
    return birth != DAY_EVER ? day_text(birth, out) : NULL;
}

application_no applications_insert(struct tx *tx, const struct application_row *row)
{
    char birth[DAY_TEXT_BYTES];
    const struct applicant *p = &row->person;
    application_no no = tx_number_after(tx, db_int(tx->db, &APPLICATIONS, LAST, 0, ""));
    return db_insert(tx->db, &APPLICATIONS, INSERT, "ittiiiitittttti", no, KINDS[row->kind], STATES[row->state],
                     row->user, row->link, row->school, row->class, role_word(row->role), row->child, p->given,
                     p->family, p->middle, birth_word(p->birth, birth), p->note, tx->now_ms);
}

bool applications_set_person(struct tx *tx, application_no no, const struct applicant *p)
{
    char birth[DAY_TEXT_BYTES];
    return db_rows(tx->db, &APPLICATIONS, SET_PERSON, "ittttt", no, p->given, p->family, p->middle,
                   birth_word(p->birth, birth), p->note) == 1;
}

bool applications_withdraw_all(struct tx *tx, user_no user, const char *by)
{
    return db_run(tx->db, &APPLICATIONS, WITHDRAW_ALL, "iti", user, by, tx->now_ms);
}

bool applications_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &APPLICATIONS, FORGET, "i", user);
}

bool applications_wait(struct tx *tx, application_no no)
{
    return db_rows(tx->db, &APPLICATIONS, WAIT, "i", no) == 1;
}

bool applications_decide(struct tx *tx, application_no no, enum application_state state, const char *by,
                         const char *reason)
{
    return db_rows(tx->db, &APPLICATIONS, DECIDE, "ittti", no, STATES[state], by, reason, tx->now_ms) == 1;
}
