/* What an application service is told of, and asked for: every kind of news by every door, of people and rooms of the
 * schools that its registration names, and of no others (school.md A1), and of nobody whom its
 * user is kept from (D9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "appservice/interest.h"
#include "appservice/registration.h"
#include "appservice/transaction_body.h"
#include "homeserver/base/days.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/store/matrix/appservices.h"
#include "homeserver/store/matrix/device_keys.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/to_device.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/schools.h"
#include "tests/unit/fixture.h"

enum school { ONE, TWO, SCHOOLS };
static const char *const NAMES[SCHOOLS] = {"one", "two"};

static struct world {
    struct fixture f;
    user_no bot, people[SCHOOLS];
    char ids[SCHOOLS][64];
    school_no schools[SCHOOLS];
    room_no rooms[SCHOOLS];
    stream_pos said[SCHOOLS];
} w;

static bool put_person(struct tx *tx, user_no user, const char *name, enum school school, enum school_role role)
{
    const struct person_row person = {.no = user,
                                      .sourced_id = name,
                                      .given = name,
                                      .family = "",
                                      .middle = "",
                                      .enabled = true,
                                      .source = "test",
                                      .version = 1};
    return people_put(tx->db, &person) &&
           roles_put(tx->db, &(struct role_row){user, w.schools[school], role, DAY_EVER, DAY_NEVER, "test"});
}

/* The rooms were made where there are no schools; now each is one's. */
static bool job_schools(struct tx *tx, void *arg, struct error *e)
{
    bool good = true;
    fixture_acts(tx);
    for (int i = 0; i < SCHOOLS; ++i) {
        w.schools[i] = schools_put(
            tx->db, &(struct school_row){.sourced_id = NAMES[i], .name = NAMES[i], .source = "test", .version = 1});
        good = good && room_schools_put(tx->db, w.rooms[i], w.schools[i]) &&
               put_person(tx, w.people[i], NAMES[i], i, ROLE_PUPIL);
    }
    return good && appservice_users_put(tx, "irc", w.bot);
}

/* Of each: a key that changed, a message to the bot's device. */
static bool job_news(struct tx *tx, void *arg, struct error *e)
{
    device_no phone = devices_insert(tx, w.bot, "BOT", NULL, "");
    bool good = phone != 0;
    for (int i = 0; i < SCHOOLS; ++i)
        good = good && device_lists_changed(tx, w.people[i]) &&
               to_device_put(tx, w.bot, phone, w.people[i], "org.example.hush", "{}");
    return good;
}

static bool job_custody(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    return put_person(tx, w.bot, "bot", ONE, ROLE_GUARDIAN) &&
           guardianships_put(tx->db,
                             &(struct guardianship_row){.child = w.people[ONE], .guardian = w.bot, .source = "test"}) &&
           custodies_set(tx, w.people[ONE], w.bot, CUSTODY_NO_CONTACT);
}

static int start(void **state)
{
    struct appended sent;
    struct error e;
    fixture_start(&w.f);
    w.bot = fixture_user(&w.f, "_bot");
    for (int i = 0; i < SCHOOLS; ++i) {
        w.people[i] = fixture_user(&w.f, NAMES[i]);
        snprintf(w.ids[i], sizeof w.ids[i], "@%s:school.example", NAMES[i]);
        w.rooms[i] = fixture_room(&w.f, w.people[i], "11", PRESET_PUBLIC_CHAT, NULL);
        assert_true(fixture_member(&w.f, w.rooms[i], ACT_JOIN, w.bot, w.bot, NULL));
        assert_true(fixture_send(&w.f, w.rooms[i], w.people[i], "m.room.encryption", "",
                                 "{\"algorithm\":\"m.megolm.v1.aes-sha2\"}", NULL, NULL, NULL));
        assert_true(fixture_send(&w.f, w.rooms[i], w.people[i], "m.room.message", NULL,
                                 "{\"body\":\"x\",\"msgtype\":\"m.text\"}", NULL, &sent, NULL));
        w.said[i] = sent.pos;
    }
    assert_true(writer_run(w.f.writer, job_schools, NULL, &e));
    assert_true(writer_run(w.f.writer, job_news, NULL, &e));
    return 0;
}

static int stop(void **state)
{
    fixture_stop(&w.f);
    return 0;
}

static struct registration_file *naming(const char *schools)
{
    struct text yaml = TEXT_INIT, problem = TEXT_INIT;
    text_addf(&yaml,
              "id: irc\nurl: http://127.0.0.1:1\nsender_localpart: _bot\nas_token: as-token-of-the-test\n"
              "hs_token: hs-token-of-the-test\nnamespaces: {users: [{exclusive: true, regex: '@_irc_.*'}]}\n"
              "receive_ephemeral: true\norg.matrix.msc3202: true\norg.parta.schools: [%s]\n",
              schools);
    struct registration_file *file = registration_parse("irc.yaml", yaml.data, yaml.len,
                                                        &(struct registration_place){"school.example", true}, &problem);
    if (file == NULL)
        fail_msg("%s", problem.data);
    text_finish(&yaml);
    text_finish(&problem);
    return file;
}

/* Every door by which a service hears of a school's people and rooms: whether it does. */
enum door {
    EVENT,      /* events of a transaction */
    ROOM,       /* typing, receipts */
    PRESENCE,   /* of somebody */
    RECEIPT_OF, /* a sign of somebody's life in a room */
    KEYS,       /* device_lists.changed: their keys changed */
    NEWCOMERS,  /* device_lists.changed: who came to a room with it */
    TO_DEVICE,  /* what they send to its devices */
    EXPLAIN,    /* what explain says of the room */
    ASKED,      /* it is asked for users, aliases and networks on their behalf */
    DOORS
};

static bool in_text(const struct text *text, const char *word)
{
    return text->data != NULL && strstr(text->data, word) != NULL;
}

static void walk(const char *schools, bool school_mode, bool heard[SCHOOLS][DOORS])
{
    struct registration_file *file = naming(schools);
    struct interest interest = {
        .service = file, .db = w.f.db, .names = w.f.names, .school_mode = school_mode, .from = 0};
    const struct transaction_range range = {w.f.db, file, 0, INT64_MAX, &interest};
    struct transaction_body keys, rooms;
    transaction_body_init(&keys, w.f.names);
    transaction_body_init(&rooms, w.f.names);
    transaction_body_add_messages(&keys, &range);
    transaction_body_add_keys(&keys, &range);
    for (int i = 0; i < SCHOOLS; ++i) {
        struct event_row *row = event_at(w.f.db, w.said[i]);
        heard[i][EVENT] = interest_in_event(&interest, row);
        free(row);
        heard[i][ROOM] = interest_in_room(&interest, w.rooms[i]);
        heard[i][RECEIPT_OF] = heard[i][ROOM] && interest_sees(&interest, w.people[i]);
        heard[i][PRESENCE] =
            interest_sees(&interest, w.people[i]) && interest_in_user(&interest, w.people[i], w.ids[i]);
        heard[i][KEYS] = json_object_get(keys.changed, w.ids[i]) != NULL;
        heard[i][TO_DEVICE] = in_text(&keys.to_device, w.ids[i]);
        heard[i][EXPLAIN] = interest_may_see(file, w.f.db, school_mode, w.rooms[i]);
        heard[i][ASKED] = interest_serves(file, w.f.db, school_mode, w.people[i]);
        struct stmt *q = events_state_get(w.f.db, w.rooms[i], "m.room.encryption", "");
        struct event_row encryption;
        assert_true(events_next(q, &encryption));
        row = event_hold(&encryption);
        stmt_end(q);
        if (interest_in_event(&interest, row))
            transaction_body_add_event(&rooms,
                                       &(struct render){.db = w.f.db,
                                                        .names = w.f.names,
                                                        .room_id = interest_room_id(&interest, w.rooms[i]),
                                                        .plain = true},
                                       row);
        free(row);
    }
    json_object_clear(rooms.changed);
    transaction_body_add_keys(&rooms, &(struct transaction_range){w.f.db, file, 0, 1, &interest}); /* no news of keys */
    for (int i = 0; i < SCHOOLS; ++i)
        heard[i][NEWCOMERS] = json_object_get(rooms.changed, w.ids[i]) != NULL;
    transaction_body_finish(&keys);
    transaction_body_finish(&rooms);
    interest_finish(&interest);
    registration_free(file);
}

static void expect(const char *schools, bool school_mode, enum school of, bool hears)
{
    static const char *const DOOR_NAMES[DOORS] = {"events", "typing and receipts", "presence",  "signs of life",
                                                  "keys",   "newcomers",           "to-device", "explain",
                                                  "asked"};
    bool heard[SCHOOLS][DOORS];
    walk(schools, school_mode, heard);
    for (int door = 0; door < DOORS; ++door)
        if (heard[of][door] != hears)
            fail_msg("a registration that names [%s] %s of school %s by %s", schools,
                     hears ? "hears nothing" : "is told", NAMES[of], DOOR_NAMES[door]);
}

static void a1_of_the_schools_that_the_registration_names(void **state)
{
    expect("one", true, ONE, true);
    expect("one", true, TWO, false);
    expect("two", true, ONE, false);
    expect("two", true, TWO, true);
    expect("one, two", true, ONE, true);
    expect("one, two", true, TWO, true);
    expect("", true, ONE, false);
    expect("three", true, TWO, false);
    expect("", false, ONE, true); /* where there are no schools */
}

static bool job_both(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    return room_schools_put(tx->db, w.rooms[ONE], w.schools[TWO]);
}

static bool job_one_again(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    return room_schools_delete(tx->db, w.rooms[ONE], w.schools[TWO]);
}

/* A room of two schools is for who may be told of both; a person of one is asked for all the same. */
static void a1_a_room_of_two_schools(void **state)
{
    bool heard[SCHOOLS][DOORS];
    struct error e;
    assert_true(writer_run(w.f.writer, job_both, NULL, &e));
    walk("one", true, heard);
    for (int door = 0; door < DOORS; ++door)
        assert_int_equal(heard[ONE][door], door == ASKED);
    expect("one, two", true, ONE, true);
    assert_true(writer_run(w.f.writer, job_one_again, NULL, &e));
    expect("one", true, ONE, true);
}

/* What is no sign of life of theirs is told on: events of a room that both are in, and that the room is there. */
static void d9_of_whom_its_user_is_kept_from(void **state)
{
    static const bool OF_LIFE[DOORS] = {
        [PRESENCE] = true, [RECEIPT_OF] = true, [KEYS] = true, [NEWCOMERS] = true, [TO_DEVICE] = true};
    bool heard[SCHOOLS][DOORS];
    struct error e;
    assert_true(writer_run(w.f.writer, job_custody, NULL, &e));
    walk("one, two", true, heard);
    for (int door = 0; door < DOORS; ++door) {
        assert_int_equal(heard[ONE][door], !OF_LIFE[door]);
        assert_true(heard[TWO][door]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a1_of_the_schools_that_the_registration_names),
        cmocka_unit_test(a1_a_room_of_two_schools),
        cmocka_unit_test(d9_of_whom_its_user_is_kept_from),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
