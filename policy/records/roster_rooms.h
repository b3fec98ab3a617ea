/* The rooms of the roster: what each is like, making, renaming and archiving them, powers by post,
 * joins and leaves (school.md E1 to E4, E6). reconcile.c decides which and who; here is how. All inside a job, by the
 * server's own service user. */
#ifndef PARTA_POLICY_RECORDS_ROSTER_ROOMS_H
#define PARTA_POLICY_RECORDS_ROSTER_ROOMS_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/schools.h"
#include "policy/records/changelog.h"
#include "policy/rules/rules.h"

struct bulk_join;
struct rooms;
struct tx;

struct roster_rooms {
    struct tx *tx;
    struct rooms *rooms;
    struct changelog *changelog;
    struct error *e;
    user_no service;     /* @parta:server */
    bool policy_asked;   /* is there: */
    school_no policy_of; /* whose policy was asked last; 0: the server's own */
    struct school_policy policy;
};

/* Everywhere: false: *p->e is set, the job must answer false. */

/* Finds or makes the service user. */
bool roster_room_begin(struct roster_rooms *p);

/* Rooms of the whole school; those of a class or subject group, whose school is shown already. What is missing is made;
 * renamed: names may have to follow. */
bool roster_room_school(struct roster_rooms *p, const struct school_row *school, bool renamed);
bool roster_room_class(struct roster_rooms *p, const struct class_row *class, bool renamed);

bool roster_room_powers(struct roster_rooms *p, room_no room);     /* E3: as roster_members says */
bool roster_room_levels(struct roster_rooms *p, school_no school); /* F4, E9: as the policy says; 0: in every school */
/* Adds a join to those that joins will write, and says so in the changelog. false: p->e. */
bool roster_room_join(struct roster_rooms *p, struct bulk_join *joins, room_no room, user_no user);
bool roster_room_remove(struct roster_rooms *p, room_no room,
                        user_no user); /* from a roster room that holds them no more */
bool roster_room_leave(struct roster_rooms *p, room_no room, user_no user); /* any room: they have left the school */

/* G3: a roster room becomes one of an earlier year: nobody writes any more, who is in it may read and leave. */
bool roster_room_archive(struct roster_rooms *p, room_no room);

#endif
