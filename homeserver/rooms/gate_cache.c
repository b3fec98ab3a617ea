#include "homeserver/rooms/gate_cache.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/store/school/policies.h"

#define ROOMS_KEPT 1024 /* powers of two */
#define PEOPLE_KEPT 8192
#define PAIRS_KEPT 4096
#define POLICIES_KEPT 64
#define PEOPLES_POLICIES_KEPT 64 /* of who asks about many, one after the other */
#define SCHOOLS_MAX 16           /* of a room or person; whoever is in more is in none of the rest here */

/* From which tables each kind is read (rule_facts.c); what is missing here would be believed too long, which the random
 * changes of tests/unit/gate.c look for. */
#define OF_ROOM (EPOCH_PEOPLE | EPOCH_RECORDS)
#define OF_LIFE (EPOCH_PEOPLE | EPOCH_RECORDS | EPOCH_LIFE)
#define OF_PERSON (EPOCH_PEOPLE | EPOCH_RECORDS)
#define OF_PAIR (EPOCH_PEOPLE | EPOCH_POLICIES)
#define OF_CUSTODY EPOCH_PEOPLE
#define OF_ROOM_POLICY (EPOCH_RECORDS | EPOCH_POLICIES)
#define OF_PERSONS_POLICY (EPOCH_PEOPLE | EPOCH_POLICIES)
#define OF_POLICY EPOCH_POLICIES

/* Every look goes the same way: the stamp of now is taken before the read, so that what the read itself moves (nothing
 * today) would make it stale; an entry that differs is read again in its place, whatever was there (a full slot is
 * worth no chain: what is pushed out costs one read). A read that the database fails leaves nonsense with a good stamp
 * behind, and harms nobody: the job is rolled back, which moves all epochs. */

/* When something was read; true as long as nothing has moved. epoch 0 of an empty slot is never now: opening the
 * database has run scripts. */
struct stamp {
    int64_t a, b; /* what it is about */
    int64_t epoch, day;
};

struct gate_cache {
    struct {
        struct stamp of_stamp, life_stamp;
        struct room_school of;
        struct room_life life;
    } rooms[ROOMS_KEPT];
    struct {
        struct stamp stamp;
        struct school_policy policy;
    } room_policies[ROOMS_KEPT], peoples_policies[PEOPLES_POLICIES_KEPT], policies[POLICIES_KEPT];
    struct {
        struct stamp stamp;
        struct person_facts facts;
    } people[PEOPLE_KEPT];
    struct {
        struct stamp stamp;
        struct gate_pair pair;
    } pairs[PAIRS_KEPT];
    struct stamp custody_stamp;
    struct member_set *custody; /* NULL: nobody */
};

struct gate_cache *gate_cache_create(void)
{
    return xcalloc(1, sizeof(struct gate_cache)); /* pages that nobody touches cost nothing */
}

void gate_cache_destroy(struct gate_cache *cache)
{
    if (cache != NULL)
        member_set_unref(cache->custody);
    free(cache);
}

static size_t slot(int64_t a, int64_t b, size_t n)
{
    uint64_t mixed = (uint64_t)a * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)b * UINT64_C(0xc2b2ae3d27d4eb4f);
    return (size_t)(mixed >> 40) & (n - 1);
}

static struct stamp stamp_now(struct db *db, unsigned epochs, int64_t a, int64_t b)
{
    return (struct stamp){a, b, db_epoch(db, epochs), clock_wall_ms() / DAY_MS};
}

static bool same(const struct stamp *kept, const struct stamp *now)
{
    return kept->a == now->a && kept->b == now->b && kept->epoch == now->epoch && kept->day == now->day;
}

/* NULL: not to be believed now: a reader's connection does not count what the writer's writes, and after a failure
 * nobody knows what was written. */
static struct gate_cache *usable(struct gate_cache *cache, struct db *db)
{
    return db_writes(db) && !db_failed(db) ? cache : NULL;
}

/* As school_room_life, of a room whose slot has just been looked at. Apart from the rest of the room because it alone
 * moves with every membership and state event (EPOCH_LIFE); a message moves nothing. */
static void remembered_life(struct gate_cache *cache, struct db *db, room_no room, struct room_life *life)
{
    size_t at = slot(room, 0, ROOMS_KEPT);
    struct stamp now = stamp_now(db, OF_LIFE, room, 0);
    if (!same(&cache->rooms[at].life_stamp, &now))
        school_room_life(db, room, &cache->rooms[at].of, &cache->rooms[at].life);
    cache->rooms[at].life_stamp = now;
    *life = cache->rooms[at].life;
}

void gate_cache_room(struct gate_cache *cache, struct db *db, room_no room, struct room_school *of,
                     struct room_life *life)
{
    if (usable(cache, db) == NULL) {
        school_of_room(db, room, of);
        if (life != NULL)
            school_room_life(db, room, of, life);
        return;
    }
    size_t at = slot(room, 0, ROOMS_KEPT);
    struct stamp now = stamp_now(db, OF_ROOM, room, 0);
    if (!same(&cache->rooms[at].of_stamp, &now))
        school_of_room(db, room, &cache->rooms[at].of);
    cache->rooms[at].of_stamp = now;
    *of = cache->rooms[at].of;
    if (life != NULL)
        remembered_life(cache, db, room, life);
}

void gate_cache_person(struct gate_cache *cache, struct db *db, room_no room, const struct room_school *of,
                       user_no user, struct person_facts *out)
{
    if (usable(cache, db) == NULL) {
        school_person_in(db, room, of, user, out);
        return;
    }
    size_t at = slot(user, room, PEOPLE_KEPT);
    struct stamp now = stamp_now(db, OF_PERSON, user, room);
    if (!same(&cache->people[at].stamp, &now))
        school_person_in(db, room, of, user, &cache->people[at].facts);
    cache->people[at].stamp = now;
    *out = cache->people[at].facts;
}

void gate_cache_anywhere(struct gate_cache *cache, struct db *db, user_no user, struct person_facts *out)
{
    if (usable(cache, db) == NULL) {
        school_person_anywhere(db, user, out);
        return;
    }
    size_t at = slot(user, 0, PEOPLE_KEPT);
    struct stamp now = stamp_now(db, OF_PERSON, user, 0); /* beside those in rooms: of room 0 nobody asks */
    if (!same(&cache->people[at].stamp, &now))
        school_person_anywhere(db, user, &cache->people[at].facts);
    cache->people[at].stamp = now;
    *out = cache->people[at].facts;
}

/* --- Policies --- */

static void policy_of_school(struct gate_cache *cache, struct db *db, school_no school, struct school_policy *out)
{
    if (usable(cache, db) == NULL) {
        policies_in_force(db, school, out);
        return;
    }
    size_t at = slot(school, 0, POLICIES_KEPT);
    struct stamp now = stamp_now(db, OF_POLICY, school, 0);
    if (!same(&cache->policies[at].stamp, &now))
        policies_in_force(db, school, &cache->policies[at].policy);
    cache->policies[at].stamp = now;
    *out = cache->policies[at].policy;
}

static void strictest(struct gate_cache *cache, struct db *db, const school_no *schools, int n,
                      struct school_policy *out)
{
    policy_of_school(cache, db, n != 0 ? schools[0] : 0, out);
    for (int i = 1; i < n; ++i) {
        struct school_policy other;
        policy_of_school(cache, db, schools[i], &other);
        *out = school_policy_strictest(out, &other);
    }
}

static void read_room_policy(struct gate_cache *cache, struct db *db, room_no room, struct school_policy *out)
{
    int n;
    school_no schools[SCHOOLS_MAX];
    school_rooms_schools(db, room, schools, SCHOOLS_MAX, &n);
    strictest(cache, db, schools, n, out);
}

void gate_cache_policy(struct gate_cache *cache, struct db *db, room_no room, struct school_policy *out)
{
    if (usable(cache, db) == NULL) {
        read_room_policy(NULL, db, room, out);
        return;
    }
    size_t at = slot(room, 0, ROOMS_KEPT);
    struct stamp now = stamp_now(db, OF_ROOM_POLICY, room, 0);
    if (!same(&cache->room_policies[at].stamp, &now))
        read_room_policy(cache, db, room, &cache->room_policies[at].policy);
    cache->room_policies[at].stamp = now;
    *out = cache->room_policies[at].policy;
}

static void read_policy_of(struct gate_cache *cache, struct db *db, user_no user, struct school_policy *out)
{
    int n;
    school_no schools[SCHOOLS_MAX];
    school_schools_of(db, user, schools, SCHOOLS_MAX, &n);
    strictest(cache, db, schools, n, out);
}

void gate_cache_policy_of(struct gate_cache *cache, struct db *db, user_no user, struct school_policy *out)
{
    if (usable(cache, db) == NULL) {
        read_policy_of(NULL, db, user, out);
        return;
    }
    size_t at = slot(user, 0, PEOPLES_POLICIES_KEPT);
    struct stamp now = stamp_now(db, OF_PERSONS_POLICY, user, 0);
    if (!same(&cache->peoples_policies[at].stamp, &now))
        read_policy_of(cache, db, user, &cache->peoples_policies[at].policy);
    cache->peoples_policies[at].stamp = now;
    *out = cache->peoples_policies[at].policy;
}

/* --- Two people --- */

#define FAMILY_TO_STAFF                                                                                                \
    (RELATION_BIT(RELATION_PUPIL_OWN_TEACHER) | RELATION_BIT(RELATION_GUARDIAN_CHILDS_TEACHER) |                       \
     RELATION_BIT(RELATION_PUPIL_STAFF) | RELATION_BIT(RELATION_GUARDIAN_STAFF))
#define STAFF_TO_FAMILY                                                                                                \
    (RELATION_BIT(RELATION_STAFF_OWN_PUPIL) | RELATION_BIT(RELATION_STAFF_PUPILS_GUARDIAN) |                           \
     RELATION_BIT(RELATION_STAFF_PUPIL) | RELATION_BIT(RELATION_STAFF_GUARDIAN))
#define NOT_OF_THE_SCHOOL                                                                                              \
    (RELATION_BIT(RELATION_STAFF_STAFF) | RELATION_BIT(RELATION_PUPIL_OWN_GUARDIAN) |                                  \
     RELATION_BIT(RELATION_GUARDIAN_OWN_CHILD))

/* Colleagues may be parents too, and teachers have children at their school: they write to each other as such (B2). */
static bool staff_to_family(uint32_t relations)
{
    return (relations & (FAMILY_TO_STAFF | STAFF_TO_FAMILY)) != 0 && (relations & NOT_OF_THE_SCHOOL) == 0;
}

static void read_pair(struct gate_cache *cache, struct db *db, user_no a, user_no b, struct gate_pair *out)
{
    struct pair_schools schools;
    school_pair(db, a, b, &schools);
    *out = (struct gate_pair){.facts = {.class_teacher = schools.class_teacher,
                                        .guardian = schools.guardian,
                                        .apart = schools.apart,
                                        .parted = schools.parted}};
    for (int i = 0; i < schools.n; ++i) {
        struct school_policy policy;
        uint32_t relations = schools.at[i].relations;
        policy_of_school(cache, db, schools.at[i].school, &policy);
        out->facts.relations |= relations;
        out->facts.allowed |= relations & policy.direct;
        out->either |= relations & (policy.direct | school_relations_mirrored(policy.direct));
    }
    out->facts.staff_to_family = staff_to_family(out->facts.relations);
}

void gate_cache_pair(struct gate_cache *cache, struct db *db, user_no a, user_no b, struct gate_pair *out)
{
    if (usable(cache, db) == NULL) {
        read_pair(NULL, db, a, b, out);
        return;
    }
    size_t at = slot(a, b, PAIRS_KEPT);
    struct stamp now = stamp_now(db, OF_PAIR, a, b);
    if (!same(&cache->pairs[at].stamp, &now))
        read_pair(cache, db, a, b, &cache->pairs[at].pair);
    cache->pairs[at].stamp = now;
    *out = cache->pairs[at].pair;
}

static struct member_set *read_custody(struct db *db)
{
    size_t n;
    user_no *users = school_in_custody(db, &n);
    return n != 0 ? member_set_create(users, n) : NULL;
}

struct member_set *gate_cache_custody(struct gate_cache *cache, struct db *db)
{
    if (usable(cache, db) == NULL)
        return read_custody(db);
    struct stamp now = stamp_now(db, OF_CUSTODY, 0, 0);
    if (!same(&cache->custody_stamp, &now)) {
        member_set_unref(cache->custody);
        cache->custody = read_custody(db);
    }
    cache->custody_stamp = now;
    return cache->custody != NULL ? member_set_ref(cache->custody) : NULL;
}
