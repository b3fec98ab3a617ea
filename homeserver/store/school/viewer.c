#include "homeserver/store/school/viewer.h"

#include "homeserver/store/school/sql_private.h"

enum { IS_IN, KNOWS, KNOWS_ROOM, ROOM_SCHOOL, SHARED_SCHOOL, N };
static const struct statement TEXTS[N] = {
    [IS_IN] = "SELECT 1 FROM roles r WHERE r.user_no = $1 AND r.school_no = $2 AND " CURRENT("r", 3) " LIMIT 1",
    [KNOWS] = "SELECT 1 FROM roles v JOIN roles r ON r.school_no = v.school_no WHERE v.user_no = $1 AND r.user_no = $2"
              " AND " CURRENT("v", 3) " AND " NOT_PAST("r", 3) " LIMIT 1",
    [KNOWS_ROOM] =
        "SELECT 1 FROM memberships m WHERE m.room_no = $2 AND m.user_no = $1 AND m.membership = 'join'"
        " UNION ALL SELECT 1 FROM room_schools s WHERE s.room_no = $2 AND " SEES("s.school_no", 1, 3) " LIMIT 1",
    [ROOM_SCHOOL] = "SELECT MIN(s.school_no) FROM room_schools s WHERE s.room_no = $2 AND " SEES("s.school_no", 1, 3),
    [SHARED_SCHOOL] = "SELECT MIN(r.school_no) FROM roles r WHERE r.user_no = $2 AND " CURRENT("r", 3) " AND " SEES(
        "r.school_no", 1, 3),
};
STATEMENTS(VIEWERS, "viewers", TEXTS);

struct viewer viewer_of(user_no user)
{
    struct viewer viewer = {.user = user};
    day_today(viewer.day);
    return viewer;
}

static int64_t ask(struct db *db, int which, user_no who, int64_t about)
{
    char day[DAY_TEXT_BYTES];
    return db_int(db, &VIEWERS, which, 0, "iit", who, about, day_today(day));
}

bool viewer_is_in(struct db *db, user_no who, school_no school)
{
    return ask(db, IS_IN, who, school) != 0;
}

bool viewer_knows(struct db *db, user_no who, user_no user)
{
    return ask(db, KNOWS, who, user) != 0;
}

bool viewer_knows_room(struct db *db, user_no who, room_no room)
{
    return ask(db, KNOWS_ROOM, who, room) != 0;
}

school_no viewer_room_school(struct db *db, user_no who, room_no room)
{
    return ask(db, ROOM_SCHOOL, who, room);
}

school_no viewer_shared_school(struct db *db, user_no who, user_no user)
{
    return ask(db, SHARED_SCHOOL, who, user);
}
