#include "homeserver/rooms/gate_cache.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/store/school/policies.h"

#define SCHOOLS_MAX 16 /* of a room or person; whoever is in more is in none of the rest here */

/* Every look goes the same way (look_up): the stamp of now is taken before the read, so that what the read itself moves
 * (nothing today) would make it stale; an entry that differs is read again in its place, whatever was there (a full
 * slot is worth no chain: what is pushed out costs one read). A read that the database fails leaves nonsense with a
 * good stamp behind, and harms nobody: the job is rolled back, which moves all epochs. */

/* When something was read; true as long as nothing has moved. epoch 0 of an empty slot is never now: opening the
 * database has run scripts. */
struct stamp {
    int64_t a, b; /* what it is about */
    int64_t epoch, day;
};

enum kind { OF_ROOM, OF_LIFE, OF_PERSON, OF_ROOM_POLICY, OF_PERSONS_POLICY, OF_POLICY, OF_PAIR, KINDS };

struct gate_cache {
    struct kept {
        struct stamp *stamps;
        unsigned char *values;
    } kept[KINDS];
    struct stamp custody_stamp;
    struct member_set *custody; /* NULL: nobody */
};

/* What is asked: by one number or two, and by what is known of the room. */
struct look {
    struct gate_cache *cache; /* for what else the read looks up */
    struct db *db;
    int64_t a, b;
    const struct room_school *of;
};

static void look_up(enum kind kind, const struct look *q, void *out);

/* --- What is read --- */

static void read_room(const struct look *q, void *out)
{
    school_of_room(q->db, q->a, out);
}

static void read_life(const struct look *q, void *out)
{
    school_room_life(q->db, q->a, q->of, out);
}

/* b: in which room; 0: anywhere. */
static void read_person(const struct look *q, void *out)
{
    if (q->b != 0)
        school_person_in(q->db, q->b, q->of, q->a, out);
    else
        school_person_anywhere(q->db, q->a, out);
}

static void read_policy(const struct look *q, void *out)
{
    policies_in_force(q->db, q->a, out);
}

static void policy_of_school(const struct look *q, school_no school, struct school_policy *out)
{
    look_up(OF_POLICY, &(struct look){q->cache, q->db, school}, out);
}

static void strictest(const struct look *q, const school_no *schools, int n, struct school_policy *out)
{
    policy_of_school(q, n != 0 ? schools[0] : 0, out);
    for (int i = 1; i < n; ++i) {
        struct school_policy other;
        policy_of_school(q, schools[i], &other);
        *out = school_policy_strictest(out, &other);
    }
}

static void read_room_policy(const struct look *q, void *out)
{
    int n;
    school_no schools[SCHOOLS_MAX];
    school_rooms_schools(q->db, q->a, schools, SCHOOLS_MAX, &n);
    strictest(q, schools, n, out);
}

static void read_persons_policy(const struct look *q, void *out)
{
    int n;
    school_no schools[SCHOOLS_MAX];
    school_schools_of(q->db, q->a, schools, SCHOOLS_MAX, &n);
    strictest(q, schools, n, out);
}

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

static void read_pair(const struct look *q, void *out)
{
    struct gate_pair *pair = out;
    struct pair_schools schools;
    school_pair(q->db, q->a, q->b, &schools);
    *pair = (struct gate_pair){.facts = {.class_teacher = schools.class_teacher,
                                         .guardian = schools.guardian,
                                         .apart = schools.apart,
                                         .parted = schools.parted}};
    for (int i = 0; i < schools.n; ++i) {
        struct school_policy policy;
        uint32_t relations = schools.at[i].relations;
        policy_of_school(q, schools.at[i].school, &policy);
        pair->facts.relations |= relations;
        pair->facts.allowed |= relations & policy.direct;
        pair->either |= relations & (policy.direct | school_relations_mirrored(policy.direct));
    }
    pair->facts.staff_to_family = staff_to_family(pair->facts.relations);
}

/* --- Remembering it --- */

/* epochs: of the tables that it is read from (rule_facts.c); what is missing there would be believed too long, which
 * the random changes of tests/unit/gate.c look for. A room's life is apart from the rest of it because it alone moves
 * with every membership and state event (EPOCH_LIFE); a message moves nothing. Of those who ask about many, one after
 * the other, there are few. */
static const struct {
    unsigned epochs;
    size_t kept; /* a power of two */
    size_t bytes;
    void (*read)(const struct look *q, void *out);
} KIND[KINDS] = {
    [OF_ROOM] = {EPOCH_PEOPLE | EPOCH_RECORDS, 1024, sizeof(struct room_school), read_room},
    [OF_LIFE] = {EPOCH_PEOPLE | EPOCH_RECORDS | EPOCH_LIFE, 1024, sizeof(struct room_life), read_life},
    [OF_PERSON] = {EPOCH_PEOPLE | EPOCH_RECORDS, 8192, sizeof(struct person_facts), read_person},
    [OF_ROOM_POLICY] = {EPOCH_RECORDS | EPOCH_POLICIES, 1024, sizeof(struct school_policy), read_room_policy},
    [OF_PERSONS_POLICY] = {EPOCH_PEOPLE | EPOCH_POLICIES, 64, sizeof(struct school_policy), read_persons_policy},
    [OF_POLICY] = {EPOCH_POLICIES, 64, sizeof(struct school_policy), read_policy},
    [OF_PAIR] = {EPOCH_PEOPLE | EPOCH_POLICIES, 4096, sizeof(struct gate_pair), read_pair},
};
#define OF_CUSTODY EPOCH_PEOPLE

struct gate_cache *gate_cache_create(void)
{
    struct gate_cache *cache = xcalloc(1, sizeof *cache);
    for (enum kind i = 0; i < KINDS; ++i) { /* pages that nobody touches cost nothing */
        cache->kept[i].stamps = xcalloc(KIND[i].kept, sizeof *cache->kept[i].stamps);
        cache->kept[i].values = xcalloc(KIND[i].kept, KIND[i].bytes);
    }
    return cache;
}

void gate_cache_destroy(struct gate_cache *cache)
{
    if (cache == NULL)
        return;
    for (enum kind i = 0; i < KINDS; ++i) {
        free(cache->kept[i].stamps);
        free(cache->kept[i].values);
    }
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

/* false: not to be believed now: a reader's connection does not count what the writer's writes, and after a failure
 * nobody knows what was written. */
static bool usable(const struct gate_cache *cache, struct db *db)
{
    return cache != NULL && db_writes(db) && !db_failed(db);
}

static void look_up(enum kind kind, const struct look *q, void *out)
{
    if (!usable(q->cache, q->db)) {
        KIND[kind].read(q, out);
        return;
    }
    size_t at = slot(q->a, q->b, KIND[kind].kept), bytes = KIND[kind].bytes;
    struct stamp *read = &q->cache->kept[kind].stamps[at];
    struct stamp now = stamp_now(q->db, KIND[kind].epochs, q->a, q->b);
    void *value = q->cache->kept[kind].values + at * bytes;
    if (!same(read, &now))
        KIND[kind].read(q, value);
    *read = now;
    memcpy(out, value, bytes);
}

void gate_cache_room(struct gate_cache *cache, struct db *db, room_no room, struct room_school *of,
                     struct room_life *life)
{
    look_up(OF_ROOM, &(struct look){cache, db, room}, of);
    if (life != NULL)
        look_up(OF_LIFE, &(struct look){cache, db, room, .of = of}, life);
}

void gate_cache_person(struct gate_cache *cache, struct db *db, room_no room, const struct room_school *of,
                       user_no user, struct person_facts *out)
{
    look_up(OF_PERSON, &(struct look){cache, db, user, room, of}, out);
}

void gate_cache_anywhere(struct gate_cache *cache, struct db *db, user_no user, struct person_facts *out)
{
    look_up(OF_PERSON, &(struct look){cache, db, user}, out);
}

void gate_cache_policy(struct gate_cache *cache, struct db *db, room_no room, struct school_policy *out)
{
    look_up(OF_ROOM_POLICY, &(struct look){cache, db, room}, out);
}

void gate_cache_policy_of(struct gate_cache *cache, struct db *db, user_no user, struct school_policy *out)
{
    look_up(OF_PERSONS_POLICY, &(struct look){cache, db, user}, out);
}

void gate_cache_pair(struct gate_cache *cache, struct db *db, user_no a, user_no b, struct gate_pair *out)
{
    look_up(OF_PAIR, &(struct look){cache, db, a, b}, out);
}

/* --- Custody: one for all, and no plain value --- */

static struct member_set *read_custody(struct db *db)
{
    size_t n;
    user_no *users = school_in_custody(db, &n);
    return n != 0 ? member_set_create(users, n) : NULL;
}

struct member_set *gate_cache_custody(struct gate_cache *cache, struct db *db)
{
    if (!usable(cache, db))
        return read_custody(db);
    struct stamp now = stamp_now(db, OF_CUSTODY, 0, 0);
    if (!same(&cache->custody_stamp, &now)) {
        member_set_unref(cache->custody);
        cache->custody = read_custody(db);
    }
    cache->custody_stamp = now;
    return cache->custody != NULL ? member_set_ref(cache->custody) : NULL;
}
