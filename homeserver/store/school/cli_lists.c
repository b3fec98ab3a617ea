#include "homeserver/store/school/cli_lists.h"

#include <string.h>

enum { LISTING_USERS, LISTING_ROLES, LISTING__COUNT };

/* clang-format off */
#define CURRENT(alias) alias ".begin_date <= $2 AND " alias ".end_date >= $2"
#define HOMEROOMS(who, role, enrolled, also) \
    "SELECT " who " AS user_no, '" role "' AS role, c.school_no, c.title FROM enrollments n" \
    " JOIN classes c ON c.class_no = n.class_no" also \
    " WHERE c.kind = 'homeroom' AND n.role = '" enrolled "' AND " CURRENT("n")

static const char *const TEXTS[LISTING__COUNT] = {
    [LISTING_USERS] =
        "SELECT u.localpart, u.state, u.kind, u.admin,"
        " (SELECT count(*) FROM devices d WHERE d.user_no = u.user_no) FROM users u ORDER BY u.localpart",
    [LISTING_ROLES] =
        "SELECT u.localpart, r.role, s.name, coalesce(h.title, ''), p.given_name, p.middle_name, p.family_name"
        " FROM roles r JOIN people p ON p.user_no = r.user_no JOIN users u ON u.user_no = r.user_no"
        " JOIN schools s ON s.school_no = r.school_no LEFT JOIN ("
        HOMEROOMS("n.user_no", "pupil", "pupil", "") " UNION ALL "
        HOMEROOMS("n.user_no", "teacher", "class_teacher", "") " UNION ALL "
        HOMEROOMS("n.user_no", "class_teacher", "class_teacher", "") " UNION ALL "
        HOMEROOMS("g.guardian", "guardian", "pupil", " JOIN guardianships g ON g.child = n.user_no")
        ") h ON h.user_no = r.user_no AND h.school_no = r.school_no AND h.role = r.role"
        " WHERE ($1 = '' OR r.role = $1) AND " CURRENT("r") " AND p.ended = 0"
        " ORDER BY s.school_no, 4, r.role, p.family_name, p.given_name, u.user_no",
};
/* clang-format on */
static const struct statements LISTING = {"listing", TEXTS, LISTING__COUNT};

struct stmt *cli_list_users(struct db *db)
{
    return db_query(db, &LISTING, LISTING_USERS, "");
}

bool cli_list_users_next(struct stmt *q, struct listed_user *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct listed_user){.localpart = col_text(q, 0),
                                .state = col_text(q, 1),
                                .service = strcmp(col_text(q, 2), "service") == 0,
                                .admin = col_int(q, 3) != 0,
                                .devices = (int)col_int(q, 4)};
    return true;
}

struct stmt *cli_list_roles(struct db *db, const char *role, const char *day)
{
    return db_query(db, &LISTING, LISTING_ROLES, "tt", role, day);
}

bool cli_list_roles_next(struct stmt *q, struct listed_role *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct listed_role){.localpart = col_text(q, 0),
                                .role = col_text(q, 1),
                                .school = col_text(q, 2),
                                .class = col_text(q, 3),
                                .given = col_text(q, 4),
                                .middle = col_text(q, 5),
                                .family = col_text(q, 6)};
    return true;
}
