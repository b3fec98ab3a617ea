/* The fast path of /sync gives the same answer as the sections do: random days in two rooms, each
 * person with two devices. */
#include "tests/unit/sync_world.h"

#include <pthread.h>

#include "client-api/routes.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/server.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/sync/fast_path.h"
#include "homeserver/sync/recent_wakes.h"

#define USERS 5
#define DEVICES (2 * USERS)
#define ROOMS 2
#define STEPS 400

struct device {
    user_no user;
    char user_id[64];
    device_no no;
    struct filter *filter;
    stream_pos since;
};

struct day {
    struct world w;
    user_no users[USERS];
    room_no rooms[ROOMS];
    char *room_ids[ROOMS];
    struct device devices[DEVICES];
    unsigned seed;
    int fast, slow;
    int together, echoes; /* fast answers of several wakes; to the device that sent something of it */
    int said;
};

static const char *const NAMES[USERS] = {"anna", "boris", "clara", "dmitri", "elena"};
static const char *const FILTERS[] = {
    NULL,
    "{\"room\":{\"timeline\":{\"limit\":20,\"unread_thread_notifications\":true},\"state\":{\"lazy_load_members\":true}"
    "}}",
    "{\"room\":{\"timeline\":{\"limit\":2}}}",
};

static int pick(struct day *d, int n)
{
    d->seed = d->seed * 1103515245u + 12345u;
    return (int)((d->seed >> 16) % (unsigned)n);
}

static void send(struct day *d, int room, int user, const char *content)
{
    struct error e;
    fixture_send(&d->w.f, d->rooms[room], d->users[user], "m.room.message", NULL, content, NULL, NULL, &e);
}

static char *last_event(struct day *d, int room)
{
    return events_id_of(d->w.f.db, events_last_pos(d->w.f.db, d->rooms[room], INT64_MAX));
}

/* By one of the person's devices, which is told its transaction. */
struct saying {
    struct day *d;
    int room;
    const struct device *by;
};

static bool say_job(struct tx *tx, void *arg, struct error *e)
{
    const struct saying *s = arg;
    struct appended out;
    char txn[16];
    json_t *content = json_pack("{s:s, s:s}", "body", "good morning", "msgtype", "m.text");
    snprintf(txn, sizeof txn, "t%d", s->d->said++);
    bool ok = append_event(room_open(s->d->w.f.rooms, tx, s->d->rooms[s->room]), tx,
                           &(struct draft){.sender = s->by->user,
                                           .type = "m.room.message",
                                           .content = content,
                                           .device = s->by->no,
                                           .txn_id = txn,
                                           .about = "m.room.message"},
                           &out, e);
    json_decref(content);
    return ok;
}

static void do_message(struct day *d, int room, int user)
{
    struct error e;
    struct saying s = {d, room, &d->devices[user + (pick(d, 2) == 0 ? USERS : 0)]};
    writer_run(d->w.f.writer, say_job, &s, &e);
}

static void do_mention(struct day *d, int room, int user)
{
    char content[200];
    snprintf(content, sizeof content,
             "{\"body\":\"you\",\"m.mentions\":{\"user_ids\":[\"@%s:school.example\"]},\"msgtype\":\"m.text\"}",
             NAMES[pick(d, USERS)]);
    send(d, room, user, content);
}

static void do_room_mention(struct day *d, int room, int user)
{
    send(d, room, user, "{\"body\":\"all\",\"m.mentions\":{\"room\":true},\"msgtype\":\"m.text\"}");
}

static void do_relate(struct day *d, int room, int user, const char *type)
{
    char content[400], *target = last_event(d, room);
    snprintf(content, sizeof content,
             "{\"body\":\"re\",\"m.relates_to\":{\"event_id\":\"%s\",\"rel_type\":\"%s\"},\"msgtype\":\"m.text\"}",
             target, type);
    free(target);
    send(d, room, user, content);
}

static void do_thread(struct day *d, int room, int user)
{
    do_relate(d, room, user, "m.thread");
}

static void do_reference(struct day *d, int room, int user)
{
    do_relate(d, room, user, "m.reference");
}

static void do_name(struct day *d, int room, int user)
{
    struct error e;
    fixture_send(&d->w.f, d->rooms[room], d->users[0], "m.room.name", "",
                 pick(d, 2) ? "{\"name\":\"5A\"}" : "{\"name\":\"5B\"}", NULL, NULL, &e);
}

static void do_redact(struct day *d, int room, int user)
{
    struct error e;
    char content[200], *target = last_event(d, room);
    snprintf(content, sizeof content, "{\"redacts\":\"%s\"}", target);
    fixture_send(&d->w.f, d->rooms[room], d->users[0], "m.room.redaction", NULL, content, target, NULL, &e);
    free(target);
}

static void do_typing(struct day *d, int room, int user)
{
    struct error e;
    typing_set(d->w.sync->typing, d->room_ids[room], d->users[user], pick(d, 2) ? 100000 : 0, &e);
}

static void do_read(struct day *d, int room, int user)
{
    char *target = last_event(d, room);
    static const char *const THREADS[] = {NULL, NULL, "main"};
    world_mark(&d->w, d->rooms[room], d->users[user], target, pick(d, 4) == 0, THREADS[pick(d, 3)]);
    free(target);
}

static void do_membership(struct day *d, int room, int user)
{
    struct error e;
    if (user != 0)
        fixture_member(&d->w.f, d->rooms[room], pick(d, 3) == 0 ? ACT_LEAVE : ACT_JOIN, d->users[user], d->users[user],
                       &e);
}

/* Several messages in several rooms in one group. */
static bool burst_job(struct tx *tx, void *arg, struct error *e)
{
    struct day *d = arg;
    struct appended out;
    json_t *content = json_pack("{s:s, s:s}", "body", "burst", "msgtype", "m.text");
    for (int i = 0; i < 4; ++i) {
        struct error ignored;
        struct room *room = room_open(d->w.f.rooms, tx, d->rooms[pick(d, ROOMS)]);
        append_event(room, tx,
                     &(struct draft){.sender = d->users[pick(d, USERS)], .type = "m.room.message", .content = content},
                     &out, &ignored);
    }
    json_decref(content);
    return true;
}

static void do_burst(struct day *d, int room, int user)
{
    struct error e;
    writer_run(d->w.f.writer, burst_job, d, &e);
}

static void (*const DEEDS[])(struct day *d, int room, int user) = {
    do_message, do_message, do_message, do_mention, do_room_mention, do_thread, do_reference, do_name,       do_redact,
    do_typing,  do_typing,  do_read,    do_read,    do_read,         do_burst,  do_burst,     do_membership,
};

static void strip_ages(json_t *value)
{
    const char *key;
    json_t *inner;
    size_t i;
    if (json_is_object(value))
        json_object_del(value, "age");
    json_object_foreach(value, key, inner)
        strip_ages(inner);
    json_array_foreach(value, i, inner)
        strip_ages(inner);
}

static void check_same(struct day *d, user_no user, struct text *fast, json_t *whole)
{
    struct error e;
    json_t *answer = json_parse(fast->data, fast->len, &e);
    assert_non_null(answer);
    strip_ages(answer);
    strip_ages(whole);
    world_open_tokens(&d->w, user, answer);
    world_open_tokens(&d->w, user, whole);
    if (!json_equal(answer, whole)) {
        char *a = json_canonical(answer), *b = json_canonical(whole);
        fail_msg("fast: %s\ncomposed: %s", a, b);
    }
    json_decref(answer);
}

/* Of all that the device missed; false: a worker must answer. *upto: what it then has. */
static bool answer_fast(struct day *d, const struct device *device, const struct sync_request *ask, struct text *out,
                        stream_pos *upto)
{
    struct wake *missed[RECENT_WAKES_MAX];
    size_t n = hub_missed(d->w.hub, device->user, device->since, missed);
    bool done = fast_path_answer(d->w.sync, missed, n, ask, out);
    if (done) {
        *upto = missed[n - 1]->pos;
        d->together += n > 1;
        d->echoes += strstr(out->data, "\"transaction_id\":") != NULL;
    }
    for (size_t i = 0; i < n; ++i)
        wake_unref(missed[i]);
    return done;
}

/* Up-to-date devices hear of the wake as parked polls do; some were on the way back for a while, and hear of all that
 * came meanwhile. Sometimes the fast answer is taken on trust, so that what it leaves in memory is what the next one
 * builds on; sometimes it tells the device's own token again. */
static void hear(struct day *d, struct device *device)
{
    stream_pos upto = 0;
    struct text fast = TEXT_INIT, said = TEXT_INIT;
    struct sync_request ask = {device->user, device->no, device->user_id, device->since, false, false, device->filter};
    if (!wake_concerns(d->w.last, device->user) || hub_last_change(d->w.hub, device->user) <= device->since ||
        pick(d, 4) == 0)
        return;
    token_add(&said, writer_incarnations(d->w.f.writer), device->user, device->since);
    ask.said = pick(d, 2) == 0 ? said.data : NULL;
    bool is_fast = answer_fast(d, device, &ask, &fast, &upto);
    d->fast += is_fast;
    d->slow += !is_fast;
    if (is_fast)
        assert_true((strstr(fast.data, said.data) != NULL) == (ask.said != NULL));
    text_finish(&said);
    ask.said = NULL;
    if (is_fast && pick(d, 2) == 0) {
        device->since = upto;
    } else {
        json_t *whole = world_sync(&d->w, &ask, &device->since, NULL);
        if (is_fast)
            check_same(d, device->user, &fast, whole);
        for (int i = 0; i < ROOMS; ++i)
            world_check_unread(&d->w, d->rooms[i], device->user, device->user_id,
                               world_section(&d->w, whole, "join", d->rooms[i]), device->since);
        json_decref(whole);
    }
    text_clear(&fast);
    /* a poll that was parked while the wake was still on its way to the loop, or before the hub had heard of it */
    for (ask.since = d->w.last->first_pos; ask.since <= d->w.last->pos; ++ask.since) {
        assert_false(fast_path_answer(d->w.sync, &d->w.last, 1, &ask, &fast));
        assert_int_equal(fast.len, 0);
    }
    text_finish(&fast);
}

static bool devices_job(struct tx *tx, void *arg, struct error *e)
{
    struct day *d = arg;
    for (int i = 0; i < DEVICES; ++i)
        d->devices[i].no = devices_insert(tx, d->users[i % USERS], i < USERS ? "PHONE" : "TABLET", NULL, NULL);
    return true;
}

static void day_start(struct day *d, unsigned seed)
{
    struct error e;
    *d = (struct day){.seed = seed};
    world_start(&d->w);
    for (int i = 0; i < USERS; ++i)
        d->users[i] = fixture_user(&d->w.f, NAMES[i]);
    for (int i = 0; i < ROOMS; ++i) {
        d->rooms[i] = fixture_room(&d->w.f, d->users[0], "12", PRESET_PUBLIC_CHAT, NULL);
        d->room_ids[i] = world_room_id(&d->w, d->rooms[i]);
        for (int k = 1; k < USERS; ++k)
            assert_true(fixture_member(&d->w.f, d->rooms[i], ACT_JOIN, d->users[k], d->users[k], NULL));
    }
    for (int i = 0; i < DEVICES; ++i) {
        struct device *device = &d->devices[i];
        device->user = d->users[i % USERS];
        snprintf(device->user_id, sizeof device->user_id, "@%s:school.example", NAMES[i % USERS]);
        device->filter = world_filter(FILTERS[i % 3]);
    }
    assert_true(writer_run(d->w.f.writer, devices_job, d, &e));
}

static void day_stop(struct day *d)
{
    for (int i = 0; i < DEVICES; ++i)
        filter_unref(d->devices[i].filter);
    for (int i = 0; i < ROOMS; ++i)
        free(d->room_ids[i]);
    world_stop(&d->w);
}

static void run(unsigned seed)
{
    struct day d;
    day_start(&d, seed);
    for (int step = 0; step < STEPS; ++step) {
        DEEDS[pick(&d, (int)(sizeof DEEDS / sizeof *DEEDS))](&d, pick(&d, ROOMS), pick(&d, USERS));
        for (int i = 0; i < DEVICES; ++i)
            hear(&d, &d.devices[i]);
    }
    print_message("# fast %d, of several wakes %d, to who spoke %d; whole %d\n", d.fast, d.together, d.echoes, d.slow);
    assert_true(d.fast > d.slow / 2 && d.together > 10 && d.echoes > 10); /* or the test proves nothing */
    day_stop(&d);
}

static void both_ways_give_the_same_answer(void **state)
{
    for (unsigned seed = 1; seed <= 4; ++seed)
        run(seed);
}

/* --- A neighbour in the group that is rolled back --- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool entered, open;
    int told;
};

static bool wait_job(struct tx *tx, void *arg, struct error *e)
{
    struct gate *gate = arg;
    pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    pthread_cond_broadcast(&gate->moved);
    while (!gate->open)
        pthread_cond_wait(&gate->moved, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return true;
}

static void tell_gate(void *arg, bool ok)
{
    struct gate *gate = arg;
    pthread_mutex_lock(&gate->lock);
    gate->told += 1;
    pthread_cond_broadcast(&gate->moved);
    pthread_mutex_unlock(&gate->lock);
}

struct neighbour {
    struct day *d;
    bool refused;
    struct error e;
};

static bool neighbour_job(struct tx *tx, void *arg, struct error *e)
{
    struct neighbour *n = arg;
    struct appended out;
    json_t *content = json_pack("{s:s, s:s}", "body", "neighbour", "msgtype", "m.text");
    struct room *room = room_open(n->d->w.f.rooms, tx, n->d->rooms[0]);
    bool done = append_event(
        room, tx, &(struct draft){.sender = n->d->users[1], .type = "m.room.message", .content = content}, &out, e);
    json_decref(content);
    return done && (!n->refused || error_set(e, ERROR_FORBIDDEN, "no"));
}

/* One group: a message, and a job that changes the same room and is refused. What memory knew of the room is gone, but
 * everybody in it hears of the message, from a worker. */
static void after_a_rollback_a_worker_answers(void **state)
{
    struct day d;
    struct text fast = TEXT_INIT;
    struct error e;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};
    day_start(&d, 1);
    for (int i = 0; i < DEVICES; ++i)
        hear(&d, &d.devices[i]);
    struct neighbour said = {&d}, refused = {&d, true};
    stream_pos before = writer_pos(d.w.f.writer);
    writer_submit(d.w.f.writer, wait_job, &gate, &e, tell_gate, &gate);
    pthread_mutex_lock(&gate.lock);
    while (!gate.entered) /* the other two then make one group */
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    writer_submit(d.w.f.writer, neighbour_job, &said, &said.e, tell_gate, &gate);
    writer_submit(d.w.f.writer, neighbour_job, &refused, &refused.e, tell_gate, &gate);
    pthread_mutex_lock(&gate.lock);
    gate.open = true;
    pthread_cond_broadcast(&gate.moved);
    while (gate.told != 3)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    assert_int_equal(refused.e.code, ERROR_FORBIDDEN);
    assert_int_equal(d.w.last->n_users, USERS);
    for (int i = 0; i < DEVICES; ++i) {
        struct device *device = &d.devices[i];
        struct sync_request ask = {device->user, device->no, device->user_id, before, false, false, device->filter};
        assert_true(hub_last_change(d.w.hub, device->user) > before);
        assert_false(fast_path_answer(d.w.sync, &d.w.last, 1, &ask, &fast));
        json_t *whole = world_sync(&d.w, &ask, NULL, NULL);
        json_t *events =
            json_get_array(json_get_object(world_section(&d.w, whole, "join", d.rooms[0]), "timeline"), "events");
        assert_int_equal(json_array_size(events), 1);
        json_decref(whole);
    }
    text_finish(&fast);
    day_stop(&d);
}

/* --- What was taken --- */

/* As an erasure does it (G4): no event tells of it. */
static bool take_job(struct tx *tx, void *arg, struct error *e)
{
    const stream_pos *said = arg;
    return events_redact(tx, *said, *said, "{}");
}

static bool tells(struct text *out, const char *word)
{
    return out->len != 0 && strstr(out->data, word) != NULL;
}

/* A moment after it was said: whoever is late, and whoever it is under way to, is told what is left. */
static void what_was_taken_is_not_told_from_memory(void **state)
{
    struct day d;
    stream_pos upto;
    struct error e = {0};
    struct text fast = TEXT_INIT;
    struct fast_told told;
    day_start(&d, 1);
    for (int i = 0; i < DEVICES; ++i)
        hear(&d, &d.devices[i]);
    struct device *late = &d.devices[1];
    const struct sync_request ask = {
        .user = late->user, .device = late->no, .user_id = late->user_id, .since = late->since, .filter = late->filter};
    send(&d, 0, 0, "{\"body\":\"zq-word\",\"msgtype\":\"m.text\"}");
    assert_true(answer_fast(&d, late, &ask, &fast, &upto));
    assert_true(tells(&fast, "zq-word"));
    text_clear(&fast);
    assert_true(fast_path_room(d.w.sync, d.w.last, 0, &ask, late->no, 0, &fast, &told));
    assert_true(tells(&fast, "zq-word"));
    stream_pos said = events_last_pos(d.w.f.db, d.rooms[0], INT64_MAX);
    assert_true(writer_run(d.w.f.writer, take_job, &said, &e));
    text_clear(&fast);
    assert_false(answer_fast(&d, late, &ask, &fast, &upto));
    assert_false(fast_path_answer(d.w.sync, &d.w.last, 1, &ask, &fast));
    assert_false(fast_path_room(d.w.sync, d.w.last, 0, &ask, late->no, 0, &fast, &told));
    assert_int_equal(fast.len, 0);
    json_t *whole = world_sync(&d.w, &ask, NULL, NULL);
    char *text = json_dumps(whole, 0);
    assert_non_null(world_section(&d.w, whole, "join", d.rooms[0]));
    assert_null(strstr(text, "zq-word"));
    free(text);
    json_decref(whole);
    text_finish(&fast);
    day_stop(&d);
}

/* --- The token that was told comes back --- */

static void poll_of(struct server *server, const struct device *device, const char *since, struct last_told *told,
                    struct request *r)
{
    *r = (struct request){.server = server, .route = SYNC_ROUTES.table, .told = told, .n_query = 2};
    r->identity = (struct identity){.user = device->user, .device = device->no, .user_id = device->user_id};
    r->query[0] = (struct query_pair){.name = "since", .value = since};
    r->query[1] = (struct query_pair){.name = "timeout", .value = "30000"};
}

static void poll_over(struct request *r)
{
    reply_reset(&r->reply);
    if (r->poll.release != NULL)
        r->poll.release(r->poll.state);
}

/* A connection's next request most likely says what its last answer told, which need not be opened then; of another
 * person, or with another token, it is opened and is what it is. */
static void a_token_that_was_told_comes_back(void **state)
{
    struct day d;
    struct request r;
    struct last_told told = {0};
    struct text token = TEXT_INIT;
    char again[sizeof told.token];
    const struct long_poll_hooks *poll = SYNC_ROUTES.table->poll;
    day_start(&d, 1);
    struct device *boris = &d.devices[1], *clara = &d.devices[2];
    hear(&d, boris);
    hear(&d, clara);
    struct server server = {.writer = d.w.f.writer, .hub = d.w.hub, .sync = d.w.sync};
    token_add(&token, writer_incarnations(d.w.f.writer), boris->user, boris->since);
    poll_of(&server, boris, token.data, &told, &r);
    assert_true(poll->wait(&r));
    assert_int_equal(r.poll.since, boris->since);
    do_message(&d, 0, 0);
    assert_true(poll->answer(&r, d.w.last));
    assert_non_null(strstr(r.reply.body.data, token.data)); /* as prev_batch */
    assert_non_null(strstr(r.reply.body.data, told.token));
    assert_int_equal(told.pos, d.w.last->pos);
    assert_int_equal(world_position(&d.w, boris->user, told.token), told.pos);
    poll_over(&r);
    strcpy(again, told.token);
    poll_of(&server, boris, again, &told, &r);
    assert_true(poll->wait(&r));
    assert_int_equal(r.poll.since, told.pos);
    poll_over(&r);
    poll_of(&server, clara, again, &told, &r); /* whose token it is not */
    assert_false(poll->wait(&r));
    poll_over(&r);
    poll_of(&server, boris, token.data, &told, &r); /* an older one: there is news, a moment old */
    assert_false(poll->wait(&r));
    assert_true(poll->missed(&r));
    assert_non_null(strstr(r.reply.body.data, "good morning"));
    poll_over(&r);
    text_finish(&token);
    day_stop(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_is_not_told_from_memory),
        cmocka_unit_test(a_token_that_was_told_comes_back),
        cmocka_unit_test(both_ways_give_the_same_answer),
        cmocka_unit_test(after_a_rollback_a_worker_answers),
    };
    return cmocka_run_group_tests_name("fast_path", tests, NULL, NULL);
}
