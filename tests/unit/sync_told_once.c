/* A property of /sync: every event is told to every poll once, whatever pauses lie between the writer's commit, its
 * observers, the wake that the hub posts, the loop that hears of it and the answer; whatever else is in the group, and
 * whatever position it ends with.
 *
 * The writer really runs, and stands still where the test lets it: before the hub hears of a group, and again before
 * the wake is posted. Polls are what client-api/sync.c and http/dispatch.c make of them, step by step: they look
 * whether they may park, go to a worker, park again, hear of a wake, old ones too.
 *
 * Seeds are printed; PARTA_SEED runs one alone, PARTA_SEEDS_MS gives the random part more time. */
#include <pthread.h>

#include "tests/unit/sync_world.h"

#include "homeserver/base/clock.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/ephemeral.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/sync/recent_receipts.h"
#include "homeserver/sync/recent_wakes.h"

#define USERS 3
#define ROOMS 2
#define POLLS 8
#define STEPS 1200
#define WAKES_MAX 4096
#define JOBS_MAX 8192

/* --- Where the writer stands still --- */

enum stop { STOP_COMMITTED, STOP_POSTING, STOPS };

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool open;   /* nobody is stopped */
    int stands;  /* enum stop + 1; 0: it does not stand */
    bool go;     /* it may go on */
    int waiting; /* jobs that are not done yet */
};

static void stand(struct gate *gate, enum stop where)
{
    pthread_mutex_lock(&gate->lock);
    gate->stands = gate->open ? 0 : (int)where + 1;
    gate->go = false;
    pthread_cond_broadcast(&gate->moved);
    while (gate->stands != 0 && !gate->go && !gate->open)
        pthread_cond_wait(&gate->moved, &gate->lock);
    gate->stands = 0;
    pthread_mutex_unlock(&gate->lock);
}

/* Until it stands, or has nothing to do. */
static void settle(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->stands == 0 && gate->waiting != 0)
        pthread_cond_wait(&gate->moved, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void go_on(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->go = true;
    gate->stands = 0;
    pthread_cond_broadcast(&gate->moved);
    pthread_mutex_unlock(&gate->lock);
}

/* --- The play --- */

static const struct kind {
    const char *filter;
    bool state_after;
} KINDS[] = {
    {NULL, false},
    {"{\"room\":{\"state\":{\"lazy_load_members\":true},\"timeline\":{\"limit\":3}}}", false},
    {"{\"room\":{\"timeline\":{\"limit\":1}}}", true},
    {"{\"room\":{\"timeline\":{\"not_types\":[\"m.nothing\"]}}}", false}, /* never from fragments */
};
#define N_KINDS (sizeof KINDS / sizeof *KINDS)

struct poll {
    user_no user;
    const char *user_id;
    struct filter *filter;
    const struct kind *kind;
    enum { AT_CLIENT, AT_WORKER, PARKED } at;
    stream_pos since;         /* of the client, or where it waits */
    json_t *timelines[ROOMS]; /* array of event ids */
    int64_t data;             /* of the account data: the last number that was told */
};

struct deed {
    struct play *play;
    int what;
    room_no room;
    user_no user;
    int64_t n;
    struct error e;
};

/* Answers to polls that came late: of wakes that were kept, of several of them. */
struct late {
    int answered, together;
};

struct play {
    struct world w;
    struct gate gate;
    unsigned seed;
    user_no users[USERS];
    room_no rooms[ROOMS];
    char *room_ids[ROOMS];
    struct filter *filters[N_KINDS];
    struct poll polls[POLLS];
    struct wake *wakes[WAKES_MAX]; /* posted, not heard; guarded by gate.lock */
    size_t first, last;
    struct deed *deeds[JOBS_MAX];
    size_t n_deeds;
    int64_t data[USERS]; /* what each's account data was set to last */
    struct late late;
};

static const char *const IDS[USERS] = {"@anna:school.example", "@boris:school.example", "@clara:school.example"};

static int pick(struct play *p, int n)
{
    p->seed = p->seed * 1103515245u + 12345u;
    return (int)((p->seed >> 16) % (unsigned)n);
}

static void committed(void *self, const struct change *changes, size_t n)
{
    stand(&((struct play *)self)->gate, STOP_COMMITTED);
}

static void posted(void *self, struct wake *wake)
{
    struct play *p = self;
    stand(&p->gate, STOP_POSTING);
    pthread_mutex_lock(&p->gate.lock);
    assert_true(p->last < WAKES_MAX);
    p->wakes[p->last++] = wake_ref(wake);
    pthread_mutex_unlock(&p->gate.lock);
}

/* --- What happens --- */

static bool say(struct deed *d, struct tx *tx, const char *type, const char *state_key, json_t *content)
{
    struct appended out;
    struct draft draft = {.sender = d->user, .type = type, .state_key = state_key, .content = content};
    bool ok = append_event(room_open(d->play->w.f.rooms, tx, d->room), tx, &draft, &out, &d->e);
    json_decref(content);
    return ok;
}

static bool do_message(struct deed *d, struct tx *tx)
{
    return say(d, tx, "m.room.message", NULL, json_pack("{s:s,s:s}", "msgtype", "m.text", "body", "hello"));
}

static bool do_state(struct deed *d, struct tx *tx)
{
    return say(d, tx, "org.parta.test", "", json_pack("{s:I}", "n", (json_int_t)d->n));
}

static bool do_data(struct deed *d, struct tx *tx)
{
    char content[64];
    snprintf(content, sizeof content, "{\"n\":%lld}", (long long)d->n);
    return account_data_put(tx, d->user, 0, "org.parta.count", content);
}

/* The newest event of the room has been read. */
static bool do_receipt(struct deed *d, struct tx *tx)
{
    stream_pos event = events_last_pos(tx->db, d->room, INT64_MAX);
    char *id = events_id_of(tx->db, event);
    rooms_prepare_joined(d->play->w.f.rooms, tx, d->room);
    struct receipt_row row = {.room = d->room,
                              .user = d->user,
                              .type = d->n % 2 == 0 ? RECEIPT_READ : RECEIPT_READ_PRIVATE,
                              .thread = "",
                              .event_id = id,
                              .event_pos = event,
                              .ts = tx->now_ms,
                              .pos = tx_next_pos(tx)};
    recent_receipts_add(d->play->w.sync->recent_receipts, &row);
    bool ok = receipts_put(tx, &row);
    free(id);
    return ok;
}

static bool do_typing(struct deed *d, struct tx *tx)
{
    rooms_prepare_joined(d->play->w.f.rooms, tx, d->room);
    ephemeral_typing(tx, d->room);
    return true;
}

static bool do_nothing(struct deed *d, struct tx *tx)
{
    tx_next_pos(tx);
    return error_set(&d->e, ERROR_FORBIDDEN, "No.");
}

static bool (*const DEEDS[])(struct deed *d, struct tx *tx) = {do_message, do_message, do_message, do_state,
                                                               do_data,    do_receipt, do_typing,  do_nothing};

static bool deed_job(struct tx *tx, void *arg, struct error *e)
{
    struct deed *d = arg;
    return DEEDS[d->what](d, tx);
}

static void deed_done(void *arg, bool ok)
{
    struct play *p = ((struct deed *)arg)->play;
    pthread_mutex_lock(&p->gate.lock);
    p->gate.waiting -= 1;
    pthread_cond_broadcast(&p->gate.moved);
    pthread_mutex_unlock(&p->gate.lock);
}

/* While the writer stands, jobs gather for its next group. */
static void act(struct play *p)
{
    int at = pick(p, USERS);
    struct deed *d = xcalloc(1, sizeof *d);
    *d = (struct deed){p,
                       pick(p, (int)(sizeof DEEDS / sizeof *DEEDS)),
                       p->rooms[pick(p, ROOMS)],
                       p->users[at],
                       (int64_t)p->n_deeds + 1,
                       {0}};
    assert_true(p->n_deeds < JOBS_MAX);
    p->deeds[p->n_deeds++] = d;
    if (DEEDS[d->what] == do_data)
        p->data[at] = d->n;
    pthread_mutex_lock(&p->gate.lock);
    p->gate.waiting += 1;
    pthread_mutex_unlock(&p->gate.lock);
    writer_submit(p->w.f.writer, deed_job, d, &d->e, deed_done, d);
}

/* --- Polls --- */

static struct sync_request ask_of(const struct play *p, const struct poll *poll)
{
    return (struct sync_request){.user = poll->user,
                                 .device = poll - p->polls + 1,
                                 .user_id = poll->user_id,
                                 .since = poll->since,
                                 .use_state_after = poll->kind->state_after,
                                 .filter = poll->filter};
}

/* What the room has beyond from, up to there: what a client pages for where a timeline is limited. */
static void fill(struct play *p, struct poll *poll, int room, stream_pos from, stream_pos to)
{
    struct event_row row;
    struct stmt *q = events_forwards(p->w.f.db, p->rooms[room], from, to, INT64_MAX);
    while (events_next(q, &row))
        json_array_append_new(poll->timelines[room], json_string(row.event_id));
    stmt_end(q);
}

static void take_room(struct play *p, struct poll *poll, int room, json_t *timeline)
{
    size_t i, k;
    json_t *event, *known;
    if (json_is_true(json_object_get(timeline, "limited")))
        fill(p, poll, room, poll->since, world_position(&p->w, poll->user, json_get_string(timeline, "prev_batch")));
    json_array_foreach(json_get_array(timeline, "events"), i, event) {
        const char *id = json_get_string(event, "event_id");
        json_array_foreach(poll->timelines[room], k, known)
            if (strcmp(json_string_value(known), id) == 0)
                fail_msg("poll %td (%s) is told %s twice, since %lld", poll - p->polls, poll->user_id, id,
                         (long long)poll->since);
        json_array_append_new(poll->timelines[room], json_string(id));
    }
}

/* The client has its answer: account data never goes back, nor comes again. */
static void take(struct play *p, struct poll *poll, const struct text *body)
{
    size_t i;
    struct error e;
    json_t *answer = json_parse(body->data, body->len, &e), *event;
    assert_non_null(answer);
    json_array_foreach(world_events(answer, "account_data"), i, event) {
        if (strcmp(json_get_string(event, "type"), "org.parta.count") != 0)
            continue;
        int64_t n = json_get_int(json_get_object(event, "content"), "n", 0);
        assert_true(n > poll->data);
        poll->data = n;
    }
    for (int room = 0; room < ROOMS; ++room)
        take_room(p, poll, room, json_get_object(world_section(&p->w, answer, "join", p->rooms[room]), "timeline"));
    poll->since = world_position(&p->w, poll->user, json_get_string(answer, "next_batch"));
    poll->at = AT_CLIENT;
    json_decref(answer);
}

/* client-api/sync.c, wait and answer_missed. */
static void arrive(struct play *p, struct poll *poll)
{
    struct wake *wakes[RECENT_WAKES_MAX];
    struct text body = TEXT_INIT;
    struct sync_request ask = ask_of(p, poll);
    poll->at =
        poll->since < hub_last_change(p->w.hub, poll->user) || poll->since > hub_pos(p->w.hub) ? AT_WORKER : PARKED;
    if (poll->at == PARKED)
        return;
    size_t n = hub_missed(p->w.hub, poll->user, poll->since, wakes);
    if (fast_path_answer(p->w.sync, wakes, n, &ask, &body)) {
        p->late.answered += 1;
        p->late.together += n > 1;
        take(p, poll, &body);
    }
    for (size_t i = 0; i < n; ++i)
        wake_unref(wakes[i]);
    text_finish(&body);
}

/* client-api/sync.c, get_sync; http/dispatch.c, dispatch_again. */
static void work(struct play *p, struct poll *poll)
{
    struct error e = {0};
    struct text body = TEXT_INIT;
    stream_pos next;
    struct sync_request ask = ask_of(p, poll);
    enum sync_outcome outcome = v2_answer(p->w.sync, p->w.f.db, &ask, &body, &next, &e);
    assert_int_not_equal(outcome, SYNC_REFUSED);
    if (outcome == SYNC_NEWS)
        take(p, poll, &body);
    else {
        poll->since = next;
        poll->at = hub_last_change(p->w.hub, poll->user) > next ? AT_WORKER : PARKED;
    }
    text_finish(&body);
}

/* http/dispatch.c, dispatch_news; client-api/sync.c, answer_wake. */
static void hear(struct play *p, struct poll *poll, struct wake *wake)
{
    struct text body = TEXT_INIT;
    if (poll->at != PARKED || !wake_concerns(wake, poll->user) || wake->pos <= poll->since)
        return;
    struct sync_request ask = ask_of(p, poll);
    if (fast_path_answer(p->w.sync, &wake, 1, &ask, &body))
        take(p, poll, &body);
    else
        poll->at = AT_WORKER;
    text_finish(&body);
}

/* The loop hears of the next wake. */
static bool deliver(struct play *p)
{
    pthread_mutex_lock(&p->gate.lock);
    struct wake *wake = p->first < p->last ? p->wakes[p->first++] : NULL;
    pthread_mutex_unlock(&p->gate.lock);
    for (int i = 0; wake != NULL && i < POLLS; ++i)
        hear(p, &p->polls[i], wake);
    wake_unref(wake);
    return wake != NULL;
}

static void step_poll(struct play *p, struct poll *poll)
{
    if (poll->at == AT_CLIENT)
        arrive(p, poll);
    else if (poll->at == AT_WORKER)
        work(p, poll);
}

/* --- Beginning, end --- */

static void play_start(struct play *p, unsigned seed)
{
    static const char *const NAMES[USERS] = {"anna", "boris", "clara"};
    *p = (struct play){.seed = seed, .gate = {.open = true}};
    pthread_mutex_init(&p->gate.lock, NULL);
    pthread_cond_init(&p->gate.moved, NULL);
    world_start_behind(&p->w, committed, p);
    hub_listen(p->w.hub, posted, p);
    for (int i = 0; i < USERS; ++i)
        p->users[i] = fixture_user(&p->w.f, NAMES[i]);
    for (int i = 0; i < ROOMS; ++i) {
        p->rooms[i] = fixture_room(&p->w.f, p->users[0], "12", PRESET_PUBLIC_CHAT, NULL);
        p->room_ids[i] = world_room_id(&p->w, p->rooms[i]);
        assert_true(fixture_send(&p->w.f, p->rooms[i], p->users[0], "m.room.power_levels", "",
                                 "{\"users\":{},\"state_default\":0,\"events\":{}}", NULL, NULL, NULL));
        for (int k = 1; k < USERS; ++k)
            assert_true(fixture_member(&p->w.f, p->rooms[i], ACT_JOIN, p->users[k], p->users[k], NULL));
    }
    for (size_t i = 0; i < N_KINDS; ++i)
        p->filters[i] = world_filter(KINDS[i].filter);
    while (deliver(p))
        ;
    for (int i = 0; i < POLLS; ++i) {
        struct poll *poll = &p->polls[i];
        *poll = (struct poll){.user = p->users[i % USERS],
                              .user_id = IDS[i % USERS],
                              .filter = p->filters[(size_t)i % N_KINDS],
                              .kind = &KINDS[(size_t)i % N_KINDS],
                              .since = 0};
        for (int room = 0; room < ROOMS; ++room)
            poll->timelines[room] = json_array();
        work(p, poll);
        for (int room = 0; room < ROOMS; ++room) {
            json_array_clear(poll->timelines[room]);
            fill(p, poll, room, 0, poll->since);
        }
    }
    pthread_mutex_lock(&p->gate.lock);
    p->gate.open = false;
    pthread_mutex_unlock(&p->gate.lock);
}

/* Everything comes to its end: nothing may be left that no poll was told. */
static void come_to_rest(struct play *p)
{
    struct event_row row;
    pthread_mutex_lock(&p->gate.lock);
    p->gate.open = true;
    pthread_mutex_unlock(&p->gate.lock);
    go_on(&p->gate);
    settle(&p->gate);
    while (deliver(p))
        ;
    for (int i = 0; i < POLLS; ++i) {
        struct poll *poll = &p->polls[i];
        while (poll->at != PARKED)
            step_poll(p, poll);
        assert_int_equal(poll->data, p->data[i % USERS]);
        for (int room = 0; room < ROOMS; ++room) {
            size_t n = 0;
            struct stmt *q = events_forwards(p->w.f.db, p->rooms[room], 0, INT64_MAX, INT64_MAX);
            while (events_next(q, &row)) {
                const char *id = json_string_value(json_array_get(poll->timelines[room], n++));
                if (id == NULL || strcmp(id, row.event_id) != 0)
                    fail_msg("poll %d (%s): event %zu at %lld is not told in its place, but %s", i, poll->user_id, n,
                             (long long)row.pos, id != NULL ? id : "nothing");
            }
            stmt_end(q);
            assert_int_equal(json_array_size(poll->timelines[room]), n);
        }
    }
}

static void play_stop(struct play *p)
{
    for (int i = 0; i < POLLS; ++i)
        for (int room = 0; room < ROOMS; ++room)
            json_decref(p->polls[i].timelines[room]);
    for (size_t i = 0; i < N_KINDS; ++i)
        filter_unref(p->filters[i]);
    for (size_t i = 0; i < p->n_deeds; ++i)
        free(p->deeds[i]);
    for (int i = 0; i < ROOMS; ++i)
        free(p->room_ids[i]);
    world_stop(&p->w);
    pthread_cond_destroy(&p->gate.moved);
    pthread_mutex_destroy(&p->gate.lock);
}

static struct late run(unsigned seed)
{
    struct play *p = xcalloc(1, sizeof *p);
    print_message("# seed %u\n", seed);
    play_start(p, seed);
    for (int i = 0; i < STEPS; ++i) {
        switch (pick(p, 12)) {
        case 0:
        case 1:
        case 2: act(p); break;
        case 3: go_on(&p->gate); break;
        case 4:
        case 5: deliver(p); break;
        default: step_poll(p, &p->polls[pick(p, POLLS)]);
        }
        settle(&p->gate);
    }
    come_to_rest(p);
    struct late late = p->late;
    play_stop(p);
    free(p);
    return late;
}

static void seeds_that_are_known(void)
{
    struct late sum = {0};
    for (unsigned seed = 1; seed <= 10; ++seed) {
        struct late late = run(seed);
        sum.answered += late.answered;
        sum.together += late.together;
    }
    print_message("# late %d, of several wakes %d\n", sum.answered, sum.together);
    assert_true(sum.answered > 0 && sum.together > 0); /* or nothing is proved of them */
}

static void every_event_is_told_once(void **state)
{
    const char *given = getenv("PARTA_SEED"), *budget = getenv("PARTA_SEEDS_MS");
    if (given != NULL) {
        run((unsigned)strtoul(given, NULL, 10));
        return;
    }
    seeds_that_are_known();
    int64_t until = clock_wall_ms() + (budget != NULL ? atoll(budget) : 2000);
    for (unsigned seed = (unsigned)clock_wall_ms(); clock_wall_ms() < until; ++seed)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_event_is_told_once)};
    return cmocka_run_group_tests_name("sync_told_once", tests, NULL, NULL);
}
