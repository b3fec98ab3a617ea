/* What an application service is told of: events of rooms where one of its users is (or that are about one of them),
 * and of rooms that its namespaces name by id or alias (Application Service API, "Registration").
 *
 * In a school's mode its users are those it has made, whatever its patterns match. And it is told of a room only where
 * the registration names all of the room's schools (org.parta.schools), or it has none; of a direct chat or somebody's
 * documents only as a member: no pattern of rooms makes anybody a third in a conversation (school.md A1, F2).
 *
 * Every kind of news asks here: events, what is of a room and has no position, what is of a person, what is of their
 * keys and devices; and whoever asks a service something on behalf of somebody. */
#ifndef PARTA_APPSERVICE_INTEREST_H
#define PARTA_APPSERVICE_INTEREST_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct db;
struct event_row;
struct registration_file;
struct user_names;

struct interest_place;
struct interest_person;
struct member_set;

/* For one batch: rooms and people are asked once. */
struct interest {
    const struct registration_file *service;
    struct db *db;
    struct user_names *names;
    bool school_mode;
    stream_pos from;                /* all that is asked about comes after */
    struct interest_place *places;  /* NULL at first */
    struct interest_person *people; /* likewise */
    struct member_set *unseen;      /* read with the first question */
    bool unseen_known;
};
void interest_finish(struct interest *interest); /* frees what it remembers; the rest is borrowed */

/* Whether the event is for the service; by who was in the room at its position, so that the answer stays what it is.
 * Blocks (reads). */
bool interest_in_event(struct interest *interest, const struct event_row *row);

/* The same of what has no position: typing, receipts; as the room is now. */
bool interest_in_room(struct interest *interest, room_no room);

/* The same of somebody: one of the service's users, or joined to such a room. */
bool interest_in_user(struct interest *interest, user_no user, const char *user_id);

/* Who is joined to the room and shares it with the service's users only since after: everybody, where one of these came
 * since; *n, heap. */
user_no *interest_came(struct interest *interest, room_no room, stream_pos after, size_t *n);

bool interest_is_own(const struct interest *interest, user_no user,
                     const char *user_id); /* one of the service's users */

/* D9: whether the service's own user is not kept from them. What interest_in_… says yes to asks for this besides,
 * wherever a sign of somebody's life is told. */
bool interest_sees(struct interest *interest, user_no user);

/* Whether the service may be told of somebody's keys, and of what they send to devices of its users: one of its users,
 * or who is or was with one in a room of the schools that it may see. Asks interest_sees. */
bool interest_in_keys(struct interest *interest, user_no user);

const char *interest_room_id(struct interest *interest, room_no room); /* borrowed */

/* Which of the room's schools, of those that are told to anybody, the registration lets it see: whether all. For
 * explain and the above. */
bool interest_may_see(const struct registration_file *service, struct db *db, bool school_mode, room_no room);

/* The other way: whether the service is for somebody, so that it may hear what they look for (users and aliases of its
 * namespaces, third-party networks). In a school's mode those of a school that the registration names, and its own
 * users; otherwise everybody. Blocks (reads). */
bool interest_serves(const struct registration_file *service, struct db *db, bool school_mode, user_no user);

#endif
