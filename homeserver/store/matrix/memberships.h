/* Who is in which room: m.room.member events as rows by person, kept in the same transaction as the events. */
#ifndef PARTA_STORE_MATRIX_MEMBERSHIPS_H
#define PARTA_STORE_MATRIX_MEMBERSHIPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

enum membership {
    MEMBERSHIP_NONE,
    MEMBERSHIP_JOIN,
    MEMBERSHIP_INVITE,
    MEMBERSHIP_KNOCK,
    MEMBERSHIP_LEAVE,
    MEMBERSHIP_BAN
};

enum membership membership_from(const char *name); /* MEMBERSHIP_NONE for anything else, NULL too */
const char *membership_name(enum membership m);    /* "join"; "leave" for MEMBERSHIP_NONE */

struct membership_row {
    user_no user;
    room_no room;
    enum membership membership;
    stream_pos pos;        /* of the member event */
    stream_pos joined_pos; /* when the last unbroken run of join began; 0: never */
    bool forgotten;
};

/* false: never had a membership there (*row is MEMBERSHIP_NONE). */
bool memberships_get(struct db *db, room_no room, user_no user, struct membership_row *row);
enum membership memberships_of(struct db *db, room_no room, user_no user);

/* Iteration; stmt_end after. */
bool memberships_next(struct stmt *q, struct membership_row *row);
struct stmt *memberships_of_user(struct db *db, user_no user); /* every room, any membership; by room */

/* The same with the room's id, by room: what /sync begins from. */
struct membership_room {
    struct membership_row membership;
    const char *room_id; /* borrowed until the next row or stmt_end */
};
struct stmt *memberships_rooms_of_user(struct db *db, user_no user);
/* Of those they are joined to, where something happened behind their newest receipt for the whole room. */
struct stmt *memberships_rooms_behind(struct db *db, user_no user);
struct stmt *memberships_room_of_user(struct db *db, user_no user,
                                      room_no room); /* that one, if they ever were in it */
bool memberships_next_room(struct stmt *q, struct membership_room *row);

/* How many people have that membership in the room now. */
int64_t memberships_count(struct db *db, room_no room, enum membership m);
void memberships_counts(struct db *db, room_no room, int64_t *joined, int64_t *invited); /* both at once */
room_no memberships_shared_room(struct db *db, user_no a,
                                user_no b); /* the oldest to which both are joined; 0: there is none */
/* Whether there is one. */
bool memberships_share_room(struct db *db, user_no a, user_no b);

/* Whether they do, and did at pos already, without a break since. */
bool memberships_shared_room_at(struct db *db, user_no a, user_no b, stream_pos pos);

/* The numbers of those with this membership, ascending: heap, *n of them. */
user_no *memberships_users(struct db *db, room_no room, enum membership m, size_t *n);

/* The same of those who are joined, and came after pos. */
user_no *memberships_joined_after(struct db *db, room_no room, stream_pos pos, size_t *n);

/* Everybody who is joined to a room together with the user, and not the user: heap, ascending, *n of them. */
user_no *memberships_neighbours(struct db *db, user_no user, size_t *n);

/* The room's first people other than user: joined and invited by the position of their member event; when there are
 * none, those who left or are banned ("m.heroes"). At most n into out; returns how many. */
size_t memberships_heroes(struct db *db, room_no room, user_no user, user_no *out, size_t n);

/* Who is joined by an event that was redacted: heap, *n of them; NULL: nobody. */
user_no *memberships_redacted(struct db *db, size_t *n);

/* The rooms where the user's membership is one of these (bits 1 << enum membership): heap, *n of them, read whole, so
 * that the caller may change them while walking. */
room_no *memberships_rooms(struct db *db, user_no user, unsigned memberships, size_t *n);

/* Inside a job. */
bool memberships_put(struct tx *tx, const struct membership_row *row);
/* Many first joins of one room: each without the count of its joined members (rooms.joined), which is raised once. */
bool memberships_put_first(struct tx *tx, room_no room, user_no user, stream_pos pos);
bool memberships_count_more(struct tx *tx, room_no room, int64_t more);
bool memberships_forget(struct tx *tx, room_no room, user_no user);

#endif
