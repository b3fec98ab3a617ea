/* Sliding sync on the loop and by a worker give the same answers: of each person one device is answered from the wake
 * wherever that is possible, the other always by a worker. PARTA_SEED runs one play alone. */
#include "tests/unit/sync_world.h"

#include "homeserver/sync/connections.h"
#include "homeserver/sync/sliding/live.h"

#define USERS 4
#define ROOMS 3
#define STEPS 300

struct device {
    user_no user;
    device_no device;
    char user_id[64], pos[TOKEN_POS_MAX + 1];
    stream_pos since;
};

struct play {
    struct world w;
    user_no users[USERS];
    room_no rooms[ROOMS];
    struct device devices[USERS][2];
    unsigned seed;
    int live, worked;
    const char *body;
};

static const char *const NAMES[USERS] = {"anna", "boris", "clara", "dmitri"};
static const char *const BODIES[] = {
    "{\"lists\":{\"all\":{\"ranges\":[[0,99]],\"timeline_limit\":1,\"required_state\":[[\"m.room.name\",\"\"],"
    "[\"m.room.member\",\"$LAZY\"]]}},\"extensions\":{\"typing\":{\"enabled\":true},\"receipts\":{\"enabled\":true},"
    "\"account_data\":{\"enabled\":true}}}",
    "{\"txn_id\":\"t\",\"lists\":{\"all\":{\"ranges\":[[0,9]],\"timeline_limit\":5,\"required_state\":[[\"*\",\"*\"]]},"
    "\"few\":{\"ranges\":[[0,99]],\"timeline_limit\":2,\"required_state\":[]}},\"extensions\":{\"e2ee\":{\"enabled\":"
    "true}}}",
    "{\"lists\":{\"top\":{\"ranges\":[[0,0]],\"timeline_limit\":5,\"required_state\":[]}}}",
};

static int pick(struct play *p, int n)
{
    p->seed = p->seed * 1103515245u + 12345u;
    return (int)((p->seed >> 16) % (unsigned)n);
}

static void do_something(struct play *p)
{
    struct error e;
    room_no room = p->rooms[pick(p, ROOMS)];
    user_no user = p->users[pick(p, USERS)];
    char content[128];
    switch (pick(p, 12)) {
    case 0: fixture_member(&p->w.f, room, ACT_LEAVE, user, user, &e); break;
    case 1:
    case 2: fixture_member(&p->w.f, room, ACT_JOIN, user, user, &e); break;
    case 3:
        snprintf(content, sizeof content, "{\"name\":\"Name %d\"}", pick(p, 100));
        fixture_send(&p->w.f, room, user, "m.room.name", "", content, NULL, NULL, &e);
        break;
    case 4: {
        char *id = events_id_of(p->w.f.db, events_last_pos(p->w.f.db, room, INT64_MAX));
        world_mark(&p->w, room, user, id, false, NULL);
        free(id);
        break;
    }
    case 5: fixture_send(&p->w.f, room, user, "m.reaction", NULL, "{}", NULL, NULL, &e); break;
    default:
        fixture_send(&p->w.f, room, user, pick(p, 4) == 0 ? "m.sticker" : "m.room.message", NULL,
                     "{\"msgtype\":\"m.text\",\"body\":\"hello\"}", NULL, NULL, &e);
    }
}

static struct sliding_asker asker_of(const struct device *d)
{
    return (struct sliding_asker){d->user, d->device, d->user_id, 7};
}

/* NULL: a worker must. */
static json_t *by_loop(struct play *p, struct device *d)
{
    struct error e = {0};
    struct text out = TEXT_INIT;
    const struct sliding_asker asker = asker_of(d);
    json_t *answer = NULL;
    if (d->pos[0] != '\0' && p->w.last != NULL &&
        sliding_live_answer(p->w.sync, p->w.last, &asker, d->since, d->pos, &out)) {
        answer = json_parse(out.data, out.len, &e);
        if (answer == NULL)
            fail_msg("not JSON: %s", out.data);
        d->since = p->w.last->pos;
    }
    text_finish(&out);
    return answer;
}

static json_t *by_worker(struct play *p, struct device *d, const struct sliding_request *ask)
{
    struct error e = {0};
    struct text out = TEXT_INIT;
    const struct sliding_asker asker = asker_of(d);
    assert_int_not_equal(sliding_answer(p->w.sync, p->w.f.db, &asker, ask, &out, &d->since, &e), SYNC_REFUSED);
    json_t *answer = json_parse(out.data, out.len, &e);
    assert_non_null(answer);
    text_finish(&out);
    return answer;
}

static void without_times(json_t *value)
{
    const char *key;
    json_t *inner;
    size_t i;
    json_object_del(value, "age");
    json_object_foreach(value, key, inner)
        without_times(inner);
    json_array_foreach(value, i, inner)
        without_times(inner);
}

static void compare(struct play *p, json_t *a, json_t *b, user_no user)
{
    json_t *both[] = {a, b};
    for (int i = 0; i < 2; ++i) {
        json_object_del(both[i], "pos");
        world_open_tokens(&p->w, user, both[i]);
        without_times(both[i]);
    }
    if (json_equal(a, b))
        return;
    char *x = json_dumps(a, JSON_SORT_KEYS), *y = json_dumps(b, JSON_SORT_KEYS);
    fail_msg("%s\n%s", x, y);
}

static void ask(struct play *p, struct device devices[2], json_t *body)
{
    struct error e = {0};
    struct sliding_request request;
    json_t *answers[2];
    bool live = false;
    for (int i = 0; i < 2; ++i) {
        struct device *d = &devices[i];
        assert_true(sliding_request_parse(&request, SLIDING_UNSTABLE, body, &e));
        request.pos = d->pos[0] != '\0' ? d->pos : NULL;
        answers[i] = i == 0 ? by_loop(p, d) : NULL;
        live |= answers[i] != NULL;
        if (answers[i] == NULL)
            answers[i] = by_worker(p, d, &request);
        snprintf(d->pos, sizeof d->pos, "%s", json_get_string(answers[i], "pos"));
        sliding_request_finish(&request);
    }
    p->live += live;
    p->worked += !live;
    compare(p, answers[0], answers[1], devices[0].user);
    json_decref(answers[0]);
    json_decref(answers[1]);
    bool known, again;
    struct connection_state *state =
        connections_take(p->w.sync->connections, (struct connections_owner){devices[0].user, devices[0].device},
                         connections_id(devices[0].device, ""), devices[0].pos, &known, &again);
    assert_non_null(state); /* the client comes with it next, and waits: a loop finds it then */
    connection_state_unref(state);
}

static void run(unsigned seed, const char *text, bool lives)
{
    struct play p = {.seed = seed, .body = text};
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    print_message("# seed %u\n", seed);
    world_start(&p.w);
    for (int i = 0; i < USERS; ++i)
        p.users[i] = fixture_user(&p.w.f, NAMES[i]);
    for (int i = 0; i < ROOMS; ++i) {
        p.rooms[i] = fixture_room(&p.w.f, p.users[0], "11", PRESET_PUBLIC_CHAT, NULL);
        for (int k = 1; k < USERS; ++k)
            fixture_member(&p.w.f, p.rooms[i], ACT_JOIN, p.users[k], p.users[k], NULL);
    }
    for (int i = 0; i < USERS; ++i)
        for (int k = 0; k < 2; ++k) {
            struct device *d = &p.devices[i][k];
            d->user = p.users[i];
            d->device = 1 + 2 * i + k;
            snprintf(d->user_id, sizeof d->user_id, "@%s:school.example", NAMES[i]);
        }
    for (int step = 0; step < STEPS; ++step) {
        if (step != 0)
            do_something(&p);
        for (int i = 0; i < USERS; ++i)
            if (step == 0 || pick(&p, 8) != 0)
                ask(&p, p.devices[i], body);
    }
    assert_int_equal(p.live > STEPS / 4, lives);
    assert_true(p.worked > STEPS / 4);
    json_decref(body);
    world_stop(&p.w);
}

static void both_ways_give_the_same_answer(void **state)
{
    const char *given = getenv("PARTA_SEED");
    for (unsigned seed = 1; seed <= (given == NULL ? 3 : 1); ++seed)
        for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; ++i)
            run(given == NULL ? seed : (unsigned)strtoul(given, NULL, 10), BODIES[i], i != 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways_give_the_same_answer)};
    return cmocka_run_group_tests_name("sliding_live", tests, NULL, NULL);
}
