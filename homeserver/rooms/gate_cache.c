#include "homeserver/rooms/gate_cache.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/store/school/policies.h"

#define ROOMS_KEPT 1024 /* powers of two */
#define PEOPLE_KEPT 8192
#define PAIRS_KEPT 4096
#define POLICIES_KEPT 64
#define SCHOOLS_MAX 16 /* of a room or person; whoever is in more is in none of the rest here */

#define OF_ROOM (EPOCH_PEOPLE | EPOCH_RECORDS)
#define OF_LIFE (EPOCH_PEOPLE | EPOCH_RECORDS | EPOCH_LIFE)
#define OF_PERSON (EPOCH_PEOPLE | EPOCH_RECORDS)
#define OF_PAIR (EPOCH_PEOPLE | EPOCH_POLICIES)
#define OF_ROOM_POLICY (EPOCH_RECORDS | EPOCH_POLICIES)
#define OF_POLICY EPOCH_POLICIES

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
    } room_policies[ROOMS_KEPT], policies[POLICIES_KEPT];
    struct {
        struct stamp stamp;
        struct person_facts facts;
    } people[PEOPLE_KEPT];
    struct {
        struct stamp stamp;
        struct gate_pair pair;
    } pairs[PAIRS_KEPT];
};

struct gate_cache *gate_cache_create(void)
{
    return xcalloc(1, sizeof(struct gate_cache)); /* pages that nobody touches cost nothing */
}

void gate_cache_destroy(struct gate_cache *memory)
{
    free(memory);
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

static struct gate_cache *usable(struct gate_cache *memory, struct db *db)
{
    return db_writes(db) && !db_failed(db) ? memory : NULL;
}

/* As school_room_life, of a room whose slot has just been looked at. */
static void remembered_life(struct gate_cache *memory, struct db *db, room_no room, struct room_life *life)
{
    size_t at = slot(room, 0, ROOMS_KEPT);
    struct stamp now = stamp_now(db, OF_LIFE, room, 0);
    if (!same(&memory->rooms[at].life_stamp, &now))
        school_room_life(db, room, &memory->rooms[at].of, &memory->rooms[at].life);
    memory->rooms[at].life_stamp = now;
    *life = memory->rooms[at].life;
}

void gate_cache_room(struct gate_cache *memory, struct db *db, room_no room, struct room_school *of,
                     struct room_life *life)
{
    if (usable(memory, db) == NULL) {
        school_of_room(db, room, of);
        if (life != NULL)
            school_room_life(db, room, of, life);
        return;
    }
    size_t at = slot(room, 0, ROOMS_KEPT);
    struct stamp now = stamp_now(db, OF_ROOM, room, 0);
    if (!same(&memory->rooms[at].of_stamp, &now))
        school_of_room(db, room, &memory->rooms[at].of);
    memory->rooms[at].of_stamp = now;
    *of = memory->rooms[at].of;
    if (life != NULL)
        remembered_life(memory, db, room, life);
}

void gate_cache_person(struct gate_cache *memory, struct db *db, room_no room, const struct room_school *of,
                       user_no user, struct person_facts *out)
{
    if (usable(memory, db) == NULL) {
        school_person_in(db, room, of, user, out);
        return;
    }
    size_t at = slot(user, room, PEOPLE_KEPT);
    struct stamp now = stamp_now(db, OF_PERSON, user, room);
    if (!same(&memory->people[at].stamp, &now))
        school_person_in(db, room, of, user, &memory->people[at].facts);
    memory->people[at].stamp = now;
    *out = memory->people[at].facts;
}

/* --- Policies --- */

static void policy_of_school(struct gate_cache *memory, struct db *db, school_no school, struct school_policy *out)
{
    if (usable(memory, db) == NULL) {
        policies_in_force(db, school, out);
        return;
    }
    size_t at = slot(school, 0, POLICIES_KEPT);
    struct stamp now = stamp_now(db, OF_POLICY, school, 0);
    if (!same(&memory->policies[at].stamp, &now))
        policies_in_force(db, school, &memory->policies[at].policy);
    memory->policies[at].stamp = now;
    *out = memory->policies[at].policy;
}

static void strictest(struct gate_cache *memory, struct db *db, const school_no *schools, int n,
                      struct school_policy *out)
{
    policy_of_school(memory, db, n != 0 ? schools[0] : 0, out);
    for (int i = 1; i < n; ++i) {
        struct school_policy other;
        policy_of_school(memory, db, schools[i], &other);
        *out = school_policy_strictest(out, &other);
    }
}

static void read_room_policy(struct gate_cache *memory, struct db *db, room_no room, struct school_policy *out)
{
    int n;
    school_no schools[SCHOOLS_MAX];
    school_rooms_schools(db, room, schools, SCHOOLS_MAX, &n);
    strictest(memory, db, schools, n, out);
}

void gate_cache_policy(struct gate_cache *memory, struct db *db, room_no room, struct school_policy *out)
{
    if (usable(memory, db) == NULL) {
        read_room_policy(NULL, db, room, out);
        return;
    }
    size_t at = slot(room, 0, ROOMS_KEPT);
    struct stamp now = stamp_now(db, OF_ROOM_POLICY, room, 0);
    if (!same(&memory->room_policies[at].stamp, &now))
        read_room_policy(memory, db, room, &memory->room_policies[at].policy);
    memory->room_policies[at].stamp = now;
    *out = memory->room_policies[at].policy;
}

void gate_cache_policy_of(struct gate_cache *memory, struct db *db, user_no user, struct school_policy *out)
{
    int n;
    school_no schools[SCHOOLS_MAX];
    school_schools_of(db, user, schools, SCHOOLS_MAX, &n);
    strictest(memory, db, schools, n, out);
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

static void read_pair(struct gate_cache *memory, struct db *db, user_no a, user_no b, struct gate_pair *out)
{
    struct pair_schools schools;
    school_pair(db, a, b, &schools);
    *out = (struct gate_pair){.facts = {.class_teacher = schools.class_teacher, .guardian = schools.guardian}};
    for (int i = 0; i < schools.n; ++i) {
        struct school_policy policy;
        uint32_t relations = schools.at[i].relations;
        policy_of_school(memory, db, schools.at[i].school, &policy);
        out->facts.relations |= relations;
        out->facts.allowed |= relations & policy.direct;
        out->either |= relations & (policy.direct | school_relations_mirrored(policy.direct));
    }
    out->facts.staff_to_family = staff_to_family(out->facts.relations);
}

void gate_cache_pair(struct gate_cache *memory, struct db *db, user_no a, user_no b, struct gate_pair *out)
{
    if (usable(memory, db) == NULL) {
        read_pair(NULL, db, a, b, out);
        return;
    }
    size_t at = slot(a, b, PAIRS_KEPT);
    struct stamp now = stamp_now(db, OF_PAIR, a, b);
    if (!same(&memory->pairs[at].stamp, &now))
        read_pair(memory, db, a, b, &memory->pairs[at].pair);
    memory->pairs[at].stamp = now;
    *out = memory->pairs[at].pair;
}
