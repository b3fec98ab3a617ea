/* Presence: who is told what of whom, and when nobody asks any more. */
#include "tests/unit/sync_world.h"

#include <unistd.h>

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

static void those_who_share_a_room_hear_of_it(void **state)
{
    struct people *p = *state;
    struct error e;
    stream_pos boris = 0, stranger = 0;
    json_decref(heard(p, p->boris, "@boris:school.example", &boris));
    json_decref(heard(p, p->stranger, "@stranger:school.example", &stranger));
    assert_true(presence_set(p->presence, p->anna, PRESENCE_ONLINE, "in class", &e));
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
    assert_false(presence_asks(p->presence, p->anna, PRESENCE_ONLINE, 50)); /* news: somebody who may block must tell */
    presence_arrive(p->presence, p->anna, PRESENCE_ONLINE, 50);
    assert_true(presence_asks(p->presence, p->anna, PRESENCE_ONLINE, 50));
    assert_false(presence_asks(p->presence, p->anna, PRESENCE_UNAVAILABLE, 50));
    json_t *said = heard(p, p->boris, "@boris:school.example", &boris);
    assert_string_equal(state_of(said, "@anna:school.example"), "online");
    json_decref(said);
    usleep(60000);
    struct presence_status status = presence_get(p->presence, p->anna);
    assert_int_equal(status.state, PRESENCE_OFFLINE);
    free(status.status_msg);
}

static void who_sends_an_event_is_there(void **state)
{
    struct people *p = *state;
    struct error e;
    struct change event = {.kind = CHANGE_EVENT, .user = p->anna}, typing = {.kind = CHANGE_TYPING, .user = p->anna};
    assert_true(presence_set(p->presence, p->anna, PRESENCE_ONLINE, NULL, &e));
    usleep(30000);
    presence_observe(p->presence, &typing, 1);
    assert_true(presence_get(p->presence, p->anna).last_active_ago_ms >= 30);
    presence_observe(p->presence, &event, 1);
    assert_true(presence_get(p->presence, p->anna).last_active_ago_ms < 30);
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
        cmocka_unit_test_setup_teardown(who_sends_an_event_is_there, setup, teardown),
        cmocka_unit_test(names_are_those_of_the_specification),
    };
    return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
