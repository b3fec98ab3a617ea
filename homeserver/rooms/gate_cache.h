/* What the gate remembers: facts that were read once and are still true.
 *
 * The writer asks the same of the same people in the same rooms with every message. What it has read it keeps in
 * bounded tables, each entry with the epochs (store/driver/db.h) of the tables that it came from and the UTC day, and
 * believes it as long as neither has moved: no store function has to say what it makes untrue, and a rollback makes all
 * of it so. Quiet hours are not kept. One thread: the writer's.
 *
 * With cache NULL, or a connection that does not write, everything is read afresh. */
#ifndef PARTA_ROOMS_GATE_CACHE_H
#define PARTA_ROOMS_GATE_CACHE_H

#include "homeserver/base/ids.h"
#include "homeserver/store/rule_facts.h"
#include "policy/rules/rules.h"

struct gate_cache;
struct member_set;

struct gate_cache *gate_cache_create(void);        /* empty, never NULL */
void gate_cache_destroy(struct gate_cache *cache); /* NULL is accepted */

/* How two people stand, with what their schools' policies say. */
struct gate_pair {
    struct pair_facts facts; /* two apart; allowed: a may ask b */
    uint32_t either;         /* those relations by which one of the two may ask the other */
};

/* life NULL: it is not asked for. */
void gate_cache_room(struct gate_cache *cache, struct db *db, room_no room, struct room_school *of,
                     struct room_life *life);
void gate_cache_person(struct gate_cache *cache, struct db *db, room_no room, const struct room_school *of,
                       user_no user, struct person_facts *out);
/* As school_person_anywhere. */
void gate_cache_anywhere(struct gate_cache *cache, struct db *db, user_no user, struct person_facts *out);
void gate_cache_pair(struct gate_cache *cache, struct db *db, user_no a, user_no b, struct gate_pair *out);

/* D9: everybody of whom custody says something (rule_facts.h). A reference of the caller's; NULL: nobody, or the
 * database failed to tell. */
struct member_set *gate_cache_custody(struct gate_cache *cache, struct db *db);

/* The strictest of the room's schools' policies; of one that belongs to none, the server's. */
void gate_cache_policy(struct gate_cache *cache, struct db *db, room_no room, struct school_policy *out);
/* The same of the schools that a person is in. */
void gate_cache_policy_of(struct gate_cache *cache, struct db *db, user_no user, struct school_policy *out);

#endif
