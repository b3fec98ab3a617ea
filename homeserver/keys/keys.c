#include "homeserver/keys/keys.h"

#include <stddef.h>

#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/device_keys.h"
#include "homeserver/store/matrix/users.h"

/* Who has left is nobody any more. */
static bool has_left(struct db *db, user_no user)
{
    struct user_row row;
    users_get(db, user, &row);
    bool left = row.state == ACCOUNT_LEFT;
    user_row_finish(&row);
    return left;
}

bool keys_may_know(const struct rooms *rooms, struct db *db, user_no asker, user_no other)
{
    const struct gate_question question = {.act = ACT_PROFILE, .actor = asker, .target = other};
    struct error e; /* who may not know is told nothing, not even this */
    return other != 0 && (asker == other || (!has_left(db, other) && gate_event(rooms, db, &question, NULL, &e)));
}

bool keys_may_reach(const struct rooms *rooms, struct db *db, user_no from, user_no to)
{
    return keys_may_know(rooms, db, from, to) &&
           (from == to || !rooms_settings(rooms)->school_mode || device_lists_reaches(db, from, to));
}

user_no keys_known(const struct keys_caller *caller, struct db *db, const char *user_id)
{
    user_no user = users_by_id(db, rooms_settings(caller->rooms)->server_name, user_id);
    return keys_may_know(caller->rooms, db, caller->user, user) ? user : 0;
}

user_no keys_reached(const struct keys_caller *caller, struct db *db, const char *user_id)
{
    user_no user = users_by_id(db, rooms_settings(caller->rooms)->server_name, user_id);
    return keys_may_reach(caller->rooms, db, caller->user, user) ? user : 0;
}
