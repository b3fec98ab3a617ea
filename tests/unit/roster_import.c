/* The import: rooms equal the roster after every change, a second time nothing happens, a failure leaves nothing
 * behind, and what the roster has made holds against everybody (school.md A2, E1 to E4, G2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/accounts/password.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/roster_members.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/rooms.h"
#include "policy/oneroster/import.h"
#include "policy/oneroster/sample.h"
#include "policy/records/change.h"
#include "tests/unit/fixture.h"
#include "tests/unit/school_picture.h"
#include "policy/school_rooms/documents.h"
#include "policy/records/reconcile.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/matrix/contacts.h"
#include "tests/unit/roster_archive.h"

/* --- Asking --- */

enum { PERSON, SCHOOL, CLASS, COUNT_EVENTS, COUNT_USERS, COUNT_ROOMS, ASK_COUNT };
static const struct statement TEXTS[] = {
    [PERSON] = "SELECT user_no FROM people WHERE sourced_id = $1",
    [SCHOOL] = "SELECT school_no FROM schools WHERE sourced_id = $1",
    [CLASS] = "SELECT class_no FROM classes WHERE sourced_id = $1",
    [COUNT_EVENTS] = "SELECT COUNT(*) FROM events",
    [COUNT_USERS] = "SELECT COUNT(*) FROM users",
    [COUNT_ROOMS] = "SELECT COUNT(*) FROM rooms",
};
static const struct statements ASK = {"roster_import_test", TEXTS, ASK_COUNT};

static user_no person(struct fixture *f, const char *id)
{
    return db_int(f->db, &ASK, PERSON, 0, "t", id);
}

static room_no room_of(struct fixture *f, const char *school, const char *class, enum room_kind kind)
{
    school_no s = db_int(f->db, &ASK, SCHOOL, 0, "t", school);
    return roster_rooms_find(f->db, s, class != NULL ? db_int(f->db, &ASK, CLASS, 0, "t", class) : 0, kind);
}

static size_t rows(struct stmt *q)
{
    size_t n = 0;
    while (stmt_next(q))
        ++n;
    stmt_end(q);
    return n;
}

static void assert_settled(struct fixture *f)
{
    assert_int_equal(rows(roster_members_to_join(f->db, 0)), 0);
    assert_int_equal(rows(roster_members_to_leave(f->db, 0)), 0);
}

/* Who is joined, as sourcedIds of `ids` in their order: "tp"; the service user is not said. */
static void assert_joined(struct fixture *f, room_no room, const char *const *ids, const char *want)
{
    char got[64] = "";
    assert_int_not_equal(room, 0);
    for (; *ids != NULL; ++ids)
        if (memberships_of(f->db, room, person(f, *ids)) == MEMBERSHIP_JOIN)
            strcat(got, *ids);
    assert_string_equal(got, want);
}

static bool import(struct fixture *f, const struct roster *roster, bool dry_run, struct roster_changes *changes,
                   struct error *e)
{
    struct roster_import how = {.writer = f->writer,
                                .rooms = f->rooms,
                                .db = f->db,
                                .roster = roster,
                                .dry_run = dry_run,
                                .confirmed = CONFIRMED_ANY};
    return roster_import(&how, changes, e);
}

static struct roster_changes import_well(struct fixture *f, const struct roster *roster)
{
    struct roster_changes changes;
    struct error e;
    if (!import(f, roster, false, &changes, &e))
        fail_msg("refused: %s %s", error_sentence(&e), e.value);
    assert_settled(f);
    return changes;
}

static void assert_unchanged(struct fixture *f, const struct roster *roster)
{
    int64_t events = db_int(f->db, &ASK, COUNT_EVENTS, 0, "");
    struct roster_changes changes = import_well(f, roster);
    struct text says = TEXT_INIT;
    roster_changes_add_text(&says, &changes);
    assert_string_equal(says.data, "nothing changed\n");
    assert_int_equal(db_int(f->db, &ASK, COUNT_EVENTS, 0, ""), events);
    text_finish(&says);
}

/* The small whole archive with files replaced: name, text, …, NULL. */
static struct roster *whole_with(const char *name, ...)
{
    struct archive_file files[WHOLE_COUNT];
    struct roster_problem problem;
    char text[512];
    size_t len;
    va_list ap;
    memcpy(files, WHOLE, sizeof files);
    va_start(ap, name);
    for (const char *at = name; at != NULL; at = va_arg(ap, const char *))
        for (size_t i = 0, found = 0; i < WHOLE_COUNT && !found; ++i)
            if (strcmp(files[i].name, at) == 0) {
                files[i].text = va_arg(ap, const char *);
                found = 1;
            }
    va_end(ap);
    char *bytes = archive_of(files, WHOLE_COUNT, &len);
    struct roster *roster = roster_read_bytes(bytes, len, &problem);
    free(bytes);
    if (roster == NULL)
        fail_msg("%s", roster_problem_text(&problem, text, sizeof text));
    return roster;
}

static struct roster *sample(const char *size_text, uint64_t seed, struct sample_counts *counts)
{
    char path[] = "/tmp/parta-import-XXXXXX";
    struct sample_size size;
    struct roster_problem problem;
    assert_true(sample_size_from(size_text, &size));
    close(mkstemp(path));
    assert_true(sample_write(path, seed, &size, counts));
    struct roster *roster = roster_read(path, &problem);
    unlink(path);
    assert_non_null(roster);
    return roster;
}

static const char *const EVERYBODY[] = {"t", "p", "m", "f", "u", "h", NULL};

/* --- The tests --- */

static void test_sample(void **state)
{
    struct fixture f;
    struct sample_counts counts;
    struct roster *roster = sample("small", 11, &counts);
    fixture_start_school(&f);
    struct roster_changes changes = import_well(&f, roster);
    assert_int_equal(changes.n[ROSTER_PEOPLE_NEW], counts.people);
    assert_int_equal(changes.n[ROSTER_GUARDIANSHIPS_NEW], counts.guardianships);
    assert_int_equal(changes.n[ROSTER_ROOMS_NEW], 4 * counts.schools + 3 * counts.classes + counts.subject_groups);
    assert_int_equal(changes.n[ROSTER_LEFT], 0);
    assert_unchanged(&f, roster);
    fixture_restart(&f);
    assert_unchanged(&f, roster);
    assert_unchanged(&f, NULL); /* nothing to reconcile either */
    fixture_stop(&f);
    roster_destroy(roster);
}

/* E2 worked out again, from the file: a class room holds the service user, the class teacher and the pupils. */
static void assert_class_rooms(struct fixture *f, const struct roster *roster)
{
    size_t *want = calloc(roster->n_classes, sizeof *want);
    for (size_t i = 0; i < roster->n_enrollments; ++i) {
        const struct roster_enrollment *e = &roster->enrollments[i];
        const struct roster_class *class = &roster->classes[e->class];
        enum room_kind kind = class->homeroom ? ROOM_CLASS : ROOM_SUBJECT;
        room_no room = room_of(f, roster->schools[class->school].id, class->id, kind);
        assert_int_equal(memberships_of(f->db, room, person(f, roster->people[e->person].id)), MEMBERSHIP_JOIN);
        ++want[e->class];
    }
    for (size_t i = 0; i < roster->n_classes; ++i) {
        const struct roster_class *class = &roster->classes[i];
        enum room_kind kind = class->homeroom ? ROOM_CLASS : ROOM_SUBJECT;
        room_no room = room_of(f, roster->schools[class->school].id, class->id, kind);
        assert_int_equal(memberships_count(f->db, room, MEMBERSHIP_JOIN), want[i] + 1);
    }
    free(want);
}

/* One export after another: other families and names (another seed), more and fewer classes,
 * schools that come and go. */
static void test_sequence(void **state)
{
    static const struct {
        const char *size;
        uint64_t seed;
    } EXPORTS[] = {{"2x2x6", 1}, {"2x2x6", 2}, {"2x3x5x1", 2}, {"1x3x7", 3}, {"3x2x4", 3}, {"2x2x6", 1}};
    struct fixture f;
    fixture_start_school(&f);
    for (size_t i = 0; i < sizeof EXPORTS / sizeof *EXPORTS; ++i) {
        struct sample_counts counts;
        struct roster *roster = sample(EXPORTS[i].size, EXPORTS[i].seed, &counts);
        struct roster_changes changes = import_well(&f, roster);
        assert_true(roster_changes_any(&changes));
        assert_class_rooms(&f, roster);
        if (i % 2 == 1)
            fixture_restart(&f);
        assert_unchanged(&f, roster);
        roster_destroy(roster);
    }
    fixture_stop(&f);
}

/* E1: who is in which room. u is a second teacher, h the head. */
#define MORE_USERS                                                                                                                                                     \
    USERS_HEAD "t,true,t,Анна,Орлова,Ивановна,\np,true,p,Мария,Иванова,Петровна,\"m,f\"\nm,true,m,Ольга,Иванова,,\n" \
               "f,true,f,Пётр,Иванов,,\nu,true,u,Юлия,Белова,,\nh,true,h,Олег,Попов,,\n"
#define MORE_ROLES                                                                                                     \
    ROLES_HEAD                                                                                                         \
    "r1,t,primary,teacher,,,s\nr2,p,primary,student,,,s\nr3,m,primary,parent,,,s\nr4,f,primary,relative,,,s\n"         \
    "r5,u,primary,teacher,,,s\nr6,h,primary,principal,,,s\nr7,m,secondary,teacher,,,z\n"

static void test_rooms(void **state)
{
    struct fixture f;
    struct roster *roster = whole_with("users.csv", MORE_USERS, "roles.csv", MORE_ROLES, "enrollments.csv",
                                       ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,s,p,student,,,\n"
                                                        "e3,g,s,u,teacher,,,\ne4,g,s,p,student,,,\n",
                                       NULL);
    fixture_start_school(&f);
    import_well(&f, roster);
    assert_joined(&f, room_of(&f, "s", NULL, ROOM_SCHOOL_SPACE), EVERYBODY, "tpmfuh");
    assert_joined(&f, room_of(&f, "s", NULL, ROOM_ANNOUNCEMENTS), EVERYBODY, "tpmfuh");
    assert_joined(&f, room_of(&f, "s", NULL, ROOM_STAFF), EVERYBODY, "tuh");
    assert_joined(&f, room_of(&f, "s", "c", ROOM_CLASS_SPACE), EVERYBODY, "tpmf");
    assert_joined(&f, room_of(&f, "s", "c", ROOM_CLASS), EVERYBODY, "tp");
    assert_joined(&f, room_of(&f, "s", "c", ROOM_GUARDIANS), EVERYBODY, "tmf");
    assert_joined(&f, room_of(&f, "s", "g", ROOM_SUBJECT), EVERYBODY, "pu");
    assert_joined(&f, room_of(&f, "z", NULL, ROOM_SCHOOL_SPACE), EVERYBODY, "m");
    assert_joined(&f, room_of(&f, "z", NULL, ROOM_STAFF), EVERYBODY, "m");
    assert_int_equal(school_roles(f.db, db_int(f.db, &ASK, SCHOOL, 0, "t", "s"), person(&f, "m")), ROLE_GUARDIAN);
    char *name = profiles_get_string(f.db, person(&f, "p"), "displayname");
    assert_string_equal(name, "Иванова Мария");
    free(name);
    fixture_stop(&f);
    roster_destroy(roster);
}

static bool is_child(struct fixture *f, room_no space, room_no child)
{
    char *child_id = rooms_id_of(f->db, child), *space_id = rooms_id_of(f->db, space);
    json_t *down = fixture_content(f, space, "m.space.child", child_id);
    json_t *up = fixture_content(f, child, "m.space.parent", space_id);
    bool is = json_object_get(down, "via") != NULL, says = json_object_get(up, "via") != NULL;
    assert_int_equal(is, says); /* both ends say the same */
    json_decref(up);
    json_decref(down);
    free(space_id);
    free(child_id);
    return is;
}

static void put_in(struct fixture *f, room_no space, room_no child)
{
    static const char VIA[] = "{\"via\":[\"school.example\"]}";
    user_no service = users_no(f->db, SERVICE_LOCALPART);
    char *child_id = rooms_id_of(f->db, child), *space_id = rooms_id_of(f->db, space);
    struct error e;
    if (!fixture_send(f, space, service, "m.space.child", child_id, VIA, NULL, NULL, &e) ||
        !fixture_send(f, child, service, "m.space.parent", space_id, VIA, NULL, NULL, &e))
        fail_msg("%s", error_sentence(&e));
    free(space_id);
    free(child_id);
}

/* Rooms that stood in the school's space once, and that most there could not enter, are taken out of it when the school
 * is looked at the next time; what belongs there stays, and what a school's class has in it. */
static void test_space_is_tidied(void **state)
{
    struct fixture f;
    struct roster *roster = whole_with("users.csv", MORE_USERS, "roles.csv", MORE_ROLES, "enrollments.csv",
                                       ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,s,p,student,,,\n"
                                                        "e3,g,s,u,teacher,,,\ne4,g,s,p,student,,,\n",
                                       NULL);
    static const enum room_kind OUT[] = {ROOM_STAFF, ROOM_SUBJECT}, IN[] = {ROOM_ANNOUNCEMENTS, ROOM_CLASS_SPACE};
    static const char *const OUT_OF[] = {NULL, "g"}, *const IN_OF[] = {NULL, "c"};
    fixture_start_school(&f);
    import_well(&f, roster);
    room_no space = room_of(&f, "s", NULL, ROOM_SCHOOL_SPACE), class_space = room_of(&f, "s", "c", ROOM_CLASS_SPACE);
    for (size_t i = 0; i < sizeof OUT / sizeof *OUT; ++i) {
        assert_false(is_child(&f, space, room_of(&f, "s", OUT_OF[i], OUT[i])));
        put_in(&f, space, room_of(&f, "s", OUT_OF[i], OUT[i]));
        assert_true(is_child(&f, space, room_of(&f, "s", OUT_OF[i], OUT[i])));
    }
    import_well(&f, roster);
    for (size_t i = 0; i < sizeof OUT / sizeof *OUT; ++i)
        assert_false(is_child(&f, space, room_of(&f, "s", OUT_OF[i], OUT[i])));
    for (size_t i = 0; i < sizeof IN / sizeof *IN; ++i)
        if (!is_child(&f, space, room_of(&f, "s", IN_OF[i], IN[i])))
            fail_msg("%s", room_kind_name(IN[i]));
    assert_true(is_child(&f, space, library_find(f.db, db_int(f.db, &ASK, SCHOOL, 0, "t", "s"))));
    assert_true(is_child(&f, class_space, room_of(&f, "s", "c", ROOM_CLASS)));
    assert_true(is_child(&f, class_space, room_of(&f, "s", "c", ROOM_GUARDIANS)));
    assert_unchanged(&f, roster);
    fixture_stop(&f);
    roster_destroy(roster);
}

/* rule "": done; otherwise refused by that rule of school.md, not by anything else. */
static void expect_rule(struct error *e, bool done, const char *rule)
{
    if (done != (*rule == '\0'))
        fail_msg("%s, wanted \"%s\": %s", done ? "done" : "refused", rule, done ? "" : error_sentence(e));
    if (done)
        return;
    if (e->rule == NULL || strcmp(e->rule, rule) != 0)
        fail_msg("wanted %s, not %s (%s)", rule, error_sentence(e), e->value);
}

/* A2, E2, E3, E4 through the rooms' own acts. */
static void test_gate(void **state)
{
    struct fixture f;
    struct error e;
    struct roster *roster = whole_with("users.csv", MORE_USERS, "roles.csv", MORE_ROLES, NULL);
    fixture_start_school(&f);
    import_well(&f, roster);
    room_no class = room_of(&f, "s", "c", ROOM_CLASS), news = room_of(&f, "s", NULL, ROOM_ANNOUNCEMENTS);
    user_no out = fixture_user(&f, "outsider"), t = person(&f, "t"), p = person(&f, "p"), h = person(&f, "h"),
            u = person(&f, "u"), service = users_no(f.db, SERVICE_LOCALPART);
    assert_false(fixture_member(&f, class, ACT_JOIN, out, out, &e)); /* by the join rule already */
    expect_rule(&e,
                fixture_send(&f, class, out, "m.room.member", "@outsider:school.example", "{\"membership\":\"join\"}",
                             NULL, NULL, &e),
                "A2");
    expect_rule(&e, fixture_member(&f, class, ACT_KNOCK, out, out, &e), "A2");
    expect_rule(&e, fixture_member(&f, class, ACT_INVITE, t, out, &e), "A2");
    expect_rule(&e, fixture_member(&f, class, ACT_JOIN, service, out, &e), "A2");
    expect_rule(&e, fixture_member(&f, class, ACT_JOIN, service, u, &e), "E2");
    assert_false(fixture_member(&f, class, ACT_JOIN, u, u, &e));
    expect_rule(&e, fixture_member(&f, class, ACT_LEAVE, p, p, &e), "E4");
    expect_rule(&e, fixture_member(&f, class, ACT_KICK, t, p, &e), "E4");
    expect_rule(&e, fixture_member(&f, class, ACT_BAN, t, p, &e), "E4");
    expect_rule(&e, fixture_member(&f, class, ACT_KICK, service, p, &e), "E4");
    expect_rule(&e, fixture_send(&f, class, t, "m.room.power_levels", "", "{}", NULL, NULL, &e), "E3");
    expect_rule(&e, fixture_send(&f, class, t, "m.room.join_rules", "", "{\"join_rule\":\"public\"}", NULL, NULL, &e),
                "E3");
    expect_rule(&e, fixture_send(&f, class, t, "m.room.encryption", "", "{\"algorithm\":\"x\"}", NULL, NULL, &e), "E9");
    expect_rule(&e, fixture_send(&f, class, t, "m.room.topic", "", "{\"topic\":\"x\"}", NULL, NULL, &e), "");
    expect_rule(&e, fixture_send(&f, class, p, "m.room.topic", "", "{\"topic\":\"x\"}", NULL, NULL, &e), "E3");
    expect_rule(&e, fixture_send(&f, class, p, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, NULL, &e), "");
    expect_rule(&e, fixture_send(&f, news, t, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, NULL, &e), "E1");
    expect_rule(&e, fixture_send(&f, news, h, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, NULL, &e), "");
    /* a room that a teacher makes is the school's; one of an outsider is nobody's */
    room_no club = fixture_room(&f, t, "12", PRESET_PUBLIC_CHAT, &e),
            other = fixture_room(&f, out, "12", PRESET_PUBLIC_CHAT, &e);
    expect_rule(&e, fixture_member(&f, club, ACT_JOIN, out, out, &e), "A2");
    expect_rule(&e, fixture_member(&f, club, ACT_INVITE, t, out, &e), "A2");
    expect_rule(&e, fixture_member(&f, club, ACT_JOIN, p, p, &e), "");
    expect_rule(&e, fixture_member(&f, club, ACT_LEAVE, p, p, &e), "");
    expect_rule(&e, fixture_member(&f, other, ACT_JOIN, p, p, &e), "A1");
    expect_rule(&e, fixture_member(&f, other, ACT_INVITE, out, p, &e), "A1");
    fixture_stop(&f);
    roster_destroy(roster);
}

/* A room of somebody of two schools narrows to the school of whom they bring in (A1). */
static void test_two_schools(void **state)
{
    struct fixture f;
    struct error e;
    struct roster *roster = whole_with("users.csv", MORE_USERS, "roles.csv",
                                       ROLES_HEAD "r1,t,primary,teacher,,,s\nr2,p,primary,student,,,s\n"
                                                  "r3,m,primary,parent,,,s\nr4,f,primary,relative,,,s\n"
                                                  "r6,m,secondary,teacher,,,z\nr7,u,primary,teacher,,,z\n",
                                       NULL);
    fixture_start_school(&f);
    import_well(&f, roster);
    user_no m = person(&f, "m"), t = person(&f, "t"), u = person(&f, "u");
    room_no first = fixture_room(&f, m, "12", PRESET_PRIVATE_CHAT, &e),
            second = fixture_room(&f, m, "12", PRESET_PRIVATE_CHAT, &e);
    expect_rule(&e, fixture_member(&f, first, ACT_INVITE, m, t, &e), "");
    expect_rule(&e, fixture_member(&f, first, ACT_INVITE, m, u, &e), "A2");
    expect_rule(&e, fixture_member(&f, second, ACT_INVITE, m, u, &e), "");
    expect_rule(&e, fixture_member(&f, second, ACT_INVITE, m, t, &e), "A2");
    assert_true(school_shared(f.db, m, t) && school_shared(f.db, m, u) && !school_shared(f.db, t, u));
    fixture_stop(&f);
    roster_destroy(roster);
}

/* The roster changes, and the rooms with it. */
static void test_changes(void **state)
{
    struct fixture f;
    struct error e;
    struct roster *first = whole_with("users.csv", MORE_USERS, "roles.csv", MORE_ROLES, NULL);
    struct roster *second =
        whole_with(/* u is the class teacher now, the pupil married, a guardian fewer, h gone */
                   "users.csv",
                   USERS_HEAD
                   "t,true,t,Анна,Орлова,Ивановна,\np,true,p,Мария,Белова,Петровна,m\nm,true,m,Ольга,Иванова,,\n"
                   "f,true,f,Пётр,Иванов,,\nu,true,u,Юлия,Белова,,\n",
                   "roles.csv",
                   ROLES_HEAD "r1,t,primary,teacher,,,s\nr2,p,primary,student,,,s\nr3,m,primary,parent,,,s\nr5,u,"
                              "primary,teacher,,,s\n",
                   "classes.csv", CLASSES_HEAD "c,6А,6,k,homeroom,s,y\n", "enrollments.csv",
                   ENROLLMENTS_HEAD "e1,c,s,u,teacher,true,,\ne2,c,s,p,student,,,\n", NULL);
    fixture_start_school(&f);
    import_well(&f, first);
    room_no class = room_of(&f, "s", "c", ROOM_CLASS), guardians = room_of(&f, "s", "c", ROOM_GUARDIANS);
    user_no h = person(&f, "h"), m = person(&f, "m");
    room_no club = fixture_room(&f, h, "12", PRESET_PUBLIC_CHAT, &e);
    room_no zclub = fixture_room(&f, m, "12", PRESET_PUBLIC_CHAT, &e);
    assert_true(fixture_member(&f, club, ACT_JOIN, person(&f, "t"), person(&f, "t"), &e));
    assert_true(zclub != 0);
    struct roster_changes changes = import_well(&f, second);
    assert_int_equal(room_of(&f, "s", "c", ROOM_CLASS), class);
    assert_joined(&f, class, EVERYBODY, "pu");
    assert_joined(&f, guardians, EVERYBODY, "mu");
    assert_joined(&f, room_of(&f, "z", NULL, ROOM_STAFF), EVERYBODY, "");
    assert_joined(&f, club, EVERYBODY, "t");                /* G2: the head has left that as well */
    assert_joined(&f, zclub, EVERYBODY, "m");               /* of both schools, and she is still in one */
    assert_int_equal(changes.n[ROSTER_ACCOUNTS_CLOSED], 2); /* h, and f, whose child he no longer has */
    assert_int_equal(changes.n[ROSTER_PEOPLE_ENDED], 1);
    struct user_row row;
    assert_true(users_get(f.db, h, &row));
    assert_int_equal(row.state, ACCOUNT_LEFT);
    user_row_finish(&row);
    char *name = profiles_get_string(f.db, person(&f, "p"), "displayname");
    assert_string_equal(name, "Белова Мария");
    free(name);
    /* E3: power follows the post */
    expect_rule(&e, fixture_send(&f, class, person(&f, "t"), "m.room.topic", "", "{\"topic\":\"x\"}", NULL, NULL, &e),
                "E3");
    expect_rule(&e, fixture_send(&f, class, person(&f, "u"), "m.room.topic", "", "{\"topic\":\"x\"}", NULL, NULL, &e),
                "");
    assert_unchanged(&f, second);
    changes = import_well(&f, first); /* and back */
    assert_int_equal(changes.n[ROSTER_PEOPLE_BACK], 1);
    assert_joined(&f, class, EVERYBODY, "tp");
    assert_joined(&f, room_of(&f, "s", NULL, ROOM_STAFF), EVERYBODY, "tuh");
    assert_true(users_get(f.db, h, &row));
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    user_row_finish(&row);
    assert_unchanged(&f, first);
    fixture_stop(&f);
    roster_destroy(first);
    roster_destroy(second);
}

/* enabledUser: the account is locked and out of the rooms, then back. */
static void test_disabled(void **state)
{
    struct fixture f;
    struct roster *on = whole_with(NULL),
                  *off = whole_with("users.csv",
                                    USERS_HEAD "t,true,t,Анна,Орлова,Ивановна,\np,false,p,Мария,Иванова,Петровна,\"m,"
                                               "f\"\nm,true,m,Ольга,Иванова,,\nf,true,f,Пётр,Иванов,,\n",
                                    NULL);
    fixture_start_school(&f);
    import_well(&f, on);
    import_well(&f, off);
    assert_joined(&f, room_of(&f, "s", "c", ROOM_CLASS), EVERYBODY, "t");
    assert_unchanged(&f, off);
    import_well(&f, on);
    assert_joined(&f, room_of(&f, "s", "c", ROOM_CLASS), EVERYBODY, "tp");
    fixture_stop(&f);
    roster_destroy(on);
    roster_destroy(off);
}

static bool job_open(struct tx *tx, void *arg, struct error *e)
{
    static const struct actor OFFICE = {.name = "operator:test", .scopes = SCOPE_ALL, .override_ = "пусть войдёт"};
    struct fixture *f = arg;
    struct changing_records c = {tx, f->rooms, &OFFICE, e};
    return change_account_state(&c, person(f, "p"), ACCOUNT_ACTIVE);
}

/* Whom the office lets in against the roster is out again with the next import, though no record differs (I4). */
static void test_disabled_again(void **state)
{
    struct fixture f;
    struct error e;
    struct user_row row;
    struct roster *off =
        whole_with("users.csv",
                   USERS_HEAD "t,true,t,Анна,Орлова,Ивановна,\np,false,p,Мария,Иванова,Петровна,\"m,f\"\n"
                              "m,true,m,Ольга,Иванова,,\nf,true,f,Пётр,Иванов,,\n",
                   NULL);
    fixture_start_school(&f);
    import_well(&f, off);
    assert_true(writer_run(f.writer, job_open, &f, &e));
    assert_true(users_get(f.db, person(&f, "p"), &row) && row.state == ACCOUNT_ACTIVE);
    user_row_finish(&row);
    struct roster_changes changes = import_well(&f, off);
    assert_int_equal(changes.n[ROSTER_PEOPLE_CHANGED], 1);
    assert_true(users_get(f.db, person(&f, "p"), &row) && row.state == ACCOUNT_LOCKED);
    user_row_finish(&row);
    assert_unchanged(&f, off);
    fixture_stop(&f);
    roster_destroy(off);
}

/* B3: who was a pupil and teaches now is called with the patronymic, and back; nothing of the person has changed but
 * the role. */
static void test_pupil_teaches(void **state)
{
    struct fixture f;
    struct roster *pupil = whole_with(NULL),
                  *teacher = whole_with("users.csv",
                                        USERS_HEAD "t,true,t,Анна,Орлова,Ивановна,\np,true,p,Мария,Иванова,Петровна,\n"
                                                   "m,true,m,Ольга,Иванова,,\nf,true,f,Пётр,Иванов,,\n",
                                        "roles.csv",
                                        ROLES_HEAD
                                        "r1,t,primary,teacher,,,s\nr2,p,primary,teacher,,,s\nr3,m,primary,parent,,,s\n"
                                        "r4,f,primary,relative,,,s\n",
                                        "enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\n", NULL);
    const struct roster *const TURNS[] = {pupil, teacher, pupil};
    static const char *const NAMES[] = {"Иванова Мария", "Иванова Мария Петровна", "Иванова Мария"};
    fixture_start_school(&f);
    for (int i = 0; i < 3; ++i) {
        import_well(&f, TURNS[i]);
        char *name = profiles_get_string(f.db, person(&f, "p"), "displayname");
        assert_string_equal(name, NAMES[i]);
        free(name);
        assert_unchanged(&f, TURNS[i]);
    }
    fixture_stop(&f);
    roster_destroy(pupil);
    roster_destroy(teacher);
}

struct redacting {
    struct fixture *f;
    room_no room;
    const char *user_id;
};

/* As a server before this one let people do it. */
static bool job_redact(struct tx *tx, void *arg, struct error *e)
{
    const struct redacting *r = arg;
    struct room *room = room_open(r->f->rooms, tx, r->room);
    stream_pos pos = room_state_get(room, tx, "m.room.member", r->user_id)->pos;
    room_touch(room, tx);
    room_forget_state(room, "m.room.member", r->user_id);
    return events_redact(tx, pos, pos, "{\"membership\":\"join\"}");
}

static void assert_called(struct fixture *f, room_no room, const char *user_id, const char *wanted)
{
    json_auto_t *member = fixture_content(f, room, "m.room.member", user_id);
    const char *name = json_get_string(member, "displayname");
    assert_string_equal(name != NULL ? name : "(nothing)", wanted);
}

/* B3: nobody takes a name out of a room, their own neither; where it was taken, the next import gives it back. */
static void test_name_redacted(void **state)
{
    struct fixture f;
    struct error e;
    char id[64];
    struct roster *roster = whole_with(NULL);
    fixture_start_school(&f);
    import_well(&f, roster);
    room_no room = room_of(&f, "s", "c", ROOM_CLASS);
    struct redacting r = {&f, room, id};
    snprintf(id, sizeof id, "%s", user_names_get(rooms_settings(f.rooms)->names, f.db, person(&f, "p")));
    struct event_row row;
    struct stmt *q = events_state_get(f.db, room, "m.room.member", id);
    assert_true(events_next(q, &row));
    char *joining = xstrdup(row.event_id);
    stmt_end(q);
    assert_false(fixture_send(&f, room, person(&f, "p"), "m.room.redaction", NULL, "{}", joining, NULL, &e));
    assert_string_equal(e.rule, "B3");
    assert_false(fixture_send(&f, room, person(&f, "t"), "m.room.redaction", NULL, "{}", joining, NULL, &e));
    assert_called(&f, room, id, "Иванова Мария");
    assert_true(writer_run(f.writer, job_redact, &r, &e));
    assert_called(&f, room, id, "(nothing)");
    import_well(&f, roster);
    assert_called(&f, room, id, "Иванова Мария");
    assert_unchanged(&f, roster);
    free(joining);
    fixture_stop(&f);
    roster_destroy(roster);
}

/* --- What a wrong roster took (G5) --- */

static user_no guardian_by_hand(struct changing_records *c, struct fixture *f)
{
    const struct person_row row = {
        .given = "Иван", .family = "Дедов", .middle = "", .birth = DAY_EVER, .enabled = true};
    user_no user = change_person(c, &row, db_int(f->db, &ASK, SCHOOL, 0, "t", "s"), 0);
    return user != 0 && change_guardianship(c, person(f, "q"), user) ? user : 0;
}

/* Somebody of the staff whom no roster knows, but the wrong one. */
static bool staff_by_hand(struct changing_records *c, school_no school)
{
    const struct person_row row = {
        .sourced_id = "o", .given = "Вера", .family = "Ручная", .middle = "", .birth = 19800101, .enabled = true};
    user_no user = change_person(c, &row, school, 0);
    return user != 0 && change_role(c, &(struct role_row){user, school, ROLE_STAFF, DAY_EVER, DAY_NEVER});
}

/* What the office and people have made of the school by hand, in one job. */
static bool job_live(struct tx *tx, void *arg, struct error *e)
{
    static const struct actor OFFICE = {
        .name = "operator:test", .scopes = SCOPE_ALL, .override_ = "по заявлению семьи"};
    struct fixture *f = arg;
    struct changing_records c = {tx, f->rooms, &OFFICE, e};
    class_no class = db_int(f->db, &ASK, CLASS, 0, "t", "c");
    school_no school = db_int(f->db, &ASK, SCHOOL, 0, "t", "s");
    const struct contact_row contact = {"email", "olga@example.org", person(f, "m"), 1234, 1234};
    const struct class_row own = {
        .sourced_id = "own", .title = "Хор", .grade = "", .school = school, .homeroom = false};
    const struct enrollment_row by_hand = {class, person(f, "u"), ROLE_TEACHER, DAY_EVER, DAY_NEVER};
    struct reconciling *s = reconcile_begin(tx, f->rooms, NULL);
    return contact_rows_insert(tx, &contact) && change_account_state(&c, person(f, "f"), ACCOUNT_SUSPENDED) &&
           change_account_state(&c, person(f, "u"), ACCOUNT_LOCKED) && change_enrollment(&c, &by_hand) &&
           change_class(&c, &own, 0) != 0 && staff_by_hand(&c, school) && guardian_by_hand(&c, f) != 0 &&
           documents_ensure(f->rooms, tx, person(f, "p"), e) &&
           reconcile_archive(s, room_of(f, "s", "c", ROOM_CLASS), e) && reconcile_finish(s, e);
}

/* A club where only moderators invite: it needs its owner to open again. */
static room_no strict_club_of(struct fixture *f, user_no h, user_no t)
{
    struct error e;
    user_no p = person(f, "p");
    json_t *levels = json_pack("{s:i, s:{s:i}}", "invite", 50, "events", "m.room.topic", 50);
    const struct room_plan plan = {.creator = h,
                                   .version = room_version_get("11"),
                                   .preset = PRESET_PRIVATE_CHAT,
                                   .name = "Шахматы",
                                   .power_levels = levels};
    room_no room = fixture_create(f, &plan, &e);
    json_decref(levels);
    assert_int_not_equal(room, 0);
    assert_true(fixture_member(f, room, ACT_INVITE, h, t, &e) && fixture_member(f, room, ACT_JOIN, t, t, &e));
    assert_true(fixture_member(f, room, ACT_INVITE, h, p, &e)); /* has not come yet */
    return room;
}

static room_no strict_club(struct fixture *f)
{
    return strict_club_of(f, person(f, "h"), person(f, "t"));
}

static room_no direct_chat(struct fixture *f, user_no a, user_no b)
{
    struct error e;
    const struct room_plan plan = {
        .creator = a, .version = room_version_get("12"), .preset = PRESET_TRUSTED_PRIVATE_CHAT, .is_direct = true};
    room_no room = fixture_create(f, &plan, &e);
    assert_true(fixture_member(f, room, ACT_INVITE, a, b, &e) && fixture_member(f, room, ACT_JOIN, b, b, &e));
    return room;
}

/* Header lines alone, confirmed; a roster that has everybody elsewhere, and knows the school's own guardian as its own;
 * and the right one again after each: members, invites, powers, owners, names, account states, addresses, families and
 * the school's own records are as they were, and what was said is to be said on. */
static void g5_the_right_roster_brings_everything_back(void **state)
{
#define MORE_PEOPLE MORE_USERS "q,true,q,Лев,Орлов,,m\n"
#define PUPIL_Q "r8,q,primary,student,,,s\n"
#define IN_CLASSES                                                                                                     \
    ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,s,p,student,,,\ne3,g,s,u,teacher,,,\ne4,c,s,q,student,,,\n"
    struct fixture f;
    struct error e;
    struct roster
        *right =
            whole_with("users.csv", MORE_PEOPLE, "roles.csv", MORE_ROLES PUPIL_Q, "enrollments.csv", IN_CLASSES, NULL),
        *empty = whole_with("users.csv", USERS_HEAD, "roles.csv", ROLES_HEAD, "enrollments.csv", ENROLLMENTS_HEAD,
                            "demographics.csv", DEMOGRAPHICS_HEAD, "classes.csv", CLASSES_HEAD, NULL),
        *elsewhere = whole_with(
            "users.csv",
            USERS_HEAD "t,false,t,Анна,Иная,Ивановна,\np,true,p,Мария,Иванова,Петровна,\n"
                       "q,true,q,Лев,Орлов,,\"f,h\"\nm,true,m,Ольга,Иванова,,\nf,false,f,Пётр,Иванов,,\n"
                       "h,true,h,Олег,Попов,,\no,true,o,Другая,Чужая,,\n",
            "roles.csv",
            ROLES_HEAD
            "r1,t,primary,teacher,,,z\nr2,p,primary,student,,,z\nr3,m,primary,parent,,,z\n"
            "r4,f,primary,relative,,,z\nr6,h,primary,parent,,,z\nr8,q,primary,student,,,z\nr9,o,primary,teacher,,,z\n",
            "enrollments.csv", ENROLLMENTS_HEAD, "classes.csv", CLASSES_HEAD "own,Чужой,7,k,scheduled,s,y\n", NULL);
    fixture_start_school(&f);
    import_well(&f, right);
    room_no club = strict_club(&f), chat = direct_chat(&f, person(&f, "t"), person(&f, "m"));
    room_no library = library_find(f.db, db_int(f.db, &ASK, SCHOOL, 0, "t", "s"));
    assert_true(fixture_member(&f, library, ACT_JOIN, person(&f, "p"), person(&f, "p"), &e));
    if (!writer_run(f.writer, job_live, &f, &e))
        fail_msg("%s", error_sentence(&e));
    import_well(&f, right);
    assert_unchanged(&f, right);
    struct picture was = picture_of(&f, NULL);
    const struct roster *const WRONG[] = {empty, elsewhere, empty};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; ++i) {
        import_well(&f, WRONG[i]);
        assert_int_not_equal(memberships_of(f.db, club, person(&f, "t")), MEMBERSHIP_JOIN);
        assert_int_not_equal(memberships_of(f.db, chat, person(&f, "m")), MEMBERSHIP_JOIN);
        import_well(&f, right);
        struct picture is = picture_of(&f, &was);
        assert_same_picture(&was, &is);
        text_finish(&is.lines);
        assert_unchanged(&f, right);
    }
    assert_int_equal(memberships_of(f.db, club, users_no(f.db, SERVICE_LOCALPART)), MEMBERSHIP_LEAVE);
    expect_rule(&e, fixture_send(&f, chat, person(&f, "m"), "m.room.message", NULL, "{\"body\":\"x\"}", NULL, NULL, &e),
                "");
    expect_rule(&e, fixture_send(&f, club, person(&f, "h"), "m.room.topic", "", "{\"topic\":\"x\"}", NULL, NULL, &e),
                "");
    text_finish(&was.lines);
    fixture_stop(&f);
    roster_destroy(right);
    roster_destroy(empty);
    roster_destroy(elsewhere);
}

/* The other has as much power, so that who stays can upgrade it. */
static room_no club_of_two(struct fixture *f, user_no owner, user_no other)
{
    struct error e;
    char *own_id = users_id(f->db, "school.example", owner), *user_id = users_id(f->db, "school.example", other);
    json_t *levels = json_pack("{s:{s:i, s:i}}", "users", own_id, 100, user_id, 100);
    const struct room_plan plan = {.creator = owner,
                                   .version = room_version_get("10"),
                                   .preset = PRESET_PRIVATE_CHAT,
                                   .name = "Хор",
                                   .power_levels = levels};
    room_no room = fixture_create(f, &plan, &e);
    assert_true(fixture_member(f, room, ACT_INVITE, owner, other, &e) &&
                fixture_member(f, room, ACT_JOIN, other, other, &e));
    json_decref(levels);
    free(own_id);
    free(user_id);
    return room;
}

static user_no owner_of(struct fixture *f, room_no room)
{
    struct room_school of;
    return school_of_room(f->db, room, &of) ? of.owner : 0;
}

/* What replaced a room meanwhile is what they come back to; a tombstone written by hand leads nowhere. */
static void g5_who_comes_back_finds_what_replaced_a_room(void **state)
{
    struct fixture f;
    struct error e;
    struct text forged = TEXT_INIT;
    struct roster *right = whole_with("users.csv", MORE_USERS, "roles.csv", MORE_ROLES, NULL),
                  *wrong = whole_with("users.csv", USERS_HEAD "u,true,u,Юлия,Белова,,\nh,true,h,Олег,Попов,,\n",
                                      "roles.csv", ROLES_HEAD "r5,u,primary,teacher,,,s\nr6,h,primary,principal,,,s\n",
                                      "enrollments.csv", ENROLLMENTS_HEAD, "demographics.csv", DEMOGRAPHICS_HEAD, NULL);
    fixture_start_school(&f);
    import_well(&f, right);
    user_no h = person(&f, "h"), t = person(&f, "t"), p = person(&f, "p");
    room_no strict = strict_club(&f), chat = direct_chat(&f, h, t), owned = club_of_two(&f, t, h),
            stuck = strict_club_of(&f, t, h), left = strict_club(&f), trap = strict_club_of(&f, h, person(&f, "u"));
    room_no new_chat = fixture_upgrade(&f, chat, h, "11", NULL, NULL); /* while both are there */
    assert_true(fixture_member(&f, new_chat, ACT_INVITE, h, t, &e) && fixture_member(&f, new_chat, ACT_JOIN, t, t, &e));
    import_well(&f, wrong);
    assert_int_equal(owner_of(&f, owned), h);
    room_no new_strict = fixture_upgrade(&f, fixture_upgrade(&f, strict, h, "12", NULL, NULL), h, "11", NULL, NULL);
    room_no new_owned = fixture_upgrade(&f, owned, h, "11", NULL, NULL);
    char *trap_id = rooms_id_of(f.db, trap);
    text_addf(&forged, "{\"body\":\"x\",\"replacement_room\":\"%s\"}", trap_id);
    free(trap_id);
    expect_rule(&e, fixture_send(&f, left, h, "m.room.tombstone", "", forged.data, NULL, NULL, &e), "");
    import_well(&f, right);
    const struct {
        room_no room;
        user_no user;
        enum membership is;
    } EXPECTED[] = {
        {strict, t, MEMBERSHIP_JOIN},     {strict, p, MEMBERSHIP_INVITE},
        {new_strict, t, MEMBERSHIP_JOIN}, {new_strict, p, MEMBERSHIP_INVITE},
        {chat, t, MEMBERSHIP_JOIN},       {new_chat, t, MEMBERSHIP_JOIN},
        {owned, t, MEMBERSHIP_JOIN},      {new_owned, t, MEMBERSHIP_JOIN},
        {left, t, MEMBERSHIP_JOIN},       {trap, t, MEMBERSHIP_NONE},
        {stuck, t, MEMBERSHIP_JOIN},      {stuck, h, MEMBERSHIP_JOIN},
        {stuck, p, MEMBERSHIP_INVITE},    {stuck, users_no(f.db, SERVICE_LOCALPART), MEMBERSHIP_LEAVE},
    };
    for (size_t i = 0; i < sizeof EXPECTED / sizeof *EXPECTED; ++i)
        if (memberships_of(f.db, EXPECTED[i].room, EXPECTED[i].user) != EXPECTED[i].is)
            fail_msg("line %zu: %s", i, membership_name(memberships_of(f.db, EXPECTED[i].room, EXPECTED[i].user)));
    assert_true(owner_of(&f, owned) == t && owner_of(&f, new_owned) == t && owner_of(&f, stuck) == t);
    text_finish(&forged);
    fixture_stop(&f);
    roster_destroy(right);
    roster_destroy(wrong);
}

/* Who leaves by their own or the office's word (G1) is not brought back by the next roster. */
static bool job_leave(struct tx *tx, void *arg, struct error *e)
{
    static const struct actor OFFICE = {
        .name = "operator:test", .scopes = SCOPE_ALL, .override_ = "по заявлению семьи"};
    struct fixture *f = arg;
    struct changing_records c = {tx, f->rooms, &OFFICE, e};
    return change_leave_school(&c, person(f, "t"), db_int(f->db, &ASK, SCHOOL, 0, "t", "s"));
}

static void g5_who_was_told_to_leave_does_not_come_back(void **state)
{
    struct fixture f;
    struct error e;
    struct roster *roster = whole_with("users.csv", MORE_USERS, "roles.csv", MORE_ROLES, NULL);
    fixture_start_school(&f);
    import_well(&f, roster);
    room_no club = strict_club(&f);
    assert_true(writer_run(f.writer, job_leave, &f, &e));
    import_well(&f, roster); /* in which they are still */
    assert_joined(&f, room_of(&f, "s", "c", ROOM_CLASS), EVERYBODY, "tp");
    assert_joined(&f, club, EVERYBODY, "h");
    fixture_stop(&f);
    roster_destroy(roster);
}

/* A period that is over counts no more; one that has not begun, not yet. */
static void test_periods(void **state)
{
    struct fixture f;
    struct roster *roster = whole_with("enrollments.csv",
                                       ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,2020-01-01,2021-01-01\n"
                                                        "e2,c,s,p,student,,,\ne3,c,s,m,teacher,true,2190-01-01,\n",
                                       NULL);
    fixture_start_school(&f);
    import_well(&f, roster);
    assert_joined(&f, room_of(&f, "s", "c", ROOM_CLASS), EVERYBODY, "p");
    assert_unchanged(&f, roster);
    fixture_stop(&f);
    roster_destroy(roster);
}

static void test_dry_run(void **state)
{
    struct fixture f;
    struct roster_changes dry, changes;
    struct error e;
    struct roster *roster = whole_with(NULL);
    fixture_start_school(&f);
    assert_true(import(&f, roster, true, &dry, &e));
    assert_int_equal(db_int(f.db, &ASK, COUNT_USERS, -1, ""), 0);
    assert_int_equal(db_int(f.db, &ASK, COUNT_ROOMS, -1, ""), 0);
    changes = import_well(&f, roster);
    assert_memory_equal(&dry, &changes, sizeof dry);
    assert_true(import(&f, roster, true, &dry, &e));
    assert_false(roster_changes_any(&dry));
    fixture_stop(&f);
    roster_destroy(roster);
}

static void test_refusals(void **state)
{
    struct fixture f;
    struct roster_changes changes;
    struct error e;
    struct roster *roster = whole_with(NULL), *moved = whole_with("classes.csv", CLASSES_HEAD "c,5А,5,k,homeroom,z,y\n",
                                                                  "enrollments.csv", ENROLLMENTS_HEAD, NULL);
    fixture_start_school(&f);
    fixture_user(&f, SERVICE_LOCALPART);
    assert_false(import(&f, roster, false, &changes, &e));
    assert_int_equal(e.code, ERROR_USER_IN_USE);
    fixture_stop(&f);
    fixture_start_school(&f);
    import_well(&f, roster);
    assert_false(import(&f, moved, false, &changes, &e));
    assert_string_equal(e.value, "c");
    assert_unchanged(&f, roster);
    fixture_stop(&f);
    roster_destroy(roster);
    roster_destroy(moved);
}

/* The database fails at the n-th call: the import is refused, nothing is half done, and it succeeds afterwards. */
static void test_faults(void **state)
{
    struct fixture f;
    struct roster *roster = whole_with(NULL);
    fixture_start_school(&f);
    for (int n = 1;; n += 1 + n / 4) {
        struct roster_changes changes;
        struct error e;
        db_fail_after(writer_db_for_tests(f.writer), n);
        bool done = import(&f, roster, false, &changes, &e);
        db_fail_after(writer_db_for_tests(f.writer), 0);
        if (done)
            break;
        assert_int_equal(e.code, ERROR_UNKNOWN);
        assert_int_equal(db_int(f.db, &ASK, COUNT_USERS, -1, ""), 0);
        assert_int_equal(db_int(f.db, &ASK, COUNT_ROOMS, -1, ""), 0);
    }
    assert_settled(&f);
    assert_unchanged(&f, roster);
    fixture_stop(&f);
    roster_destroy(roster);
}

static void test_passwords(void **state)
{
    struct fixture f;
    struct roster_changes changes;
    struct error e;
    struct text passwords = TEXT_INIT;
    struct config config = {.server_name = "school.example"};
    struct roster *roster = whole_with(NULL);
    config.passwords.ops = 1;
    config.passwords.memory_kib = 64;
    fixture_start_school(&f);
    struct roster_import how = {
        .writer = f.writer, .rooms = f.rooms, .db = f.db, .roster = roster, .config = &config, .passwords = &passwords};
    assert_true(roster_import(&how, &changes, &e));
    char localpart[64], password[64], rest[200];
    const char *line = strstr(passwords.data, "\n@");
    assert_int_equal(strncmp(passwords.data, "user_id,password,name,roles,sourcedId\n", 38), 0);
    assert_int_equal(sscanf(line, "\n@%63[^:]:school.example,%63[^,],%199[^\n]", localpart, password, rest), 3);
    assert_string_equal(rest, "\"Орлова Анна Ивановна\",teacher class_teacher,\"t\"");
    struct user_row row;
    assert_true(users_find(f.db, localpart, &row));
    assert_int_equal(row.no, person(&f, "t"));
    assert_true(password_verify(&config, row.password_hash, password));
    user_row_finish(&row);
    text_clear(&passwords); /* only the new get one */
    assert_true(roster_import(&how, &changes, &e));
    assert_string_equal(passwords.data, "user_id,password,name,roles,sourcedId\n");
    assert_false(roster_changes_any(&changes));
    text_finish(&passwords);
    fixture_stop(&f);
    roster_destroy(roster);
}

/* Older room versions, where the service user's power is a level like others'; before 8 the server takes its own. */
static void test_room_versions(void **state)
{
    static const char *const VERSIONS[] = {"1", "8", "9", "10", "11", "12"};
    struct roster *roster = whole_with("users.csv", MORE_USERS, "roles.csv", MORE_ROLES, NULL);
    struct roster *without = whole_with("users.csv", MORE_USERS, "roles.csv", MORE_ROLES, "enrollments.csv",
                                        ENROLLMENTS_HEAD "e1,c,s,u,teacher,true,,\n", NULL);
    for (size_t i = 0; i < sizeof VERSIONS / sizeof *VERSIONS; ++i) {
        struct fixture f;
        struct error e;
        fixture_start_school(&f);
        struct rooms_settings settings = *rooms_settings(f.rooms);
        settings.default_version = VERSIONS[i];
        rooms_destroy(f.rooms);
        f.rooms = rooms_create(&settings);
        import_well(&f, roster);
        room_no class = room_of(&f, "s", "c", ROOM_CLASS);
        user_no t = person(&f, "t");
        expect_rule(&e, fixture_send(&f, class, t, "m.room.topic", "", "{\"topic\":\"x\"}", NULL, NULL, &e), "");
        expect_rule(&e, fixture_send(&f, class, t, "m.room.power_levels", "", "{}", NULL, NULL, &e), "E3");
        import_well(&f, without);
        assert_joined(&f, class, EVERYBODY, "u");
        assert_unchanged(&f, without);
        fixture_stop(&f);
    }
    roster_destroy(roster);
    roster_destroy(without);
}

/* What the gate asks of a roster room. */
static void test_room_facts(void **state)
{
    struct fixture f;
    struct room_school of;
    struct person_facts facts;
    struct roster *roster = whole_with(NULL);
    fixture_start_school(&f);
    import_well(&f, roster);
    room_no class = room_of(&f, "s", "c", ROOM_CLASS);
    assert_true(school_of_room(f.db, class, &of));
    assert_true(of.kind == ROOM_CLASS && of.n_schools == 1 && of.school != 0 && of.class != 0);
    assert_true(roster_holds(f.db, class, person(&f, "p")));
    assert_false(roster_holds(f.db, class, person(&f, "m")));
    school_person_facts(f.db, class, person(&f, "t"), &facts);
    assert_true(facts.member && facts.held && facts.post && !facts.service);
    assert_int_equal(facts.roles, ROLE_TEACHER | ROLE_CLASS_TEACHER);
    school_person_facts(f.db, class, person(&f, "m"), &facts);
    assert_true(facts.member && !facts.held && !facts.post && facts.roles == ROLE_GUARDIAN);
    school_person_facts(f.db, class, fixture_user(&f, "outsider"), &facts);
    assert_true(!facts.member && !facts.held && facts.roles == 0 && facts.account == ACCOUNT_ACTIVE);
    school_person_facts(f.db, class, users_no(f.db, SERVICE_LOCALPART), &facts);
    assert_true(facts.member && facts.service);
    school_person_facts(f.db, class, 4711, &facts);
    assert_true(!facts.member && facts.account == ACCOUNT_LEFT);
    assert_false(school_of_room(f.db, 4711, &of));
    fixture_stop(&f);
    roster_destroy(roster);
}

static void test_days(void **state)
{
    char day[DAY_TEXT_BYTES];
    static const struct {
        int64_t ms;
        const char *day;
    } DAYS[] = {{0, "1970-01-01"},
                {86399999, "1970-01-01"},
                {86400000, "1970-01-02"},
                {951782400000, "2000-02-29"},
                {951868800000, "2000-03-01"},
                {1798761599999, "2026-12-31"},
                {1798761600000, "2027-01-01"},
                {4107542400000, "2100-03-01"},
                {-1, "1969-12-31"}};
    for (size_t i = 0; i < sizeof DAYS / sizeof *DAYS; ++i) {
        assert_string_equal(day_text(day_of_ms(DAYS[i].ms), day), DAYS[i].day);
        assert_int_equal(day_from(DAYS[i].day), day_of_ms(DAYS[i].ms));
    }
    for (int n = 0; n < 2 * 146097; n += 13) /* eight centuries */
        assert_int_equal(day_after(19690601, n), day_of_ms((n - 214) * INT64_C(86400000)));
    static const char *const WRONG[] = {"",           "2026-13-01",  "2026-00-01", "2026-02-29",
                                        "2026-1-01",  "2026-01-32",  "2026-01-00", "26-01-01",
                                        "2026/01/01", "2026-01-01 ", "1900-02-29", "+026-01-01"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; ++i)
        assert_int_equal(day_from(WRONG[i]), -1);
    assert_int_equal(day_from("2000-02-29"), 20000229);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_rooms),
        cmocka_unit_test(test_space_is_tidied),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_two_schools),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_disabled),
        cmocka_unit_test(test_disabled_again),
        cmocka_unit_test(g5_the_right_roster_brings_everything_back),
        cmocka_unit_test(g5_who_comes_back_finds_what_replaced_a_room),
        cmocka_unit_test(g5_who_was_told_to_leave_does_not_come_back),
        cmocka_unit_test(test_pupil_teaches),
        cmocka_unit_test(test_name_redacted),
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_room_versions),
        cmocka_unit_test(test_room_facts),
        cmocka_unit_test(test_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
