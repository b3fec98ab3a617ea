/* Life in a school: documents rooms (E6), associations (E8), the rollover (G3), export and erasure (G4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <zip.h>

#include "homeserver/base/days.h"
#include "homeserver/store/matrix/media.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/contacts.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/key_backup.h"
#include "homeserver/store/matrix/pushers.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/matrix/thread_subscriptions.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/erasures.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/reports.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/taken.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/identities.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "policy/school_rooms/associations.h"
#include "policy/school_rooms/documents.h"
#include "policy/privacy/erasure.h"
#include "policy/privacy/export.h"
#include "policy/privacy/export_sections.h"
#include "policy/records/rollover.h"
#include "tests/unit/signup_world.h"

static bool joined(struct world *w, room_no room, user_no user)
{
    return memberships_of(w->f.db, room, user) == MEMBERSHIP_JOIN;
}

static room_no roster_room(struct world *w, class_no class, enum room_kind kind)
{
    return roster_rooms_find(w->f.db, w->school, class, kind);
}

static bool says(struct world *w, room_no room, user_no who, const char *body, struct error *e)
{
    char content[128];
    struct appended out;
    snprintf(content, sizeof content, "{\"msgtype\":\"m.text\",\"body\":\"%s\"}", body);
    return fixture_send(&w->f, room, who, "m.room.message", NULL, content, NULL, &out, e);
}

struct kin {
    user_no child, guardian;
};

static bool act_kin(struct changing_records *c, void *arg)
{
    const struct kin *kin = arg;
    return change_guardianship(c, kin->child, kin->guardian);
}

static bool act_end_staff(struct changing_records *c, void *arg)
{
    return change_role_end(c, arg);
}

/* --- E6 --- */

static bool act_documents(struct changing_records *c, void *arg)
{
    return documents_ensure(c->rooms, c->tx, *(user_no *)arg, c->e);
}

static void test_e6_documents(void **state)
{
    struct world w;
    struct error e;
    world_start(&w);
    user_no outsider = fixture_user(&w.f, "outsider");
    assert_true(world_run(&w, 0, act_documents, &w.old, &e));
    room_no room = rooms_owned(w.f.db, w.old, "documents");
    assert_int_not_equal(room, 0);
    assert_true(joined(&w, room, w.old));
    assert_true(world_run(&w, 0, act_documents, &w.old, &e)); /* once is enough */
    assert_int_equal(rooms_owned(w.f.db, w.old, "documents"), room);
    assert_true(says(&w, room, w.old, "my homework", &e));
    assert_false(fixture_member(&w.f, room, ACT_INVITE, w.old, w.teacher, &e)); /* it is private */
    assert_false(fixture_member(&w.f, room, ACT_JOIN, w.teacher, w.teacher, &e));
    assert_false(
        fixture_send(&w.f, room, w.old, "m.room.join_rules", "", "{\"join_rule\":\"public\"}", NULL, NULL, &e));
    assert_true(world_run(&w, 0, act_documents, &outsider, &e)); /* who has no school has none */
    assert_int_equal(rooms_owned(w.f.db, outsider, "documents"), 0);
    /* D7: restricted; the room is there all the same. */
    assert_string_equal(world_account_state(&w, w.young), "restricted");
    assert_true(world_run(&w, 0, act_documents, &w.young, &e));
    assert_int_not_equal(rooms_owned(w.f.db, w.young, "documents"), 0);
    world_stop(&w);
}

/* --- E8 --- */

struct association {
    school_no school;
    room_no room;
    char code[ASSOCIATION_CODE_CHARS + 1];
};

static bool act_create(struct changing_records *c, void *arg)
{
    struct association *a = arg;
    return (a->room = association_create(c, a->school, "Физики города")) != 0;
}

static bool act_code(struct changing_records *c, void *arg)
{
    struct association *a = arg;
    return association_code(c, a->room, a->school, a->code);
}

static bool act_agree(struct changing_records *c, void *arg)
{
    struct association *a = arg;
    return association_agree(c, a->code, a->school) != 0;
}

static bool act_leave(struct changing_records *c, void *arg)
{
    struct association *a = arg;
    return association_leave(c, a->room, a->school);
}

static void test_e8_association(void **state)
{
    struct world w;
    struct error e;
    world_start(&w);
    user_no other_teacher = world_person(&w, (struct world_person){"Petr", "Far", NULL, w.other_school, ROLE_TEACHER});
    struct association ours = {.school = w.school}, theirs = {.school = w.other_school};
    assert_false(world_run(&w, w.teacher, act_create, &ours, &e)); /* the office's alone */
    assert_false(world_run(&w, w.other_admin, act_create, &ours, &e));
    assert_true(world_run(&w, w.admin, act_create, &ours, &e));
    assert_true(fixture_member(&w.f, ours.room, ACT_JOIN, w.teacher, w.teacher, &e));
    assert_false(fixture_member(&w.f, ours.room, ACT_JOIN, w.old, w.old, &e));                 /* staff alone */
    assert_false(fixture_member(&w.f, ours.room, ACT_JOIN, other_teacher, other_teacher, &e)); /* not agreed yet */

    theirs.room = ours.room;
    assert_false(world_run(&w, w.other_admin, act_code, &theirs, &e)); /* the room is not theirs */
    assert_true(world_run(&w, w.admin, act_code, &ours, &e));
    strcpy(theirs.code, ours.code);
    assert_false(world_run(&w, w.admin, act_agree, &theirs, &e)); /* for another school than one's own */
    assert_true(world_run(&w, w.other_admin, act_agree, &theirs, &e));
    assert_false(world_run(&w, w.other_admin, act_agree, &theirs, &e)); /* a code is good once */
    assert_true(fixture_member(&w.f, ours.room, ACT_JOIN, other_teacher, other_teacher, &e));
    assert_true(says(&w, ours.room, other_teacher, "colleagues!", &e));

    /* Who is staff no more leaves, though still of the school as a guardian. */
    user_no parent = world_person(&w, (struct world_person){"Pavel", "Both", NULL, w.school, ROLE_STAFF});
    assert_true(world_run(&w, 0, act_kin, &(struct kin){w.old, parent}, &e));
    assert_true(fixture_member(&w.f, ours.room, ACT_JOIN, parent, parent, &e));
    assert_true(
        world_run(&w, 0, act_end_staff, &(struct role_row){parent, w.school, ROLE_STAFF, DAY_EVER, DAY_NEVER}, &e));
    assert_false(joined(&w, ours.room, parent));
    assert_string_equal(world_account_state(&w, parent), "active");

    assert_true(world_run(&w, w.other_admin, act_leave, &theirs, &e));
    assert_false(joined(&w, ours.room, other_teacher));
    assert_true(joined(&w, ours.room, w.teacher));
    assert_false(fixture_member(&w.f, ours.room, ACT_JOIN, other_teacher, other_teacher, &e));
    assert_true(world_run(&w, w.admin, act_leave, &ours, &e));
    assert_false(joined(&w, ours.room, w.teacher));
    world_stop(&w);
}

/* --- E5: who answers for a club when its owner leaves the school --- */

static bool act_go(struct changing_records *c, void *arg)
{
    const struct role_row *who = arg;
    return change_leave_school(c, who->user, who->school);
}

static user_no owner_of(struct world *w, room_no room)
{
    struct room_school of;
    school_of_room(w->f.db, room, &of);
    return of.owner;
}

static void test_e5_a_club_has_an_owner(void **state)
{
    struct world w;
    struct error e;
    world_start(&w);
    json_t *invite = json_pack("[s, s]", user_names_get(w.f.names, w.f.db, w.class_teacher),
                               user_names_get(w.f.names, w.f.db, w.admin));
    struct room_plan plan = {.creator = w.teacher,
                             .version = room_version_get(ROOM_VERSION_DEFAULT),
                             .preset = PRESET_PRIVATE_CHAT,
                             .name = "Chess",
                             .invite = invite};
    room_no room = fixture_create(&w.f, &plan, &e);
    json_decref(invite);
    assert_int_not_equal(room, 0);
    assert_true(fixture_member(&w.f, room, ACT_JOIN, w.admin, w.admin, &e));
    assert_true(fixture_member(&w.f, room, ACT_JOIN, w.class_teacher, w.class_teacher, &e));
    assert_int_equal(owner_of(&w, room), w.teacher);
    assert_true(world_run(&w, 0, act_go, &(struct role_row){.user = w.teacher, .school = w.school}, &e));
    assert_int_equal(owner_of(&w, room), w.admin); /* there longest */
    world_stop(&w);
}

/* --- G3 --- */

struct turning {
    school_no school;
    int last_grade;
    bool dry_run;
    struct rollover_counts counts;
    struct text difference;
    struct rollover_loss loss;
};

static bool act_year(struct changing_records *c, void *arg)
{
    struct turning *t = arg;
    return rollover_run(c, t->school, t->last_grade, &t->counts, &t->difference, &t->loss) && !t->dry_run;
}

static char *title_of(struct world *w, class_no class)
{
    struct class_row row;
    struct stmt *q = classes_one(w->f.db, class);
    char *title = classes_next(q, &row) ? xstrdup(row.title) : NULL;
    stmt_end(q);
    return title;
}

static void assert_title(struct world *w, class_no class, const char *title)
{
    char *now = title_of(w, class);
    assert_string_equal(now, title);
    free(now);
}

/* Who was a pupil of the class that ends, years ago: one repeats years, one teaches now. */
static bool job_once_there(struct tx *tx, void *arg, struct error *e)
{
    const struct world *w = arg;
    const user_no them[] = {w->small, w->teacher};
    fixture_acts(tx);
    bool good = true;
    for (size_t i = 0; i < sizeof them / sizeof *them; ++i)
        good = good && enrollments_put(tx->db, &(struct enrollment_row){.class = w->fifth,
                                                                        .user = them[i],
                                                                        .role = ROLE_PUPIL,
                                                                        .begin = 20200901,
                                                                        .end = 20210531,
                                                                        .source = "test"});
    return good;
}

static void test_g3_year(void **state)
{
    struct world w;
    struct error e;
    world_start(&w);
    room_no old_room = roster_room(&w, w.first, ROOM_CLASS), fifth_room = roster_room(&w, w.fifth, ROOM_CLASS);
    assert_true(joined(&w, old_room, w.small));
    assert_true(writer_run(w.f.writer, job_once_there, &w, &e));
    struct turning t = {
        .school = w.school,
        .last_grade = 5,
        .dry_run = true,
        .loss = {.limits = {.gone_percent = 10, .changed_percent = 75, .at_least = 2}, .confirmed = CONFIRMED_ANY}};
    assert_false(world_run(&w, w.teacher, act_year, &t, &e));
    assert_int_not_equal(e.code, ERROR_NONE);
    assert_false(world_run(&w, w.other_admin, act_year, &t, &e));
    text_clear(&t.difference);

    assert_false(world_run(&w, w.admin, act_year, &t, &e)); /* a dry run changes nothing */
    assert_int_equal(e.code, ERROR_NONE);
    assert_int_equal(t.counts.promoted, 1);
    assert_int_equal(t.counts.graduated, 1);
    assert_int_equal(t.counts.pupils_left, 2);
    assert_non_null(strstr(t.difference.data, "graduate"));
    assert_int_equal(roster_room(&w, w.first, ROOM_CLASS), old_room);
    assert_title(&w, w.first, "1A");

    /* G5: two of a small school are many: it needs the version that the dry run has told. */
    int64_t version = t.loss.version;
    assert_true(version > 0);
    t.dry_run = false;
    for (int64_t other = 0; other < 2; ++other) {
        text_clear(&t.difference);
        t.loss.confirmed = other == 0 ? 0 : version + 2;
        assert_false(world_run(&w, w.admin, act_year, &t, &e));
        assert_int_equal(e.code, other == 0 ? ERROR_HELD : ERROR_PRECONDITION);
        assert_title(&w, w.first, "1A");
    }
    text_clear(&t.difference);
    t.loss.confirmed = version;
    assert_true(world_run(&w, w.admin, act_year, &t, &e));
    assert_title(&w, w.first, "2A");
    room_no new_room = roster_room(&w, w.first, ROOM_CLASS);
    assert_int_not_equal(new_room, 0);
    assert_int_not_equal(new_room, old_room);
    assert_true(joined(&w, new_room, w.small));
    assert_true(joined(&w, old_room, w.small)); /* to read */
    assert_false(says(&w, old_room, w.small, "still here", &e));
    assert_string_equal(world_rule(&e), "G3");
    assert_true(fixture_member(&w.f, old_room, ACT_LEAVE, w.small, w.small, &e));
    /* Who was in the last grade has left, the class teacher has not. */
    assert_string_equal(world_account_state(&w, w.old), "left");
    assert_string_equal(world_account_state(&w, w.class_teacher), "active");
    assert_string_equal(world_account_state(&w, w.small), "restricted"); /* a child, not confirmed (D2) */
    assert_string_equal(world_account_state(&w, w.teacher), "active");
    assert_false(joined(&w, fifth_room, w.old));
    assert_true(joined(&w, fifth_room, w.class_teacher));
    assert_int_equal(roster_room(&w, w.fifth, ROOM_CLASS), 0);

    assert_false(world_run(&w, w.admin, act_year, &t, &e)); /* a second click */
    assert_int_equal(e.code, ERROR_CONFLICT);
    assert_title(&w, w.first, "2A");
    text_finish(&t.difference);
    world_stop(&w);
}

/* --- G4: export --- */

static char *file_in(struct text *zip_bytes, const char *name)
{
    zip_error_t error;
    zip_stat_t stat;
    zip_error_init(&error);
    zip_t *zip =
        zip_open_from_source(zip_source_buffer_create(zip_bytes->data, zip_bytes->len, 0, &error), ZIP_RDONLY, &error);
    assert_non_null(zip);
    char *text = NULL;
    if (zip_stat(zip, name, 0, &stat) == 0) {
        zip_file_t *file = zip_fopen(zip, name, 0);
        text = xcalloc(stat.size + 1, 1);
        assert_int_equal(zip_fread(file, text, stat.size), stat.size);
        zip_fclose(file);
    }
    zip_discard(zip);
    return text;
}

static bool exports(struct world *w, user_no who, user_no whose, struct text *zip, struct error *e)
{
    char *name = users_id(w->f.db, "school.example", who), *id = users_id(w->f.db, "school.example", whose);
    struct actor actor = {.user = who, .name = name};
    bool done = export_person(w->f.db, &(struct export_wanted){&actor, whose, id, true}, zip, e);
    free(name);
    free(id);
    return done;
}

/* A row of everything that can be kept of a person. */
static bool act_keep_everything(struct changing_records *c, void *arg)
{
    user_no user = *(user_no *)arg;
    const struct contact_row contact = {"email", "olya@example.org", user, 1, 1};
    const struct identity_of identity = {"https://diary.example", "s-1"};
    struct report_row report = {.kind = "user", .reporter = user, .accused = user, .reason = "a reason"};
    const struct application_row application = {.kind = APPLICATION_CORRECTION,
                                                .state = APPLICATION_WAITING,
                                                .user = user,
                                                .school = school_of_class(c->tx->db, 1),
                                                .child = user,
                                                .person = {"Olya", "Old", "", DAY_EVER, ""}};
    struct media_row file = {.user = user, .whole = true, .bytes = 1, .type = "image/png", .name = "a.png"};
    fixture_acts(c->tx);
    struct pusher_row pusher = {.user = user,
                                .device = devices_insert(c->tx, user, "DEVICE", NULL, NULL),
                                .app_id = "app",
                                .pushkey = "key",
                                .kind = PUSHER_HTTP,
                                .app_name = "App",
                                .device_name = "Phone",
                                .lang = "ru",
                                .data = "{}",
                                .gateway = "https://push.example"};
    const struct thread_subscription_row thread = {
        .root = events_last_pos(c->tx->db, 1, INT64_MAX), .room = 1, .state = THREAD_MANUAL};
    const struct second_factor_row factor = {.set_ms = c->tx->now_ms, .last_step = -1};
    return second_factors_set(c->tx, user, &factor) && thread_subscriptions_put(c->tx, user, &thread) &&
           media_insert(c->tx, &file) && contact_rows_insert(c->tx, &contact) &&
           identities_insert(c->tx, user, &identity) && pusher.device != 0 && pushers_put(c->tx, &pusher) &&
           key_backups_make(c->tx, user, "org.example.backup", "{}") != 0 &&
           account_data_put(c->tx, user, 0, "org.example", "{}") && reports_insert(c->tx, &report) != 0 &&
           applications_insert(c->tx, &application) != 0;
}

/* What a section's heading names is in each of its rows, and nothing else but whose it is. */
static void sections_are_whole(struct world *w, user_no user, user_no parent)
{
    for (int i = 0; i < EXPORT_SECTIONS_COUNT; ++i) {
        const struct export_section *section = &EXPORT_SECTIONS[i];
        json_t *rows = section->rows(w->f.db, strcmp(section->name, "children") == 0 ? parent : user), *row;
        size_t k, n = 0;
        while (n < EXPORT_COLUMNS_MAX && section->columns[n] != NULL)
            ++n;
        if (json_array_size(rows) == 0)
            fail_msg("%s has no row", section->name);
        json_array_foreach(rows, k, row) {
            assert_int_equal(json_object_size(row), n + section->of_schools);
            assert_true(json_is_integer(json_object_get(row, SECTION_SCHOOL_NO)) == section->of_schools);
            for (size_t c = 0; c < n; ++c)
                if (json_object_get(row, section->columns[c]) == NULL)
                    fail_msg("%s: no %s", section->name, section->columns[c]);
        }
        json_decref(rows);
    }
}

static void test_g4_export(void **state)
{
    struct world w;
    struct error e;
    struct text zip = TEXT_INIT;
    world_start(&w);
    user_no mother = world_person(&w, (struct world_person){"Maria", "Old", NULL, w.school, ROLE_STAFF});
    assert_true(world_run(&w, 0, act_kin, &(struct kin){w.old, mother}, &e));
    assert_true(world_run(&w, 0, act_keep_everything, &w.old, &e));
    sections_are_whole(&w, w.old, mother);
    room_no room = roster_room(&w, w.fifth, ROOM_CLASS);
    assert_true(says(&w, room, w.old, "x < y & z", &e));
    assert_true(says(&w, room, w.class_teacher, "not mine", &e));

    assert_true(exports(&w, w.old, w.old, &zip, &e));
    char *index = file_in(&zip, "index.html"), *data = file_in(&zip, "data.json"), *page = NULL;
    assert_non_null(strstr(index, "Olya"));
    assert_non_null(strstr(index, "School 1"));
    assert_non_null(strstr(data, "\"x < y & z\""));
    assert_null(strstr(data, "not mine"));
    for (int i = 1; page == NULL && i < 30; ++i) {
        char name[32];
        snprintf(name, sizeof name, "rooms/%d.html", i);
        page = file_in(&zip, name);
    }
    assert_non_null(page);
    assert_non_null(strstr(page, "x &lt; y &amp; z"));
    free(index);
    free(data);
    free(page);
    text_clear(&zip);

    /* D8: a guardian gets the child's data, but not what the child wrote. */
    assert_true(exports(&w, mother, w.old, &zip, &e));
    data = file_in(&zip, "data.json");
    assert_non_null(strstr(data, "Olya"));
    assert_null(strstr(data, "x < y"));
    free(data);
    text_clear(&zip);

    assert_false(exports(&w, w.teacher, w.old, &zip, &e));
    assert_false(exports(&w, w.young, w.old, &zip, &e));
    assert_false(exports(&w, w.other_admin, w.old, &zip, &e));
    text_finish(&zip);
    world_stop(&w);
}

/* --- G4: erasure --- */

static bool act_erase(struct changing_records *c, void *arg)
{
    return erasure_begin(c, *(user_no *)arg);
}

static int events_with(struct world *w, room_no room, const char *needle)
{
    struct event_row row;
    int n = 0;
    struct stmt *q = events_forwards(w->f.db, room, 0, INT64_MAX, INT64_MAX);
    while (events_next(q, &row))
        n += strstr(row.content, needle) != NULL;
    stmt_end(q);
    return n;
}

/* As when a roster took them out of school (G5). */
static bool act_take(struct changing_records *c, void *arg)
{
    user_no user = *(user_no *)arg;
    const struct contact_row contact = {"email", "taken@example.org", user, 1, 1};
    return contact_rows_insert(c->tx, &contact) && taken_contacts_put(c->tx, user) &&
           taken_state_put(c->tx, user, ACCOUNT_SUSPENDED) && taken_person(c->tx, user) &&
           taken_members_put(c->tx, &(struct taken_member_row){1, user, MEMBERSHIP_JOIN});
}

static bool is_kept(struct world *w, user_no user)
{
    enum account_state state;
    struct taken_contact_row row;
    struct stmt *q = taken_contacts(w->f.db, user);
    bool kept = taken_contacts_next(q, &row);
    stmt_end(q);
    return kept || taken_state(w->f.db, user, &state) || taken_records_any(w->f.db) ||
           taken_members_has(w->f.db, 1, user);
}

static void test_g4_erasure(void **state)
{
    struct world w;
    struct error e;
    world_start(&w);
    room_no room = roster_room(&w, w.fifth, ROOM_CLASS);
    for (int i = 0; i < 450; ++i) /* more than one job's worth */
        assert_true(says(&w, room, w.old, "erase me", &e));
    assert_true(says(&w, room, w.class_teacher, "keep me", &e));
    assert_int_equal(events_with(&w, room, "erase me"), 450);
    assert_true(events_with(&w, room, "Olya") > 0);
    assert_false(world_run(&w, w.teacher, act_erase, &w.old, &e));
    assert_false(world_run(&w, w.other_admin, act_erase, &w.old, &e));

    assert_true(world_run(&w, 0, act_take, &w.old, &e));
    assert_true(is_kept(&w, w.old));

    assert_true(world_run(&w, w.old, act_erase, &w.old, &e));
    assert_string_equal(world_account_state(&w, w.old), "locked"); /* at once */
    assert_false(world_run(&w, 0, act_erase, &w.old, &e));         /* it is under way */
    assert_true(erasure_step(w.f.writer, w.f.rooms));
    fixture_restart(&w.f); /* and goes on after a restart */
    world_accounts(&w, "registration: {mode: token}\n");
    while (erasure_step(w.f.writer, w.f.rooms))
        continue;
    assert_true(erasures_is_done(w.f.db, w.old));
    assert_false(is_kept(&w, w.old));
    assert_int_equal(events_with(&w, room, "erase me"), 0);
    assert_int_equal(events_with(&w, room, "keep me"), 1);
    assert_int_equal(events_with(&w, room, "Olya"), 0);
    assert_false(joined(&w, room, w.old));
    assert_string_equal(world_account_state(&w, w.old), "left");
    struct person_row row;
    assert_true(people_get(w.f.db, w.old, &row));
    assert_string_equal(row.given, "");
    assert_string_equal(row.family, "");
    assert_int_equal(row.birth, DAY_EVER);
    person_row_finish(&row);
    world_stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e6_documents),
        cmocka_unit_test(test_e8_association),
        cmocka_unit_test(test_e5_a_club_has_an_owner),
        cmocka_unit_test(test_g3_year),
        cmocka_unit_test(test_g4_export),
        cmocka_unit_test(test_g4_erasure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
