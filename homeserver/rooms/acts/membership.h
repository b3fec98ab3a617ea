/* What people do with their and others' membership (Client-Server API, "Room membership"). All
 * inside a writer's job. */
#ifndef PARTA_ROOMS_ACTS_MEMBERSHIP_H
#define PARTA_ROOMS_ACTS_MEMBERSHIP_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/rooms.h"
#include "policy/rules/rules.h"

struct tx;

struct membership_act {
    enum act act; /* ACT_INVITE, ACT_JOIN, ACT_KNOCK, ACT_LEAVE, ACT_KICK, ACT_BAN, ACT_UNBAN */
    user_no actor;
    user_no target;     /* join, knock, leave: whose; the actor's own unless the service user acts by force */
    user_no sender;     /* of an invite: in whose name the service user acts; 0: the actor's own */
    const char *reason; /* NULL: none given */
    const json_t
        *extra;     /* more content of the client's; NULL: none. Of oneself it may say another name than the profile */
    bool is_direct; /* invites */
    bool closing;   /* of leaving: the account ends, so that nothing is declined that could not be */
};

/* Joining twice is one join: *out names the member event that holds. A join into a restricted room finds who authorises
 * it. An actor other than the target joins by force: only the server's service user does (E1), and the room must have
 * the join rule "restricted" or "public" for it. false: *e. */
bool membership_act(struct room *room, struct tx *tx, const struct membership_act *act, struct appended *out,
                    struct error *e);

/* The refusal of an act on somebody who does not exist: where the school's rules would refuse an outsider, the same, so
 * that nobody can find out who is in other schools (A1). Returns false. */
bool membership_of_nobody(struct room *room, struct tx *tx, const struct membership_act *act, struct error *e);

/* A member event that a client wrote as state: the act that it is. Who lets somebody into a restricted room is the
 * server's word alone, and so are names and pictures of other people: what the client says of them is dropped. false:
 * *e. */
bool membership_write(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out,
                      struct error *e);

/* Forgets a room that the user has left (or was banned from). false: *e. */
bool membership_forget(struct room *room, struct tx *tx, user_no user, struct error *e);

/* The user's display name or avatar changed: repeats the member event of each joined room with it. by: who changed it:
 * the user, or the service user, who does so also for those who may do nothing themselves (suspended, locked). A room
 * that refuses is left as it is. */
void membership_profile_changed(struct rooms *rooms, struct tx *tx, user_no user, user_no by);

#endif
