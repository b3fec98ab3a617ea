#include "homeserver/store/matrix/user_directory.h"

#define NOW(table) table ".begin_date <= $2 AND " table ".end_date >= $2" /* today */
#define PERSON                                                                                                         \
    "SELECT u.user_no, u.localpart, d.value, a.value FROM users u"                                                     \
    " LEFT JOIN profile_fields d ON d.user_no = u.user_no AND d.field = 'displayname'"                                 \
    " LEFT JOIN profile_fields a ON a.user_no = u.user_no AND a.field = 'avatar_url'"                                  \
    " WHERE u.kind = 'person' AND u.state IN ('active', 'restricted') AND u.user_no <> $1 "

enum { ALL, KNOWN, EXTERNAL, COUNT };
static const struct statement TEXTS[COUNT] = {
    [ALL] = PERSON "ORDER BY u.user_no",
    [KNOWN] =
        PERSON "AND u.user_no IN (SELECT o.user_no FROM roles r JOIN roles o ON o.school_no = r.school_no"
               " WHERE r.user_no = $1 AND r.role <> 'external' AND o.role <> 'external' AND " NOW("r") " AND " NOW(
                   "o") " UNION SELECT n.user_no FROM memberships m JOIN memberships n ON n.room_no = m.room_no"
                        " AND n.membership = 'join' WHERE m.user_no = $1 AND m.membership = 'join') ORDER BY u.user_no",
    [EXTERNAL] = "SELECT min(CASE WHEN r.role = 'external' THEN 1 ELSE 0 END) FROM roles r"
                 " WHERE r.user_no = $1 AND " NOW("r"),
};
STATEMENTS(USER_DIRECTORY, "user_directory", TEXTS);

struct stmt *user_directory_all(struct db *db, user_no asker)
{
    return db_query(db, &USER_DIRECTORY, ALL, "i", asker);
}

struct stmt *user_directory_known(struct db *db, user_no asker, const char *day)
{
    return db_query(db, &USER_DIRECTORY, KNOWN, "it", asker, day);
}

bool user_directory_next(struct stmt *q, struct directory_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct directory_row){col_int(q, 0), col_text(q, 1), col_text(q, 2), col_text(q, 3)};
    return true;
}

bool user_directory_external(struct db *db, user_no user, const char *day)
{
    return db_int(db, &USER_DIRECTORY, EXTERNAL, 0, "it", user, day) != 0;
}
