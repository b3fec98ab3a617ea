/* The append pipeline in every room version: what lies is what was signed, and what was refused changed nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/rooms/pdu/pdu_row.h"
#include "homeserver/jobs/prune.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "tests/unit/fixture.h"

static struct fixture f;
static user_no anna, boris, vera;

static int setup(void **state)
{
    fixture_start(&f);
    anna = fixture_user(&f, "anna");
    boris = fixture_user(&f, "boris");
    vera = fixture_user(&f, "vera");
    return anna == 0 || boris == 0 || vera == 0;
}

static int teardown(void **state)
{
    fixture_stop(&f);
    return 0;
}

/* In federation format, as the specification has it looked at: the signature is made on the way out. */
static bool leaves_signed(stream_pos pos)
{
    struct pdu_row row;
    struct text text = TEXT_INIT;
    bool loaded = pdu_row_load(&row, f.db, f.names, &f.key, "school.example", pos);
    if (loaded)
        pdu_add_text(&text, &row.pdu, PDU_WHOLE);
    json_t *tree = json_loadb(text.data != NULL ? text.data : "", text.len, 0, NULL);
    bool good =
        loaded && tree != NULL && pdu_tree_verify(row.pdu.version, tree, "school.example", f.key.id, f.key.public);
    json_decref(tree);
    text_finish(&text);
    pdu_row_finish(&row);
    return good;
}

static int count_whole_events(room_no room)
{
    stream_pos positions[256];
    struct event_row row;
    int n = 0;
    struct stmt *q = events_forwards(f.db, room, 0, INT64_MAX, 256);
    while (events_next(q, &row))
        positions[n++] = row.pos;
    stmt_end(q);
    for (int i = 0; i < n; ++i)
        if (!pdu_row_check(f.db, f.names, &f.key, "school.example", positions[i]) || !leaves_signed(positions[i])) {
            print_message("event %d of %d is not whole\n", i, n);
            return -1;
        }
    return n;
}

static void every_event_of_every_version_reads_back_as_it_was_signed(void **state)
{
    for (size_t i = 0; room_version_at(i) != NULL; ++i) {
        const char *version = room_version_at(i)->name;
        struct appended message;
        room_no room = fixture_room(&f, anna, version, PRESET_PRIVATE_CHAT, NULL);
        assert_true(room != 0);
        assert_true(fixture_member(&f, room, ACT_INVITE, anna, boris, NULL));
        assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
        assert_true(fixture_send(&f, room, boris, "m.room.message", NULL,
                                 "{\"body\":\"Привет\",\"msgtype\":\"m.text\"}", NULL, &message, NULL));
        assert_true(fixture_send(&f, room, boris, "m.room.redaction", NULL, "{}", message.event_id, NULL, NULL));
        fixture_restart(&f); /* from here on the room is loaded from the database */
        assert_true(fixture_send(&f, room, anna, "m.room.topic", "", "{\"topic\":\"a\"}", NULL, NULL, NULL));
        assert_true(fixture_send(&f, room, anna, "m.room.topic", "", "{\"topic\":\"b\"}", NULL, NULL, NULL));
        int n = count_whole_events(room);
        if (n < 0)
            fail_msg("room version %s", version);
        assert_true(n >= 12);
    }
}

static void the_id_of_a_room_of_version_12_is_its_create_events_hash(void **state)
{
    struct event_row row;
    room_no room = fixture_room(&f, anna, "12", PRESET_PUBLIC_CHAT, NULL);
    char *id = rooms_id_of(f.db, room);
    struct stmt *q = events_forwards(f.db, room, 0, INT64_MAX, 1);
    assert_true(events_next(q, &row));
    assert_string_equal(row.type, "m.room.create");
    assert_string_equal(row.event_id + 1, id + 1);
    stmt_end(q);
    free(id);
}

static void a_redaction_strips_the_content_for_good(void **state)
{
    struct appended said;
    struct event_row row;
    struct error e;
    room_no room = fixture_room(&f, anna, "11", PRESET_PUBLIC_CHAT, NULL);
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    assert_true(fixture_member(&f, room, ACT_JOIN, vera, vera, NULL));
    assert_true(fixture_send(&f, room, boris, "m.room.message", NULL, "{\"body\":\"oops\"}", NULL, &said, NULL));
    assert_false(fixture_send(&f, room, vera, "m.room.redaction", NULL, "{}", said.event_id, NULL, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    struct stmt *q = events_by_pos(f.db, said.pos);
    assert_true(events_next(q, &row));
    assert_string_equal(row.content, "{\"body\":\"oops\"}"); /* another's event, no power: it stands */
    stmt_end(q);
    assert_true(fixture_send(&f, room, boris, "m.room.redaction", NULL, "{}", said.event_id, NULL, NULL));
    q = events_by_pos(f.db, said.pos);
    assert_true(events_next(q, &row));
    assert_string_equal(row.content, "{}");
    assert_true(row.redacted_by > said.pos);
    stmt_end(q);
}

/* What each act answers from each membership, in a private room of anna's. */
static void memberships_follow_the_rules(void **state)
{
    static const struct {
        enum membership before;
        enum act act;
        bool by_anna, allowed;
    } CASES[] = {
        {MEMBERSHIP_NONE, ACT_JOIN, false, false},   {MEMBERSHIP_NONE, ACT_KNOCK, false, false},
        {MEMBERSHIP_NONE, ACT_LEAVE, false, false},  {MEMBERSHIP_NONE, ACT_INVITE, true, true},
        {MEMBERSHIP_NONE, ACT_KICK, true, false},    {MEMBERSHIP_NONE, ACT_UNBAN, true, false},
        {MEMBERSHIP_NONE, ACT_BAN, true, true},      {MEMBERSHIP_INVITE, ACT_JOIN, false, true},
        {MEMBERSHIP_INVITE, ACT_LEAVE, false, true}, {MEMBERSHIP_INVITE, ACT_KICK, true, true},
        {MEMBERSHIP_JOIN, ACT_JOIN, false, true},    {MEMBERSHIP_JOIN, ACT_LEAVE, false, true},
        {MEMBERSHIP_JOIN, ACT_INVITE, true, false},  {MEMBERSHIP_JOIN, ACT_KICK, true, true},
        {MEMBERSHIP_JOIN, ACT_BAN, true, true},      {MEMBERSHIP_BAN, ACT_JOIN, false, false},
        {MEMBERSHIP_BAN, ACT_INVITE, true, false},   {MEMBERSHIP_BAN, ACT_UNBAN, true, true},
        {MEMBERSHIP_BAN, ACT_LEAVE, false, false},   {MEMBERSHIP_JOIN, ACT_BAN, false, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        room_no room = fixture_room(&f, anna, "12", PRESET_PRIVATE_CHAT, NULL);
        if (CASES[i].before == MEMBERSHIP_INVITE || CASES[i].before == MEMBERSHIP_JOIN)
            assert_true(fixture_member(&f, room, ACT_INVITE, anna, boris, NULL));
        if (CASES[i].before == MEMBERSHIP_JOIN)
            assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
        if (CASES[i].before == MEMBERSHIP_BAN)
            assert_true(fixture_member(&f, room, ACT_BAN, anna, boris, NULL));
        bool own = CASES[i].act == ACT_BAN && !CASES[i].by_anna;
        bool done = fixture_member(&f, room, CASES[i].act, CASES[i].by_anna ? anna : boris, own ? anna : boris, NULL);
        if (done != CASES[i].allowed)
            fail_msg("case %zu", i);
        if (!done)
            assert_int_equal(memberships_of(f.db, room, boris), CASES[i].before);
        size_t n;
        free(memberships_users(f.db, room, MEMBERSHIP_JOIN, &n));
        assert_int_equal(memberships_count(f.db, room, MEMBERSHIP_JOIN), n); /* the derived number is the true one */
    }
}

static void a_refused_event_leaves_no_trace(void **state)
{
    struct error e;
    room_no room = fixture_room(&f, anna, "12", PRESET_PUBLIC_CHAT, NULL);
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    int before = count_whole_events(room);
    assert_false(fixture_send(&f, room, boris, "m.room.name", "", "{\"name\":\"mine\"}", NULL, NULL, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_false(fixture_send(&f, room, vera, "m.room.message", NULL, "{\"body\":\"hi\"}", NULL, NULL, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_false(fixture_send(&f, room, anna, "m.room.message", NULL, "{\"n\":1.5}", NULL, NULL, &e));
    assert_int_equal(e.code, ERROR_BAD_JSON);
    assert_int_equal(count_whole_events(room), before);
    assert_true(fixture_send(&f, room, boris, "m.room.message", NULL, "{\"body\":\"hi\"}", NULL, NULL, &e));
    assert_int_equal(count_whole_events(room), before + 1);
}

static void the_size_limits_hold(void **state)
{
    struct error e;
    room_no room = fixture_room(&f, anna, "12", PRESET_PUBLIC_CHAT, NULL);
    char *content = malloc(70000), type[300];
    memset(content, 'x', 70000);
    memcpy(content, "{\"body\":\"", 9);
    strcpy(content + 66000, "\"}");
    assert_false(fixture_send(&f, room, anna, "m.room.message", NULL, content, NULL, NULL, &e));
    assert_int_equal(e.code, ERROR_TOO_LARGE);
    strcpy(content + 60000, "\"}");
    assert_true(fixture_send(&f, room, anna, "m.room.message", NULL, content, NULL, NULL, &e));
    memset(type, 't', 256);
    type[256] = '\0';
    assert_false(fixture_send(&f, room, anna, type, NULL, "{}", NULL, NULL, &e));
    assert_int_equal(e.code, ERROR_TOO_LARGE);
    free(content);
}

/* A failing database in the middle of createRoom: there is a whole room or none. */
static void a_room_is_made_whole_or_not_at_all(void **state)
{
    int made = 0, refused = 0;
    for (int n = 1; n < 400; n += 7) {
        db_fail_after(writer_db_for_tests(f.writer), n);
        room_no room = fixture_room(&f, anna, "12", PRESET_PRIVATE_CHAT, NULL);
        db_fail_after(writer_db_for_tests(f.writer), 0);
        made += room != 0;
        refused += room == 0;
        if (room != 0)
            assert_true(count_whole_events(room) >= 6);
    }
    assert_true(refused > 0 && made > 0);
    room_no after = fixture_room(&f, anna, "12", PRESET_PRIVATE_CHAT, NULL);
    assert_true(count_whole_events(after) >= 6);
}

static int64_t remembered(void)
{
    enum { HOW_MANY };
    static const struct statement TEXTS[] = {[HOW_MANY] = "SELECT count(*) FROM transactions"};
    static const struct statements COUNTING = {"counting", TEXTS, 1};
    return db_int(f.db, &COUNTING, HOW_MANY, -1, "");
}

struct aging {
    room_no room;
    device_no device;
};

static bool send_with_id(struct tx *tx, void *arg, struct error *e)
{
    struct aging *a = arg;
    struct room *room = room_open(f.rooms, tx, a->room);
    json_t *content = json_object();
    struct appended out;
    a->device = devices_insert(tx, anna, "phone", NULL, "127.0.0.1");
    struct draft draft = {.sender = anna,
                          .type = "m.room.message",
                          .content = content,
                          .device = a->device,
                          .txn_id = "new",
                          .about = "m.room.message"};
    bool done = a->device != 0 && append_event(room, tx, &draft, &out, e);
    json_decref(content);
    return done;
}

static void transaction_ids_are_forgotten_when_they_are_old(void **state)
{
    struct error e;
    struct aging a = {.room = fixture_room(&f, anna, "12", PRESET_PUBLIC_CHAT, NULL)};
    assert_true(writer_run(f.writer, send_with_id, &a, &e));
    assert_int_equal(remembered(), 1);
    assert_int_equal(prune_run(f.writer, NULL), 0);
    assert_int_equal(remembered(), 1);
    struct db *db = writer_db_for_tests(f.writer);
    assert_true(db_script(db, "UPDATE events SET ts = ts - 4 * 24 * 3600 * 1000"));
    assert_int_equal(prune_run(f.writer, NULL), 1);
    assert_int_equal(remembered(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_of_every_version_reads_back_as_it_was_signed),
        cmocka_unit_test(the_id_of_a_room_of_version_12_is_its_create_events_hash),
        cmocka_unit_test(a_redaction_strips_the_content_for_good),
        cmocka_unit_test(memberships_follow_the_rules),
        cmocka_unit_test(a_refused_event_leaves_no_trace),
        cmocka_unit_test(the_size_limits_hold),
        cmocka_unit_test(a_room_is_made_whole_or_not_at_all),
        cmocka_unit_test(transaction_ids_are_forgotten_when_they_are_old),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
