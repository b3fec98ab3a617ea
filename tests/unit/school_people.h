/* A small school for tests of the gate, written straight into the records: who is what to whom is told by its tables.
 *
 * School one has homerooms A and B and a subject group G; school two a homeroom X. */
#ifndef PARTA_TESTS_SCHOOL_PEOPLE_H
#define PARTA_TESTS_SCHOOL_PEOPLE_H

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/matrix/users.h"
#include "tests/unit/fixture.h"

enum school { ONE, TWO, SCHOOLS };
enum class { A, B, G, X, CLASSES };
enum who { P1, P2, P3, P4, T1, T2, T3, HEAD, G1, G2, G3, EXT, XP, XT, PEOPLE };

static const struct {
    const char *name;
    enum school school;
    enum school_role role;
    int in[2];    /* classes + 1 */
    int child_of; /* guardians: whose, + 1 */
    bool homeroom_teacher;
} THEM[PEOPLE] = {
    [P1] = {"p1", ONE, ROLE_PUPIL, {A + 1, G + 1}},
    [P2] = {"p2", ONE, ROLE_PUPIL, {A + 1}},
    [P3] = {"p3", ONE, ROLE_PUPIL, {B + 1}},
    [P4] = {"p4", ONE, ROLE_PUPIL, {B + 1, G + 1}},
    [T1] = {"t1", ONE, ROLE_CLASS_TEACHER, {A + 1}, .homeroom_teacher = true},
    [T2] = {"t2", ONE, ROLE_TEACHER, {G + 1}},
    [T3] = {"t3", ONE, ROLE_TEACHER},
    [HEAD] = {"head", ONE, ROLE_HEAD},
    [G1] = {"g1", ONE, ROLE_GUARDIAN, .child_of = P1 + 1},
    [G2] = {"g2", ONE, ROLE_GUARDIAN, .child_of = P2 + 1},
    [G3] = {"g3", ONE, ROLE_GUARDIAN, .child_of = P3 + 1},
    [EXT] = {"ext", ONE, ROLE_EXTERNAL},
    [XP] = {"xp", TWO, ROLE_PUPIL, {X + 1}},
    [XT] = {"xt", TWO, ROLE_CLASS_TEACHER, {X + 1}, .homeroom_teacher = true},
};

struct school_people {
    struct fixture f;
    school_no schools[SCHOOLS];
    class_no classes[CLASSES];
    user_no them[PEOPLE], service;
};

static inline const char *id_of(enum who who)
{
    static char ids[PEOPLE][64];
    snprintf(ids[who], sizeof ids[who], "@%s:school.example", THEM[who].name);
    return ids[who];
}

static inline bool put_person(struct tx *tx, struct school_people *s, enum who who)
{
    user_no user = s->them[who];
    struct person_row person = {.no = user,
                                .sourced_id = THEM[who].name,
                                .given = THEM[who].name,
                                .family = "",
                                .middle = "",
                                .enabled = true,
                                .source = "test",
                                .version = 1};
    struct role_row role = {user, s->schools[THEM[who].school], THEM[who].role, DAY_EVER, DAY_NEVER, "test"};
    bool good = people_put(tx->db, &person) && roles_put(tx->db, &role);
    for (int i = 0; i < 2 && good; ++i) {
        enum school_role as = THEM[who].homeroom_teacher     ? ROLE_CLASS_TEACHER
                              : THEM[who].role == ROLE_PUPIL ? ROLE_PUPIL
                                                             : ROLE_TEACHER;
        struct enrollment_row in = {0, user, as, DAY_EVER, DAY_NEVER, "test"};
        if (THEM[who].in[i] != 0) {
            in.class = s->classes[THEM[who].in[i] - 1];
            good = enrollments_put(tx->db, &in);
        }
    }
    struct guardianship_row kin = {.guardian = user, .source = "test"};
    if (THEM[who].child_of != 0) {
        kin.child = s->them[THEM[who].child_of - 1];
        good = good && guardianships_put(tx->db, &kin);
    }
    return good;
}

static inline bool put_school(struct tx *tx, void *arg, struct error *e)
{
    struct school_people *s = arg;
    static const char *const NAMES[] = {"one", "two"};
    static const char *const TITLES[] = {"A", "B", "G", "X"};
    bool good = true;
    fixture_acts(tx);
    s->service = users_insert_service(tx, SERVICE_LOCALPART);
    for (int i = 0; i < SCHOOLS; ++i)
        s->schools[i] = schools_put(
            tx->db, &(struct school_row){.sourced_id = NAMES[i], .name = NAMES[i], .source = "test", .version = 1});
    for (int i = 0; i < CLASSES; ++i)
        s->classes[i] = classes_put(tx->db, &(struct class_row){.sourced_id = TITLES[i],
                                                                .school = s->schools[i == X ? TWO : ONE],
                                                                .homeroom = i != G,
                                                                .grade = "7",
                                                                .title = TITLES[i],
                                                                .source = "test",
                                                                .version = 1});
    for (int i = 0; i < PEOPLE; ++i)
        good = (s->them[i] = users_insert(tx, THEM[i].name, NULL, ACCOUNT_ACTIVE, false)) != 0 && good;
    for (int i = 0; i < PEOPLE; ++i)
        good = put_person(tx, s, (enum who)i) && good;
    return good && s->service != 0;
}

static inline void school_people_start(struct school_people *s)
{
    struct error e;
    fixture_start_school(&s->f);
    assert_true(writer_run(s->f.writer, put_school, s, &e));
}

static inline void school_people_stop(struct school_people *s)
{
    fixture_stop(&s->f);
}

struct policy_change {
    school_no school;
    const struct school_policy *policy;
};

static inline bool put_policy(struct tx *tx, void *arg, struct error *e)
{
    const struct policy_change *change = arg;
    json_auto_t *document = school_policy_document(change->policy);
    char *text = json_canonical(document);
    struct policy_row row = {.school = change->school,
                             .version = policies_version(tx->db, change->school) + 1,
                             .document = text,
                             .author = "test",
                             .reason = "",
                             .created_ms = 1};
    fixture_acts(tx);
    bool done = policies_insert(tx, &row);
    free(text);
    return done;
}

/* school 0: the server's. */
static inline void set_policy(struct school_people *s, school_no school, const struct school_policy *policy)
{
    struct error e;
    struct policy_change change = {school, policy};
    assert_true(writer_run(s->f.writer, put_policy, &change, &e));
}

#endif
