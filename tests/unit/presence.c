/* Presence: who is told what of whom, and when nobody asks any more. */
#include "tests/unit/sync_world.h"

#include <unistd.h>

#include "homeserver/base/clock.h"
#include "homeserver/sync/presence.h"

struct people {
    struct world w;
    struct presence *presence;
    struct filter *everything;
    user_no anna, boris, stranger;
};

static int setup(void **state)
{
    struct people *p = xcalloc(1, sizeof *p);
    world_start(&p->w);
    p->presence = p->w.sync->presence = presence_create(p->w.f.writer);
    p->everything = world_filter(NULL);
    p->anna = fixture_user(&p->w.f, "anna");
    p->boris = fixture_user(&p->w.f, "boris");
    p->stranger = fixture_user(&p->w.f, "stranger");
    room_no room = fixture_room(&p->w.f, p->anna, "12", PRESET_PUBLIC_CHAT, NULL);
    assert_true(fixture_member(&p->w.f, room, ACT_JOIN, p->boris, p->boris, NULL));
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct people *p = *state;
    filter_unref(p->everything);
    world_stop(&p->w);
    free(p);
    return 0;
}

/* What user hears of others: {user id: content}. */
static json_t *heard(struct people *p, user_no user, const char *user_id, stream_pos *since)
{
    json_t *said = json_object(), *event;
    size_t i;
    struct sync_request ask = {user, user, user_id, *since, false, false, p->everything};
    json_t *answer = world_sync(&p->w, &ask, since, NULL);
    json_array_foreach(world_events(answer, "presence"), i, event)
        json_object_set(said, json_get_string(event, "sender"), json_object_get(event, "content"));
    json_decref(answer);
    return said;
}

static const char *state_of(json_t *said, const char *user_id)
{
    return json_get_string(json_get_object(said, user_id), "presence");
}

/* Until Boris would be told that of Anna, at the latest by the next turn. */
static void until_told(struct people *p, enum presence_state what)
{
    for (int64_t end = clock_mono_ms() + 60000;;) {
        bool told = false;
        struct presence_list list;
        presence_changed(p->presence, 1, INT64_MAX, &list);
        for (size_t i = 0; i < list.n; ++i)
            told |= list.of[i].user == p->anna && list.of[i].state == what;
        presence_list_finish(&list);
        if (told)
            return;
        assert_true(clock_mono_ms() < end);
        usleep(10000);
    }
}

static void those_who_share_a_room_hear_of_it(void **state)
{
    struct people *p = *state;
    struct error e;
    stream_pos boris = 0, stranger = 0;
    json_decref(heard(p, p->boris, "@boris:school.example", &boris));
    json_decref(heard(p, p->stranger, "@stranger:school.example", &stranger));
    assert_true(presence_set(p->presence, p->anna, 1, PRESENCE_ONLINE, "in class", &e));
    assert_true(hub_last_change(p->w.hub, p->boris) > boris);
    assert_true(hub_last_change(p->w.hub, p->stranger) <= stranger);
    json_t *said = heard(p, p->boris, "@boris:school.example", &boris);
    assert_string_equal(state_of(said, "@anna:school.example"), "online");
    assert_string_equal(json_get_string(json_get_object(said, "@anna:school.example"), "status_msg"), "in class");
    json_decref(said);
    said = heard(p, p->boris, "@boris:school.example", &boris); /* once */
    assert_int_equal(json_object_size(said), 0);
    json_decref(said);
    said = heard(p, p->stranger, "@stranger:school.example", &stranger);
    assert_int_equal(json_object_size(said), 0);
    json_decref(said);
    boris = 0;
    said = heard(p, p->boris, "@boris:school.example", &boris); /* and at the beginning */
    assert_string_equal(state_of(said, "@anna:school.example"), "online");
    json_decref(said);
}

static void syncing_makes_one_online_and_its_end_offline(void **state)
{
    struct people *p = *state;
    stream_pos boris = 0;
    assert_false(
        presence_asks(p->presence, p->anna, 1, PRESENCE_ONLINE, 1000)); /* news: somebody who may block must tell */
    presence_arrive(p->presence, p->anna, 1, PRESENCE_ONLINE, 1000);
    assert_true(presence_asks(p->presence, p->anna, 1, PRESENCE_ONLINE, 1000));
    json_t *said = heard(p, p->boris, "@boris:school.example", &boris);
    assert_string_equal(state_of(said, "@anna:school.example"), "online");
    json_decref(said);
    usleep(1010000);
    struct presence_status status = presence_get(p->presence, p->anna);
    assert_int_equal(status.state, PRESENCE_OFFLINE);
    free(status.status_msg);
}

/* Each of two devices says something else: a poll wakes the other's only while the person changes by it. */
static void a_person_is_the_most_present_of_their_devices(void **state)
{
    struct people *p = *state;
    presence_arrive(p->presence, p->anna, 1, PRESENCE_ONLINE, 60000);
    stream_pos told = hub_last_change(p->w.hub, p->boris);
    for (int i = 0; i < 1000; ++i) {
        assert_true(presence_asks(p->presence, p->anna, 1, PRESENCE_ONLINE, 60000));
        assert_true(presence_asks(p->presence, p->anna, 2, PRESENCE_UNAVAILABLE, 60000));
        assert_int_equal(presence_get(p->presence, p->anna).state, PRESENCE_ONLINE);
    }
    for (device_no device = 10; device < 10 + 3 * PRESENCE_DEVICES_MAX; ++device)
        presence_asks(p->presence, p->anna, device, PRESENCE_UNAVAILABLE, 60000);
    assert_int_equal(hub_last_change(p->w.hub, p->boris), told);
    presence_asks(p->presence, p->anna, 1, PRESENCE_ONLINE, 100);
    until_told(p, PRESENCE_UNAVAILABLE); /* the first device is missed, the others are there */
    assert_true(hub_last_change(p->w.hub, p->boris) > told);
}

/* One device that says something else each time: what it comes to is told, and seldom. */
static void changing_ones_mind_at_each_poll_is_told_seldom(void **state)
{
    struct people *p = *state;
    stream_pos told = hub_last_change(p->w.hub, p->boris), last = told;
    int times = 0, unavailable = 0;
    for (; unavailable < 201; ++unavailable) {
        enum presence_state says = unavailable % 2 == 0 ? PRESENCE_UNAVAILABLE : PRESENCE_ONLINE;
        if (!presence_asks(p->presence, p->anna, 1, says, 60000))
            presence_arrive(p->presence, p->anna, 1, says, 60000);
        told = hub_last_change(p->w.hub, p->boris);
        times += told != last;
        last = told;
    }
    assert_in_range(times, 1, 2); /* the turn may fall in here */
    until_told(p, presence_get(p->presence, p->anna).state);
}

static void what_is_said_again_is_told_once(void **state)
{
    struct people *p = *state;
    struct error e;
    assert_true(presence_set(p->presence, p->anna, 1, PRESENCE_ONLINE, "in class", &e));
    stream_pos told = hub_last_change(p->w.hub, p->boris);
    for (device_no device = 1; device < 5; ++device)
        assert_true(presence_set(p->presence, p->anna, device, PRESENCE_ONLINE, "in class", &e));
    assert_int_equal(hub_last_change(p->w.hub, p->boris), told);
    assert_true(presence_set(p->presence, p->anna, 1, PRESENCE_ONLINE, "at home", &e));
    assert_true(hub_last_change(p->w.hub, p->boris) > told);
}

/* Presence of people whom one meets is told, to both sides and once, though nothing of it has changed. */
static void who_is_met_is_told_of_once(void **state)
{
    struct people *p = *state;
    static const char *const IDS[] = {"@anna:school.example", "@boris:school.example", "@stranger:school.example"};
    user_no users[] = {p->anna, p->boris, p->stranger};
    stream_pos since[] = {0, 0, 0};
    for (int i = 0; i < 3; ++i)
        presence_arrive(p->presence, users[i], 1, PRESENCE_ONLINE, 60000);
    for (int i = 0; i < 3; ++i)
        json_decref(heard(p, users[i], IDS[i], &since[i]));
    for (int round = 0; round < 3; ++round) { /* nothing yet; they meet; and in a second room, too */
        room_no room = round == 0 ? 0 : fixture_room(&p->w.f, p->anna, "12", PRESET_PUBLIC_CHAT, NULL);
        for (int i = 1; round != 0 && i < 3; ++i)
            assert_true(fixture_member(&p->w.f, room, ACT_JOIN, users[i], users[i], NULL));
        for (int i = 0; i < 3; ++i) {
            json_t *said = heard(p, users[i], IDS[i], &since[i]);
            for (int k = 0; k < 3; ++k) {
                bool met = round == 1 && i != k && (i == 2 || k == 2);
                assert_int_equal(state_of(said, IDS[k]) != NULL, met);
                if (met)
                    assert_string_equal(state_of(said, IDS[k]), "online");
            }
            json_decref(said);
            said = heard(p, users[i], IDS[i], &since[i]);
            assert_int_equal(json_object_size(said), 0);
            json_decref(said);
        }
    }
}

static void who_sends_an_event_is_there(void **state)
{
    struct people *p = *state;
    struct error e;
    struct change event = {.kind = CHANGE_EVENT, .user = p->anna}, typing = {.kind = CHANGE_TYPING, .user = p->anna};
    assert_true(presence_set(p->presence, p->anna, 1, PRESENCE_ONLINE, NULL, &e));
    usleep(1000000);
    presence_observe(p->presence, &typing, 1);
    assert_true(presence_get(p->presence, p->anna).last_active_ago_ms >= 1000);
    presence_observe(p->presence, &event, 1);
    assert_true(presence_get(p->presence, p->anna).last_active_ago_ms < 1000);
    assert_int_equal(presence_get(p->presence, p->stranger).last_active_ago_ms, -1);
}

static void names_are_those_of_the_specification(void **state)
{
    enum presence_state out;
    assert_true(presence_state_from("online", &out) && out == PRESENCE_ONLINE);
    assert_true(presence_state_from("unavailable", &out) && out == PRESENCE_UNAVAILABLE);
    assert_true(presence_state_from("offline", &out) && out == PRESENCE_OFFLINE);
    assert_false(presence_state_from("busy", &out));
    assert_false(presence_state_from(NULL, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_who_share_a_room_hear_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(syncing_makes_one_online_and_its_end_offline, setup, teardown),
        cmocka_unit_test_setup_teardown(a_person_is_the_most_present_of_their_devices, setup, teardown),
        cmocka_unit_test_setup_teardown(changing_ones_mind_at_each_poll_is_told_seldom, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_said_again_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_met_is_told_of_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_sends_an_event_is_there, setup, teardown),
        cmocka_unit_test(names_are_those_of_the_specification),
    };
    return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
