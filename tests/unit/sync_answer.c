/* An answer to /sync: one story a rule of the specification. */
#include "tests/unit/sync_world.h"

#include <unistd.h>

#include "homeserver/push/rules/document.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/device_keys.h"
#include "homeserver/store/driver/writer.h"

struct story {
    struct world w;
    user_no anna, boris, clara;
    room_no room;
    struct filter *everything;
};

static int setup(void **state)
{
    struct story *s = xcalloc(1, sizeof *s);
    world_start(&s->w);
    s->anna = fixture_user(&s->w.f, "anna");
    s->boris = fixture_user(&s->w.f, "boris");
    s->clara = fixture_user(&s->w.f, "clara");
    s->room = fixture_room(&s->w.f, s->anna, "12", PRESET_PUBLIC_CHAT, NULL);
    s->everything = world_filter(NULL);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct story *s = *state;
    filter_unref(s->everything);
    world_stop(&s->w);
    free(s);
    return 0;
}

static const char *id_of(const struct story *s, user_no user)
{
    return user == s->anna    ? "@anna:school.example"
           : user == s->boris ? "@boris:school.example"
                              : "@clara:school.example";
}

static struct sync_request ask_of(const struct story *s, user_no user, stream_pos since)
{
    return (struct sync_request){user, user, id_of(s, user), since, false, false, s->everything};
}

/* Syncs and moves *since on; the caller owns the answer. */
static json_t *sync_as(struct story *s, user_no user, stream_pos *since)
{
    struct sync_request ask = ask_of(s, user, *since);
    return world_sync(&s->w, &ask, since, NULL);
}

static json_t *sync_with(struct story *s, user_no user, stream_pos since, const char *filter)
{
    struct sync_request ask = ask_of(s, user, since);
    struct filter *parsed = world_filter(filter);
    ask.filter = parsed;
    json_t *answer = world_sync(&s->w, &ask, NULL, NULL);
    filter_unref(parsed);
    return answer;
}

static stream_pos now(struct story *s, user_no user)
{
    stream_pos since = 0;
    json_decref(sync_as(s, user, &since));
    return since;
}

static bool act(struct story *s, enum act what, user_no actor, user_no target)
{
    return fixture_member(&s->w.f, s->room, what, actor, target, NULL);
}

static json_t *event_of_type(json_t *events, const char *type)
{
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
        if (strcmp(json_get_string(event, "type"), type) == 0)
            return event;
    return NULL;
}

static json_t *joined(struct story *s, json_t *answer)
{
    return world_section(&s->w, answer, "join", s->room);
}

static size_t timeline_size(json_t *section)
{
    return json_array_size(world_events(section, "timeline"));
}

static void an_initial_sync_has_the_room_and_the_push_rules(void **state)
{
    struct story *s = *state;
    stream_pos since = 0;
    json_t *answer = sync_as(s, s->anna, &since), *room = joined(s, answer);
    assert_non_null(event_of_type(world_events(room, "timeline"), "m.room.create"));
    assert_int_equal(json_array_size(world_events(room, "state")), 0); /* all of it is in the timeline */
    assert_null(json_get_string(json_get_object(room, "timeline"), "prev_batch"));
    assert_int_equal(json_get_int(json_get_object(room, "summary"), "m.joined_member_count", 0), 1);
    assert_non_null(event_of_type(world_events(answer, "account_data"), PUSH_RULES_TYPE));
    assert_non_null(json_get_array(answer, "device_unused_fallback_key_types"));
    json_decref(answer);
}

static void a_limited_timeline_leaves_the_state_at_its_start(void **state)
{
    struct story *s = *state;
    fixture_send(&s->w.f, s->room, s->anna, "m.room.topic", "", "{\"topic\":\"old\"}", NULL, NULL, NULL);
    fixture_send(&s->w.f, s->room, s->anna, "m.room.topic", "", "{\"topic\":\"new\"}", NULL, NULL, NULL);
    json_t *answer = sync_with(s, s->anna, 0, "{\"room\":{\"timeline\":{\"limit\":1}}}"), *room = joined(s, answer);
    json_t *topic = event_of_type(world_events(room, "state"), "m.room.topic");
    assert_int_equal(timeline_size(room), 1);
    assert_true(json_is_true(json_object_get(json_get_object(room, "timeline"), "limited")));
    assert_string_equal(json_get_string(json_get_object(topic, "content"), "topic"), "old");
    json_decref(answer);
}

static void state_after_has_the_state_at_the_end(void **state)
{
    struct story *s = *state;
    struct sync_request ask = ask_of(s, s->anna, 0);
    fixture_send(&s->w.f, s->room, s->anna, "m.room.topic", "", "{\"topic\":\"new\"}", NULL, NULL, NULL);
    ask.use_state_after = true;
    json_t *answer = world_sync(&s->w, &ask, &ask.since, NULL), *room = joined(s, answer);
    assert_null(json_object_get(room, "state"));
    assert_non_null(event_of_type(world_events(room, "state_after"), "m.room.topic"));
    json_decref(answer);
    world_say(&s->w, s->room, s->anna, "hello");
    answer = world_sync(&s->w, &ask, &ask.since, NULL);
    assert_non_null(world_events(joined(s, answer), "state_after")); /* required even when empty */
    assert_int_equal(json_array_size(world_events(joined(s, answer), "state_after")), 0);
    json_decref(answer);
    fixture_send(&s->w.f, s->room, s->anna, "m.room.topic", "", "{\"topic\":\"newer\"}", NULL, NULL, NULL);
    answer = world_sync(&s->w, &ask, &ask.since, NULL);
    assert_int_equal(json_array_size(world_events(joined(s, answer), "state_after")), 1);
    json_decref(answer);
}

static void nothing_new_says_nothing(void **state)
{
    struct story *s = *state;
    enum sync_outcome how;
    struct sync_request ask = ask_of(s, s->anna, now(s, s->anna));
    json_t *answer = world_sync(&s->w, &ask, NULL, &how);
    assert_int_equal(how, SYNC_NOTHING);
    assert_null(json_object_get(answer, "rooms"));
    json_decref(answer);
}

static void a_token_of_another_server_is_refused(void **state)
{
    struct story *s = *state;
    enum sync_outcome how;
    struct sync_request ask = ask_of(s, s->anna, 1000000);
    assert_null(world_sync(&s->w, &ask, NULL, &how));
    assert_int_equal(how, SYNC_REFUSED);
}

static void full_state_repeats_the_state(void **state)
{
    struct story *s = *state;
    struct sync_request ask = ask_of(s, s->anna, now(s, s->anna));
    ask.full_state = true;
    json_t *answer = world_sync(&s->w, &ask, NULL, NULL), *room = joined(s, answer);
    assert_non_null(event_of_type(world_events(room, "state"), "m.room.create"));
    assert_int_equal(timeline_size(room), 0);
    json_decref(answer);
}

static void an_invite_shows_what_helps_to_know_the_room(void **state)
{
    struct story *s = *state;
    stream_pos since = now(s, s->boris);
    act(s, ACT_INVITE, s->anna, s->boris);
    json_t *answer = sync_as(s, s->boris, &since), *room = world_section(&s->w, answer, "invite", s->room);
    json_t *events = world_events(room, "invite_state"), *event;
    size_t i;
    assert_non_null(event_of_type(events, "m.room.create"));
    assert_non_null(event_of_type(events, "m.room.join_rules"));
    json_array_foreach(events, i, event) {
        assert_null(json_object_get(event, "event_id"));
        assert_null(json_object_get(event, "origin_server_ts"));
    }
    assert_string_equal(json_get_string(json_array_get(events, json_array_size(events) - 1), "state_key"),
                        id_of(s, s->boris));
    json_decref(answer);
    answer = sync_as(s, s->boris, &since); /* once */
    assert_null(world_section(&s->w, answer, "invite", s->room));
    json_decref(answer);
}

static void a_rejected_invite_leaves_without_a_look_inside(void **state)
{
    struct story *s = *state;
    act(s, ACT_INVITE, s->anna, s->boris);
    stream_pos since = now(s, s->boris);
    fixture_send(&s->w.f, s->room, s->anna, "m.room.topic", "", "{\"topic\":\"secret\"}", NULL, NULL, NULL);
    world_say(&s->w, s->room, s->anna, "secret");
    act(s, ACT_LEAVE, s->boris, s->boris);
    json_t *answer = sync_as(s, s->boris, &since), *room = world_section(&s->w, answer, "leave", s->room);
    char *text = json_canonical(answer);
    assert_int_equal(timeline_size(room), 1);
    assert_null(strstr(text, "secret"));
    free(text);
    json_decref(answer);
}

static void whoever_left_sees_up_to_leaving_and_no_further(void **state)
{
    struct story *s = *state;
    act(s, ACT_JOIN, s->boris, s->boris);
    stream_pos since = now(s, s->boris);
    world_say(&s->w, s->room, s->anna, "before");
    act(s, ACT_KICK, s->anna, s->boris);
    world_say(&s->w, s->room, s->anna, "after");
    fixture_send(&s->w.f, s->room, s->anna, "m.room.topic", "", "{\"topic\":\"after\"}", NULL, NULL, NULL);
    json_t *answer = sync_as(s, s->boris, &since), *room = world_section(&s->w, answer, "leave", s->room);
    char *text = json_canonical(answer);
    assert_int_equal(timeline_size(room), 2);
    assert_null(strstr(text, "after"));
    assert_null(joined(s, answer));
    free(text);
    json_decref(answer);
    answer = sync_as(s, s->boris, &since);
    assert_null(world_section(&s->w, answer, "leave", s->room));
    json_decref(answer);
    answer = sync_with(s, s->boris, 0, "{\"room\":{\"include_leave\":true}}");
    text = json_canonical(answer);
    assert_non_null(world_section(&s->w, answer, "leave", s->room));
    assert_null(strstr(text, "after"));
    free(text);
    json_decref(answer);
}

static void a_ban_after_leaving_shows_only_itself(void **state)
{
    struct story *s = *state;
    act(s, ACT_JOIN, s->boris, s->boris);
    act(s, ACT_LEAVE, s->boris, s->boris);
    stream_pos since = now(s, s->boris);
    fixture_send(&s->w.f, s->room, s->anna, "m.room.topic", "", "{\"topic\":\"secret\"}", NULL, NULL, NULL);
    act(s, ACT_BAN, s->anna, s->boris);
    json_t *answer = sync_as(s, s->boris, &since), *room = world_section(&s->w, answer, "leave", s->room);
    char *text = json_canonical(answer);
    assert_int_equal(timeline_size(room), 1);
    assert_null(strstr(text, "secret"));
    free(text);
    json_decref(answer);
}

static const char *last_state(json_t *section, const char *type, const char *state_key)
{
    const char *last = NULL;
    static const char *const PARTS[] = {"state", "timeline"};
    for (size_t part = 0; part < 2; ++part) {
        size_t i;
        json_t *event;
        json_array_foreach(world_events(section, PARTS[part]), i, event)
            if (strcmp(json_get_string(event, "type"), type) == 0 && json_get_string(event, "state_key") != NULL &&
                strcmp(json_get_string(event, "state_key"), state_key) == 0)
                last = json_get_string(event, "event_id");
    }
    return last;
}

/* Boris leaves while Anna is there, and comes back while she is not: the timeline of her return must not say that he is
 * gone. */
static void a_timeline_with_a_gap_undoes_no_newer_state(void **state)
{
    struct story *s = *state;
    struct event_row row;
    assert_true(act(s, ACT_JOIN, s->boris, s->boris) && act(s, ACT_JOIN, s->clara, s->clara));
    assert_true(fixture_send(&s->w.f, s->room, s->anna, "m.room.history_visibility", "",
                             "{\"history_visibility\":\"joined\"}", NULL, NULL, NULL));
    stream_pos clara = now(s, s->clara);
    assert_true(act(s, ACT_LEAVE, s->boris, s->boris) && act(s, ACT_LEAVE, s->clara, s->clara));
    assert_true(act(s, ACT_JOIN, s->boris, s->boris));
    char *boris_joins = events_id_of(s->w.f.db, events_last_pos(s->w.f.db, s->room, INT64_MAX));
    assert_true(act(s, ACT_JOIN, s->clara, s->clara));
    for (int initial = 0; initial < 2; ++initial) {
        stream_pos since = initial ? 0 : clara;
        json_t *answer = sync_as(s, s->clara, &since);
        assert_string_equal(last_state(joined(s, answer), "m.room.member", "@boris:school.example"), boris_joins);
        struct stmt *q = events_state_now(s->w.f.db, s->room);
        while (events_next(q, &row))
            if (initial || strcmp(row.type, "m.room.member") == 0)
                assert_non_null(last_state(joined(s, answer), row.type, row.state_key));
        stmt_end(q);
        json_decref(answer);
    }
    free(boris_joins);
}

/* Neither in the timeline nor beside it, whatever becomes of one's own membership later. */
static void state_after_leaving_is_not_told(void **state)
{
    struct story *s = *state;
    assert_true(act(s, ACT_JOIN, s->boris, s->boris));
    stream_pos since = now(s, s->boris);
    assert_true(act(s, ACT_LEAVE, s->boris, s->boris));
    assert_true(
        fixture_send(&s->w.f, s->room, s->anna, "m.room.topic", "", "{\"topic\":\"secret\"}", NULL, NULL, NULL));
    assert_true(act(s, ACT_INVITE, s->anna, s->boris) && act(s, ACT_LEAVE, s->boris, s->boris));
    static const char *const FILTERS[] = {"{}", "{\"room\":{\"include_leave\":true}}"};
    for (int initial = 0; initial < 2; ++initial) {
        json_t *answer = sync_with(s, s->boris, initial ? 0 : since, FILTERS[initial]);
        json_t *left = world_section(&s->w, answer, "leave", s->room);
        assert_non_null(left);
        assert_null(last_state(left, "m.room.topic", ""));
        assert_non_null(last_state(left, "m.room.member", "@boris:school.example"));
        json_decref(answer);
    }
}

static void history_before_joining_is_shown_as_the_room_says(void **state)
{
    struct story *s = *state;
    fixture_send(&s->w.f, s->room, s->anna, "m.room.history_visibility", "", "{\"history_visibility\":\"joined\"}",
                 NULL, NULL, NULL);
    world_say(&s->w, s->room, s->anna, "secret");
    stream_pos since = now(s, s->boris);
    act(s, ACT_JOIN, s->boris, s->boris);
    world_say(&s->w, s->room, s->anna, "welcome");
    json_t *answer = sync_with(s, s->boris, since, "{\"room\":{\"timeline\":{\"limit\":3}}}"),
           *room = joined(s, answer);
    char *text = json_canonical(answer);
    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "welcome"));
    assert_int_equal(timeline_size(room), 3); /* with what was said before the room was closed */
    assert_non_null(event_of_type(world_events(room, "state"), "m.room.create")); /* the state is whole */
    free(text);
    json_decref(answer);
}

static void put_data(struct story *s, user_no user, room_no room, const char *type, const char *content);

static void ignored_people_are_not_heard(void **state)
{
    struct story *s = *state;
    act(s, ACT_JOIN, s->boris, s->boris);
    put_data(s, s->anna, 0, "m.ignored_user_list", "{\"ignored_users\":{\"@boris:school.example\":{}}}");
    stream_pos since = now(s, s->anna);
    world_say(&s->w, s->room, s->boris, "rude");
    assert_true(fixture_send(&s->w.f, s->room, s->boris, "m.room.member", id_of(s, s->boris),
                             "{\"membership\":\"join\",\"displayname\":\"B\"}", NULL, NULL, NULL));
    room_no other = fixture_room(&s->w.f, s->boris, "12", PRESET_PRIVATE_CHAT, NULL);
    assert_true(fixture_member(&s->w.f, other, ACT_INVITE, s->boris, s->anna, NULL));
    json_t *answer = sync_as(s, s->anna, &since);
    char *text = json_canonical(answer);
    assert_null(strstr(text, "rude"));
    assert_non_null(event_of_type(world_events(joined(s, answer), "timeline"), "m.room.member")); /* state is */
    assert_null(world_section(&s->w, answer, "invite", other));
    free(text);
    json_decref(answer);
}

struct put {
    user_no user;
    room_no room;
    const char *type, *content;
};

static bool put_job(struct tx *tx, void *arg, struct error *e)
{
    const struct put *put = arg;
    return account_data_put(tx, put->user, put->room, put->type, put->content);
}

static void put_data(struct story *s, user_no user, room_no room, const char *type, const char *content)
{
    struct error e;
    struct put put = {user, room, type, content};
    assert_true(writer_run(s->w.f.writer, put_job, &put, &e));
}

static void account_data_comes_once_and_to_its_owner(void **state)
{
    struct story *s = *state;
    act(s, ACT_JOIN, s->boris, s->boris);
    stream_pos anna = now(s, s->anna), boris = now(s, s->boris);
    put_data(s, s->anna, 0, "org.parta.colour", "{\"is\":\"green\"}");
    put_data(s, s->anna, s->room, "m.tag", "{\"tags\":{}}");
    json_t *answer = sync_as(s, s->anna, &anna);
    assert_non_null(event_of_type(world_events(answer, "account_data"), "org.parta.colour"));
    assert_non_null(event_of_type(world_events(joined(s, answer), "account_data"), "m.tag"));
    assert_null(json_object_get(joined(s, answer), "unread_notifications"));
    json_decref(answer);
    answer = sync_as(s, s->anna, &anna);
    assert_null(json_object_get(answer, "account_data"));
    json_decref(answer);
    answer = sync_as(s, s->boris, &boris);
    assert_null(json_object_get(answer, "account_data"));
    assert_null(joined(s, answer));
    json_decref(answer);
}

static char *last_event(struct story *s)
{
    return events_id_of(s->w.f.db, events_last_pos(s->w.f.db, s->room, INT64_MAX));
}

static int64_t unread(struct story *s, json_t *answer, const char *which)
{
    return json_get_int(json_get_object(joined(s, answer), "unread_notifications"), which, -1);
}

static void reading_clears_the_counts(void **state)
{
    struct story *s = *state;
    act(s, ACT_JOIN, s->boris, s->boris);
    stream_pos since = now(s, s->boris);
    world_say(&s->w, s->room, s->anna, "one");
    char *first = last_event(s);
    world_say(&s->w, s->room, s->anna, "two");
    assert_true(fixture_send(
        &s->w.f, s->room, s->anna, "m.room.message", NULL,
        "{\"body\":\"Boris\",\"m.mentions\":{\"user_ids\":[\"@boris:school.example\"]},\"msgtype\":\"m.text\"}", NULL,
        NULL, NULL));
    char *last = last_event(s);
    json_t *answer = sync_as(s, s->boris, &since);
    assert_int_equal(unread(s, answer, "notification_count"), 3);
    assert_int_equal(unread(s, answer, "highlight_count"), 1);
    json_decref(answer);
    world_mark(&s->w, s->room, s->boris, first, true, NULL);
    answer = sync_as(s, s->boris, &since);
    assert_int_equal(unread(s, answer, "notification_count"), 2);
    json_decref(answer);
    world_mark(&s->w, s->room, s->boris, last, false, NULL);
    answer = sync_as(s, s->boris, &since);
    assert_int_equal(unread(s, answer, "notification_count"), 0);
    json_decref(answer);
    world_mark(&s->w, s->room, s->boris, first, false, NULL); /* a slow client: accepted, and changes nothing */
    answer = sync_as(s, s->boris, &since);
    assert_null(joined(s, answer));
    json_decref(answer);
    world_say(&s->w, s->room, s->anna, "three");
    world_say(&s->w, s->room, s->boris, "I was here"); /* whoever speaks has read */
    answer = sync_as(s, s->boris, &since);
    assert_int_equal(unread(s, answer, "notification_count"), 0);
    json_decref(answer);
    free(first);
    free(last);
}

static void threads_count_apart(void **state)
{
    struct story *s = *state;
    char content[300];
    act(s, ACT_JOIN, s->boris, s->boris);
    stream_pos since = now(s, s->boris);
    world_say(&s->w, s->room, s->anna, "root");
    char *root = last_event(s);
    snprintf(
        content, sizeof content,
        "{\"body\":\"re\",\"m.relates_to\":{\"event_id\":\"%s\",\"rel_type\":\"m.thread\"},\"msgtype\":\"m.text\"}",
        root);
    assert_true(fixture_send(&s->w.f, s->room, s->anna, "m.room.message", NULL, content, NULL, NULL, NULL));
    assert_true(fixture_send(&s->w.f, s->room, s->anna, "m.room.message", NULL, content, NULL, NULL, NULL));
    char *reply = last_event(s);
    json_t *answer = sync_with(s, s->boris, since, "{\"room\":{\"timeline\":{\"unread_thread_notifications\":true}}}");
    json_t *thread = json_get_object(json_get_object(joined(s, answer), "unread_thread_notifications"), root);
    assert_int_equal(unread(s, answer, "notification_count"), 1);
    assert_int_equal(json_get_int(thread, "notification_count", 0), 2);
    json_decref(answer);
    answer = sync_with(s, s->boris, since, "{}");
    assert_int_equal(unread(s, answer, "notification_count"), 3); /* who does not ask gets the sum */
    json_decref(answer);
    assert_true(world_mark(&s->w, s->room, s->boris, reply, false, root));
    answer = sync_with(s, s->boris, since, "{\"room\":{\"timeline\":{\"unread_thread_notifications\":true}}}");
    assert_int_equal(unread(s, answer, "notification_count"), 1);
    assert_null(json_object_get(joined(s, answer), "unread_thread_notifications"));
    json_decref(answer);
    assert_false(world_mark(&s->w, s->room, s->boris, reply, false, "main")); /* it is not in the main timeline */
    assert_true(world_mark(&s->w, s->room, s->boris, root, false, "main"));
    free(root);
    free(reply);
}

static json_t *receipts(struct story *s, user_no user, stream_pos since)
{
    json_t *answer = sync_with(s, user, since, "{}");
    json_t *event = event_of_type(world_events(joined(s, answer), "ephemeral"), "m.receipt");
    json_t *content = event != NULL ? json_incref(json_get_object(event, "content")) : NULL;
    json_decref(answer);
    return content;
}

static void private_receipts_stay_private(void **state)
{
    struct story *s = *state;
    act(s, ACT_JOIN, s->boris, s->boris);
    act(s, ACT_JOIN, s->clara, s->clara);
    stream_pos since = now(s, s->anna);
    char *id = last_event(s);
    world_mark(&s->w, s->room, s->boris, id, true, NULL);
    json_t *of_anna = receipts(s, s->anna, since), *of_boris = receipts(s, s->boris, since);
    assert_null(of_anna);
    assert_non_null(
        json_get_object(json_get_object(json_get_object(of_boris, id), "m.read.private"), id_of(s, s->boris)));
    json_decref(of_boris);
    world_mark(&s->w, s->room, s->clara, id, false, NULL);
    of_anna = receipts(s, s->anna, since);
    assert_non_null(json_get_object(json_get_object(json_get_object(of_anna, id), "m.read"), id_of(s, s->clara)));
    assert_null(json_get_object(json_get_object(of_anna, id), "m.read.private"));
    json_decref(of_anna);
    free(id);
}

static void only_members_mark_and_type(void **state)
{
    struct story *s = *state;
    struct error e;
    char *id = last_event(s), *room_id = world_room_id(&s->w, s->room);
    assert_false(world_mark(&s->w, s->room, s->boris, id, false, NULL));
    assert_false(world_mark(&s->w, s->room, s->anna, "$nothing", false, NULL));
    assert_false(typing_set(s->w.sync->typing, room_id, s->boris, 1000, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_false(typing_set(s->w.sync->typing, "!nowhere:school.example", s->anna, 1000, &e));
    free(id);
    free(room_id);
}

static json_t *typists(struct story *s, json_t *answer)
{
    json_t *event = event_of_type(world_events(joined(s, answer), "ephemeral"), "m.typing");
    return json_get_array(json_get_object(event, "content"), "user_ids");
}

static void typing_starts_and_ends_by_itself(void **state)
{
    struct story *s = *state;
    struct error e;
    char *room_id = world_room_id(&s->w, s->room);
    act(s, ACT_JOIN, s->boris, s->boris);
    stream_pos since = now(s, s->boris);
    assert_true(typing_set(s->w.sync->typing, room_id, s->anna, 60, &e));
    json_t *answer = sync_as(s, s->boris, &since);
    assert_string_equal(json_string_value(json_array_get(typists(s, answer), 0)), id_of(s, s->anna));
    json_decref(answer);
    for (int i = 0; i < 500 && hub_last_change(s->w.hub, s->boris) <= since; ++i)
        usleep(2000);
    answer = sync_as(s, s->boris, &since);
    assert_non_null(typists(s, answer));
    assert_int_equal(json_array_size(typists(s, answer)), 0);
    json_decref(answer);
    free(room_id);
}

/* A job that fails after one that set somebody typing does not lose the notice. */
static void typing_outlives_a_failed_group(void **state)
{
    struct story *s = *state;
    struct error e;
    char *room_id = world_room_id(&s->w, s->room);
    act(s, ACT_JOIN, s->boris, s->boris);
    stream_pos since = now(s, s->boris);
    db_fail_after(writer_db_for_tests(s->w.f.writer), 1);
    assert_false(typing_set(s->w.sync->typing, room_id, s->anna, 5000, &e));
    db_fail_after(writer_db_for_tests(s->w.f.writer), 0);
    assert_true(typing_set(s->w.sync->typing, room_id, s->anna, 5000, &e));
    json_t *answer = sync_as(s, s->boris, &since);
    assert_int_equal(json_array_size(typists(s, answer)), 1);
    json_decref(answer);
    free(room_id);
}

static void lazy_loading_tells_each_member_once(void **state)
{
    static const char FILTER[] = "{\"room\":{\"state\":{\"lazy_load_members\":true},\"timeline\":{\"limit\":1}}}";
    struct story *s = *state;
    struct filter *filter = world_filter(FILTER);
    act(s, ACT_JOIN, s->boris, s->boris);
    act(s, ACT_JOIN, s->clara, s->clara);
    world_say(&s->w, s->room, s->anna, "hello");
    struct sync_request ask = ask_of(s, s->boris, 0);
    ask.filter = filter;
    stream_pos first = 0;
    json_t *answer = world_sync(&s->w, &ask, &first, NULL), *events = world_events(joined(s, answer), "state");
    size_t members = 0, i;
    json_t *event;
    json_array_foreach(events, i, event)
        members += strcmp(json_get_string(event, "type"), "m.room.member") == 0;
    assert_int_equal(members, 3); /* the sender, oneself, and clara, whom the nameless room is called after */
    json_decref(answer);
    world_say(&s->w, s->room, s->anna, "again");
    ask.since = first;
    answer = world_sync(&s->w, &ask, NULL, NULL);
    assert_int_equal(json_array_size(world_events(joined(s, answer), "state")), 0);
    json_decref(answer);
    ask.since = first - 1; /* an older token: that answer never arrived */
    answer = world_sync(&s->w, &ask, NULL, NULL);
    assert_non_null(event_of_type(world_events(joined(s, answer), "state"), "m.room.member"));
    json_decref(answer);
    filter_unref(filter);
}

static void heroes_stand_in_for_a_name(void **state)
{
    struct story *s = *state;
    stream_pos since = 0;
    act(s, ACT_JOIN, s->boris, s->boris);
    json_t *answer = sync_as(s, s->anna, &since), *summary = json_get_object(joined(s, answer), "summary");
    json_t *heroes = json_get_array(summary, "m.heroes");
    assert_int_equal(json_array_size(heroes), 1);
    assert_string_equal(json_string_value(json_array_get(heroes, 0)), id_of(s, s->boris));
    json_decref(answer);
    world_say(&s->w, s->room, s->boris, "hello");
    answer = sync_as(s, s->anna, &since);
    assert_null(json_object_get(joined(s, answer), "summary")); /* only when it changed */
    json_decref(answer);
    assert_true(fixture_send(&s->w.f, s->room, s->anna, "m.room.name", "", "{\"name\":\"5A\"}", NULL, NULL, NULL));
    answer = sync_as(s, s->anna, &since);
    summary = json_get_object(joined(s, answer), "summary");
    assert_non_null(summary);
    assert_null(json_object_get(summary, "m.heroes"));
    json_decref(answer);
}

static void filters_choose_rooms_fields_and_format(void **state)
{
    struct story *s = *state;
    char filter[200], *room_id = world_room_id(&s->w, s->room);
    world_say(&s->w, s->room, s->anna, "hello");
    snprintf(filter, sizeof filter, "{\"room\":{\"not_rooms\":[\"%s\"]}}", room_id);
    json_t *answer = sync_with(s, s->anna, 0, filter);
    assert_null(joined(s, answer));
    json_decref(answer);
    answer = sync_with(s, s->anna, 0, "{\"event_fields\":[\"type\",\"content.body\"]}");
    json_t *event = event_of_type(world_events(joined(s, answer), "timeline"), "m.room.message");
    assert_int_equal(json_object_size(event), 2);
    assert_int_equal(json_object_size(json_get_object(event, "content")), 1);
    json_decref(answer);
    answer = sync_with(s, s->anna, 0, "{\"event_format\":\"federation\"}");
    event = event_of_type(world_events(joined(s, answer), "timeline"), "m.room.message");
    assert_non_null(json_get_array(event, "auth_events"));
    assert_non_null(json_get_object(event, "signatures"));
    json_decref(answer);
    answer =
        sync_with(s, s->anna, 0, "{\"account_data\":{\"not_types\":[\"*\"]},\"room\":{\"timeline\":{\"types\":[]}}}");
    assert_null(json_object_get(answer, "account_data"));
    assert_int_equal(timeline_size(joined(s, answer)), 0);
    assert_non_null(event_of_type(world_events(joined(s, answer), "state"), "m.room.create"));
    json_decref(answer);
    free(room_id);
}

static void restart(struct story *s)
{
    sync_service_stop(s->w.sync);
    struct fixture *f = &s->w.f;
    fixture_restart(f);
    sync_service_destroy(s->w.sync);
    hub_destroy(s->w.hub);
    s->w.hub = hub_create(writer_pos(f->writer));
    s->w.sync = sync_service_create(
        &(struct sync_service_settings){f->writer, f->rooms, f->names, s->w.hub, &f->key, "school.example", false});
    sections_add(s->w.sync);
    writer_observe(f->writer, hub_observe, s->w.hub);
}

static void a_restart_keeps_tokens_good(void **state)
{
    struct story *s = *state;
    stream_pos since = now(s, s->anna);
    world_say(&s->w, s->room, s->anna, "before the restart");
    restart(s);
    assert_true(hub_last_change(s->w.hub, s->anna) >
                since); /* so nobody parks on what happened while nobody listened */
    json_t *answer = sync_as(s, s->anna, &since);
    assert_int_equal(timeline_size(joined(s, answer)), 1);
    json_decref(answer);
}

/* What nobody remembers is looked up once a room, for all: an event, or a receipt, of before the start; and who has
 * nothing new is told nothing. */
static void a_restart_tells_of_the_rooms_with_news(void **state)
{
    struct story *s = *state;
    enum { SAID, READ, QUIET, ROOMS };
    room_no rooms[ROOMS];
    for (int i = 0; i < ROOMS; ++i) {
        rooms[i] = fixture_room(&s->w.f, s->anna, "12", PRESET_PUBLIC_CHAT, NULL);
        assert_true(fixture_member(&s->w.f, rooms[i], ACT_JOIN, s->boris, s->boris, NULL));
        world_say(&s->w, rooms[i], s->anna, "long ago");
    }
    char *id = events_id_of(s->w.f.db, events_last_pos(s->w.f.db, rooms[READ], INT64_MAX));
    stream_pos since = now(s, s->anna), later;
    world_say(&s->w, rooms[SAID], s->boris, "lately");
    assert_true(world_mark(&s->w, rooms[READ], s->boris, id, false, NULL));
    later = now(s, s->anna);
    restart(s);
    assert_false(hub_knows_room(s->w.hub, rooms[QUIET]));
    for (int again = 0; again < 2; ++again) { /* by who looks it up, and by who finds it */
        stream_pos at = since;
        json_t *answer = sync_as(s, s->anna, &at);
        assert_int_equal(timeline_size(world_section(&s->w, answer, "join", rooms[SAID])), 1);
        assert_int_equal(json_array_size(world_events(world_section(&s->w, answer, "join", rooms[READ]), "ephemeral")),
                         1);
        assert_null(world_section(&s->w, answer, "join", rooms[QUIET]));
        json_decref(answer);
    }
    assert_true(hub_knows_room(s->w.hub, rooms[QUIET]));
    assert_true(hub_room_last_change(s->w.hub, rooms[QUIET]) <= since);
    assert_true(hub_room_last_change(s->w.hub, rooms[READ]) > since);
    json_t *answer = sync_as(s, s->anna, &later);
    assert_null(json_object_get(answer, "rooms"));
    json_decref(answer);
    world_say(&s->w, rooms[QUIET], s->boris, "now"); /* what comes after counts from here on */
    answer = sync_as(s, s->anna, &later);
    assert_int_equal(timeline_size(world_section(&s->w, answer, "join", rooms[QUIET])), 1);
    json_decref(answer);
    free(id);
}

static bool job_keys(struct tx *tx, void *arg, struct error *e)
{
    return device_lists_changed(tx, *(const user_no *)arg);
}

static size_t lists_changed(struct story *s, stream_pos since)
{
    json_t *answer = sync_as(s, s->anna, &since);
    size_t n = json_array_size(json_get_array(json_get_object(answer, "device_lists"), "changed"));
    json_decref(answer);
    return n;
}

/* Of device lists too: when anybody's changed last before the start, by keys, by who came, is looked up once. */
static void a_restart_tells_of_device_lists(void **state)
{
    struct story *s = *state;
    struct error e = {0};
    assert_true(act(s, ACT_JOIN, s->boris, s->boris));
    assert_true(fixture_send(&s->w.f, s->room, s->anna, "m.room.encryption", "",
                             "{\"algorithm\":\"m.megolm.v1.aes-sha2\"}", NULL, NULL, NULL));
    stream_pos first = now(s, s->anna);
    assert_true(writer_run(s->w.f.writer, job_keys, &s->boris, &e));
    stream_pos keys = now(s, s->anna);
    assert_true(act(s, ACT_JOIN, s->clara, s->clara));
    stream_pos came = now(s, s->anna);
    world_say(&s->w, s->room, s->boris, "good evening");
    restart(s);
    assert_int_equal(lists_changed(s, first), 2);
    assert_int_equal(lists_changed(s, keys), 1);
    assert_int_equal(lists_changed(s, came), 0);
    assert_true(hub_last_lists(s->w.hub, s->anna) <= came);
    assert_true(hub_last_lists(s->w.hub, s->anna) > keys);
    assert_true(writer_run(s->w.f.writer, job_keys, &s->boris, &e));
    assert_true(hub_last_lists(s->w.hub, s->anna) > came);
    assert_int_equal(lists_changed(s, came), 1);
    assert_true(writer_run(s->w.f.writer, job_keys, &s->clara, &e));
    restart(s);
    assert_int_equal(lists_changed(s, came), 2); /* by keys alone */
}

static bool job_many(struct tx *tx, void *arg, struct error *e)
{
    const struct story *s = arg;
    json_t *content = json_pack("{s:s, s:s}", "msgtype", "m.text", "body", "again");
    bool done = true;
    for (int i = 0; done && i < 5000; ++i) {
        struct appended out;
        done = append_event(room_open(s->w.f.rooms, tx, s->room), tx,
                            &(struct draft){.sender = s->anna, .type = "m.room.message", .content = content}, &out, e);
    }
    json_decref(content);
    return done;
}

/* Who came long ago is not looked for: what comes instead is no earlier. */
static void how_far_a_restart_looks_is_bounded(void **state)
{
    struct story *s = *state;
    struct error e = {0};
    assert_true(act(s, ACT_JOIN, s->boris, s->boris));
    stream_pos came = events_newest(s->w.f.db), found;
    assert_int_equal(events_last_of_lists(s->w.f.db, INT64_MAX), came);
    assert_true(writer_run(s->w.f.writer, job_many, s, &e));
    found = events_last_of_lists(s->w.f.db, INT64_MAX);
    assert_true(found > came && found < events_newest(s->w.f.db));
    assert_int_equal(events_last_of_lists(s->w.f.db, came), came);
    assert_int_equal(events_last_of_lists(s->w.f.db, 0), 0);
}

#define STORY(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(an_initial_sync_has_the_room_and_the_push_rules),
        STORY(a_limited_timeline_leaves_the_state_at_its_start),
        STORY(state_after_has_the_state_at_the_end),
        STORY(nothing_new_says_nothing),
        STORY(a_token_of_another_server_is_refused),
        STORY(full_state_repeats_the_state),
        STORY(an_invite_shows_what_helps_to_know_the_room),
        STORY(a_rejected_invite_leaves_without_a_look_inside),
        STORY(whoever_left_sees_up_to_leaving_and_no_further),
        STORY(a_ban_after_leaving_shows_only_itself),
        STORY(a_timeline_with_a_gap_undoes_no_newer_state),
        STORY(state_after_leaving_is_not_told),
        STORY(history_before_joining_is_shown_as_the_room_says),
        STORY(ignored_people_are_not_heard),
        STORY(account_data_comes_once_and_to_its_owner),
        STORY(reading_clears_the_counts),
        STORY(threads_count_apart),
        STORY(private_receipts_stay_private),
        STORY(only_members_mark_and_type),
        STORY(typing_starts_and_ends_by_itself),
        STORY(typing_outlives_a_failed_group),
        STORY(lazy_loading_tells_each_member_once),
        STORY(heroes_stand_in_for_a_name),
        STORY(filters_choose_rooms_fields_and_format),
        STORY(a_restart_keeps_tokens_good),
        STORY(a_restart_tells_of_the_rooms_with_news),
        STORY(a_restart_tells_of_device_lists),
        STORY(how_far_a_restart_looks_is_bounded),
    };
    return cmocka_run_group_tests_name("sync_answer", tests, NULL, NULL);
}
