/* What a new kind of news costs: a section (here NOTICES), the store that keeps it (here struct notices), a kind of
 * change (here CHANGE_TO_DEVICE, of which nothing else is told) and a line of the table (here sync_service_add).
 * Nothing else in the server knows of it, and yet it comes with an initial sync and later ones, wakes held polls and no
 * others, and is never lost on the fast path. */
#include "tests/unit/sync_world.h"

#include <pthread.h>

#include "homeserver/http/long_poll.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/sync/section.h"

/* ---- the store: in memory, as typing is */

#define NOTICES_MAX 16

struct notice {
    user_no user;
    stream_pos pos;
    const char *text;
};

static struct notices {
    pthread_mutex_t lock;
    struct notice all[NOTICES_MAX];
    size_t n;
} NOTES = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool notices_put(struct tx *tx, user_no user, room_no room, const char *text)
{
    struct notice notice = {user, tx_next_pos(tx), text};
    pthread_mutex_lock(&NOTES.lock);
    NOTES.all[NOTES.n++] = notice;
    pthread_mutex_unlock(&NOTES.lock);
    tx_change(tx, (struct change){.kind = CHANGE_TO_DEVICE, .pos = notice.pos, .user = user, .room = room});
    return true;
}

/* ---- the section */

struct found {
    struct notice notices[NOTICES_MAX];
    size_t n;
};

static bool gather(struct sync_gather *g, void *data)
{
    struct found *found = data;
    pthread_mutex_lock(&NOTES.lock);
    for (size_t i = 0; i < NOTES.n; ++i) {
        const struct notice *notice = &NOTES.all[i];
        if (notice->user == g->request->user && notice->pos > g->request->since && notice->pos <= g->upto)
            found->notices[found->n++] = *notice;
    }
    pthread_mutex_unlock(&NOTES.lock);
    return found->n != 0;
}

/* A notice in small letters can wait. */
static bool has_news(const void *data)
{
    const struct found *found = data;
    for (size_t i = 0; i < found->n; ++i)
        if (found->notices[i].text[0] < 'a')
            return true;
    return false;
}

static void write(struct text *out, struct sync_gather *g, const void *data)
{
    const struct found *found = data;
    text_adds(out, "\"texts\":[");
    for (size_t i = 0; i < found->n; ++i) {
        if (i != 0)
            text_addc(out, ',');
        text_add_json(out, found->notices[i].text);
    }
    text_addc(out, ']');
}

static void write_idle(struct text *out, const struct sync_gather *g)
{
    text_adds(out, ",\"org.parta.user\":");
    text_add_json(out, g->request->user_id);
}

static const struct sync_section NOTICES = {
    .changes = {{CHANGE_TO_DEVICE, HUB_USER}},
    .key = "org.parta.notices",
    .data_bytes = sizeof(struct found),
    .gather = gather,
    .has_news = has_news,
    .write = write,
    .write_idle = write_idle,
};

/* The same, told to everybody in the room. */
static const struct sync_section NOTICES_OF_ROOM = {
    .changes = {{CHANGE_TO_DEVICE, HUB_ROOM}},
    .key = "org.parta.notices",
    .data_bytes = sizeof(struct found),
    .gather = gather,
    .write = write,
};

/* ---- the stories */

struct story {
    struct world w;
    user_no anna, boris;
    room_no room;
    struct filter *everything;
};

static struct story *begin(const struct sync_section *section)
{
    struct story *s = xcalloc(1, sizeof *s);
    NOTES.n = 0;
    world_start(&s->w);
    sync_service_add(s->w.sync, section); /* the line of the table */
    s->anna = fixture_user(&s->w.f, "anna");
    s->boris = fixture_user(&s->w.f, "boris");
    s->room = fixture_room(&s->w.f, s->anna, "12", PRESET_PUBLIC_CHAT, NULL);
    assert_true(fixture_member(&s->w.f, s->room, ACT_JOIN, s->boris, s->boris, NULL));
    s->everything = world_filter(NULL);
    return s;
}

static int setup(void **state)
{
    *state = begin(&NOTICES);
    return 0;
}

static int setup_in_room(void **state)
{
    *state = begin(&NOTICES_OF_ROOM);
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

static struct sync_request request_of(const struct story *s, user_no user, stream_pos since)
{
    const char *id = user == s->anna ? "@anna:school.example" : "@boris:school.example";
    return (struct sync_request){user, user, id, since, false, false, s->everything};
}

/* The texts of an answer's notices: "A,B"; "": none. Moves *since on. */
static const char *notices(struct story *s, user_no user, stream_pos *since, enum sync_outcome *how)
{
    static char texts[200];
    size_t i;
    json_t *text;
    struct sync_request request = request_of(s, user, *since);
    json_t *answer = world_sync(&s->w, &request, since, how);
    texts[0] = '\0';
    json_array_foreach(json_get_array(json_get_object(answer, "org.parta.notices"), "texts"), i, text)
        strcat(strcat(texts, i != 0 ? "," : ""), json_string_value(text));
    json_decref(answer);
    return texts;
}

struct put {
    user_no user;
    room_no room;
    const char *text;
    struct rooms *rooms; /* with a message in the same group; NULL: without */
};

static bool put_job(struct tx *tx, void *arg, struct error *e)
{
    const struct put *put = arg;
    struct appended out;
    json_t *content = json_pack("{s:s, s:s}", "body", "hello", "msgtype", "m.text");
    struct draft draft = {.sender = put->user, .type = "m.room.message", .content = content};
    bool ok = put->rooms == NULL || append_event(room_open(put->rooms, tx, put->room), tx, &draft, &out, e);
    json_decref(content);
    return ok && notices_put(tx, put->user, put->room, put->text);
}

static void put(struct story *s, user_no user, const char *text)
{
    struct error e;
    assert_true(writer_run(s->w.f.writer, put_job, &(struct put){user, 0, text, NULL}, &e));
}

static void it_comes_with_an_initial_sync_and_once_after(void **state)
{
    struct story *s = *state;
    enum sync_outcome how;
    stream_pos anna = 0, boris = 0;
    put(s, s->anna, "One");
    assert_string_equal(notices(s, s->anna, &anna, NULL), "One");
    assert_string_equal(notices(s, s->boris, &boris, NULL), "");
    put(s, s->anna, "Two");
    put(s, s->anna, "three");
    assert_string_equal(notices(s, s->anna, &anna, &how), "Two,three");
    assert_int_equal(how, SYNC_NEWS);
    assert_string_equal(notices(s, s->boris, &boris, &how), "");
    assert_int_equal(how, SYNC_NOTHING);
    assert_string_equal(notices(s, s->anna, &anna, &how), "");
    assert_int_equal(how, SYNC_NOTHING);
}

static void what_is_no_news_lets_the_poll_wait(void **state)
{
    struct story *s = *state;
    enum sync_outcome how;
    stream_pos anna = 0;
    notices(s, s->anna, &anna, NULL);
    put(s, s->anna, "whenever you like");
    assert_string_equal(notices(s, s->anna, &anna, &how), "whenever you like");
    assert_int_equal(how, SYNC_NOTHING);
}

/* Two held polls, as a loop holds them. */
struct held {
    struct long_polls polls;
    struct request_context anna, boris;
    struct request_context *visited;
    int visits;
};

static void visit(void *self, struct request_context *context)
{
    struct held *held = self;
    held->visited = context;
    ++held->visits;
}

static void nothing(void *self, struct request_context *context)
{
}

static void hold(struct story *s, struct held *held, struct request_context *context, user_no user, stream_pos since)
{
    assert_true(hub_last_change(s->w.hub, user) <= since); /* a loop may hold it */
    context->r.poll.user = user;
    context->r.poll.since = since;
    context->r.poll.deadline_ms = 30000;
    long_poll_add(&held->polls, context, 1000);
}

static void a_held_poll_is_woken(void **state)
{
    struct story *s = *state;
    struct held held = {0};
    struct text out = TEXT_INIT;
    stream_pos anna = 0, boris = 0;
    notices(s, s->anna, &anna, NULL);
    notices(s, s->boris, &boris, NULL);
    long_polls_init(&held.polls, 1000);
    hold(s, &held, &held.anna, s->anna, anna);
    hold(s, &held, &held.boris, s->boris, boris);
    put(s, s->anna, "Come");
    long_poll_wake(&held.polls, s->w.last, visit, nothing, &held); /* what the hub told the loop */
    assert_int_equal(held.visits, 1);
    assert_ptr_equal(held.visited, &held.anna);
    assert_true(hub_last_change(s->w.hub, s->anna) > anna);
    assert_true(hub_last_change(s->w.hub, s->boris) <= boris);
    struct sync_request request = request_of(s, s->anna, anna);
    assert_false(fast_path_answer(s->w.sync, &s->w.last, 1, &request, &out)); /* a worker must do it */
    assert_string_equal(notices(s, s->anna, &anna, NULL), "Come");
    long_poll_remove(&held.polls, &held.anna);
    long_poll_remove(&held.polls, &held.boris);
    long_polls_finish(&held.polls);
    text_finish(&out);
}

/* The fast path splices what it knows. A room in which something else changed too is not its. */
static void the_fast_path_leaves_it_to_the_section(void **state)
{
    struct story *s = *state;
    struct text out = TEXT_INIT;
    struct error e;
    stream_pos boris = 0;
    notices(s, s->boris, &boris, NULL);
    world_say(&s->w, s->room, s->anna, "hello");
    struct sync_request request = request_of(s, s->boris, boris);
    assert_true(fast_path_answer(s->w.sync, &s->w.last, 1, &request, &out));
    text_finish(&out);
    request.since = s->w.last->pos;
    assert_true(writer_run(s->w.f.writer, put_job, &(struct put){s->anna, s->room, "Look", s->w.f.rooms}, &e));
    assert_true(wake_concerns(s->w.last, s->boris));
    assert_false(fast_path_answer(s->w.sync, &s->w.last, 1, &request, &out));
    text_finish(&out);
}

/* What clients want in every answer is in those that a loop makes, too. */
static void an_idle_answer_has_what_clients_want(void **state)
{
    struct story *s = *state;
    struct text out = TEXT_INIT;
    stream_pos boris = 0;
    notices(s, s->boris, &boris, NULL);
    world_say(&s->w, s->room, s->anna, "hello");
    struct sync_request request = request_of(s, s->boris, boris);
    assert_true(fast_path_answer(s->w.sync, &s->w.last, 1, &request, &out));
    assert_non_null(strstr(out.data, "\"org.parta.user\":\"@boris:school.example\""));
    text_clear(&out);
    v2_add_idle(&out, &(struct sync_gather){.sync = s->w.sync, .request = &request, .upto = 7});
    struct error e;
    json_t *answer = json_parse(out.data, out.len, &e);
    world_open_tokens(&s->w, s->boris, answer);
    char *plain = json_canonical(answer);
    assert_string_equal(
        plain, "{\"device_one_time_keys_count\":{\"signed_curve25519\":0},\"device_unused_fallback_key_types\":[],"
               "\"next_batch\":7,\"org.parta.user\":\"@boris:school.example\"}");
    free(plain);
    json_decref(answer);
    text_finish(&out);
}

#define STORY(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(it_comes_with_an_initial_sync_and_once_after),
        STORY(what_is_no_news_lets_the_poll_wait),
        STORY(a_held_poll_is_woken),
        cmocka_unit_test_setup_teardown(the_fast_path_leaves_it_to_the_section, setup_in_room, teardown),
        STORY(an_idle_answer_has_what_clients_want),
    };
    return cmocka_run_group_tests_name("sync_section", tests, NULL, NULL);
}
