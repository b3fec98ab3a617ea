#include "homeserver/store/matrix/profiles.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

#define NOW(table) table ".begin_date <= $2 AND " table ".end_date >= $2" /* today */
#define PERSON                                                                                                         \
    "SELECT u.user_no, u.localpart, d.value, a.value FROM users u"                                                     \
    " LEFT JOIN profile_fields d ON d.user_no = u.user_no AND d.field = 'displayname'"                                 \
    " LEFT JOIN profile_fields a ON a.user_no = u.user_no AND a.field = 'avatar_url'"                                  \
    " WHERE u.kind = 'person' AND u.state IN ('active', 'restricted') AND u.user_no <> $1 "

enum { GET, ALL, PEOPLE, PEOPLE_KNOWN, PUT, DELETE, FORGET, N };
static const struct statement TEXTS[N] = {
    [GET] = "SELECT value FROM profile_fields WHERE user_no = $1 AND field = $2",
    [ALL] = "SELECT field, value FROM profile_fields WHERE user_no = $1 ORDER BY field",
    [PEOPLE] = PERSON "ORDER BY u.user_no",
    [PEOPLE_KNOWN] =
        PERSON "AND u.user_no IN (SELECT o.user_no FROM roles r JOIN roles o ON o.school_no = r.school_no"
               " WHERE r.user_no = $1 AND r.role <> 'external' AND o.role <> 'external' AND " NOW("r") " AND " NOW(
                   "o") " UNION SELECT n.user_no FROM memberships m JOIN memberships n ON n.room_no = m.room_no"
                        " AND n.membership = 'join' WHERE m.user_no = $1 AND m.membership = 'join') ORDER BY u.user_no",
    [PUT] = "INSERT INTO profile_fields (user_no, field, value, pos) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (user_no, field) DO UPDATE SET value = excluded.value, pos = excluded.pos",
    [DELETE] = "DELETE FROM profile_fields WHERE user_no = $1 AND field = $2",
    [FORGET] = "DELETE FROM profile_fields WHERE user_no = $1",
};
STATEMENTS(PROFILES, "profiles", TEXTS);

char *profiles_get(struct db *db, user_no user, const char *field)
{
    return db_text(db, &PROFILES, GET, "it", user, field);
}

char *profiles_get_string(struct db *db, user_no user, const char *field)
{
    struct error ignored = {0};
    char *json = profiles_get(db, user, field);
    json_auto_t *value = json != NULL ? json_parse(json, strlen(json), &ignored) : NULL;
    free(json);
    return json_is_string(value) ? xstrdup(json_string_value(value)) : NULL;
}

void profiles_each(struct db *db, user_no user, void (*fn)(void *arg, const char *field, const char *value), void *arg)
{
    struct stmt *q = db_query(db, &PROFILES, ALL, "i", user);
    while (stmt_next(q))
        fn(arg, col_text(q, 0), col_text(q, 1));
    stmt_end(q);
}

struct stmt *profiles_people(struct db *db, user_no asker)
{
    return db_query(db, &PROFILES, PEOPLE, "i", asker);
}

struct stmt *profiles_people_known(struct db *db, user_no asker, const char *day)
{
    return db_query(db, &PROFILES, PEOPLE_KNOWN, "it", asker, day);
}

bool profiles_next(struct stmt *q, struct profile_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct profile_row){col_int(q, 0), col_text(q, 1), col_text(q, 2), col_text(q, 3)};
    return true;
}

int64_t profiles_size(struct db *db, user_no user, const char *except)
{
    size_t size = strlen("{}");
    struct stmt *q = db_query(db, &PROFILES, ALL, "i", user);
    while (stmt_next(q)) {
        const char *field = col_text(q, 0), *value = col_text(q, 1);
        if (except == NULL || strcmp(field, except) != 0)
            size += strlen(field) + strlen(value) + strlen("\"\":,");
    }
    stmt_end(q);
    return (int64_t)size;
}

static bool changed(struct tx *tx, user_no user, stream_pos pos)
{
    tx_change(tx, (struct change){.kind = CHANGE_PROFILE, .pos = pos, .user = user});
    return true;
}

bool profiles_put(struct tx *tx, user_no user, const char *field, const char *value)
{
    stream_pos pos = tx_next_pos(tx);
    return db_run(tx->db, &PROFILES, PUT, "itti", user, field, value, pos) && changed(tx, user, pos);
}

bool profiles_delete(struct tx *tx, user_no user, const char *field)
{
    return db_run(tx->db, &PROFILES, DELETE, "it", user, field) && changed(tx, user, tx_next_pos(tx));
}

bool profiles_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &PROFILES, FORGET, "i", user) && changed(tx, user, tx_next_pos(tx));
}
