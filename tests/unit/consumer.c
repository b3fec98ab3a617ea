/* A stream consumer that only tests have: order, at least once also after kill -9, back-off, and a dead destination
 * that delays no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/jobs/consumer.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/store/matrix/consumers.h"
#include "homeserver/store/matrix/events.h"
#include "tests/unit/fixture.h"
#include "tests/unit/http_service.h"

#define HEARD_MAX 4096
#define BATCH 5

/* What one destination heard, and what it says to batches. */
struct ear {
    const char *name;
    pthread_mutex_t lock;
    stream_pos heard[HEARD_MAX], after[HEARD_MAX], upto[HEARD_MAX]; /* events; batches */
    int counts[HEARD_MAX];                                          /* events in a batch */
    int64_t at_ms[HEARD_MAX];                                       /* of batches */
    int n, batches;
    enum consumer_verdict says;
    _Atomic int then_done_after; /* batches; then it says CONSUMER_DONE */
};

struct world {
    struct fixture f;
    room_no room;
    user_no anna;
    struct consumer *consumer;
    struct ear ears[2];
    struct outgoing *outgoing;
    struct http_service *services[2]; /* of the ears, for handle_by_http */
    void (*during)(struct world *w);  /* called by handle, once */
    int attempt_ms;                   /* of handle_by_http; 0: 1000 */
};

static struct ear *ear_of(struct world *w, const char *name)
{
    return &w->ears[strcmp(name, w->ears[0].name) == 0 ? 0 : 1];
}

static void listen_to(struct ear *ear, const struct consumer_batch *batch)
{
    struct event_row row;
    pthread_mutex_lock(&ear->lock);
    assert_true(ear->batches < HEARD_MAX);
    ear->after[ear->batches] = batch->after;
    ear->upto[ear->batches] = batch->upto;
    ear->at_ms[ear->batches++] = clock_mono_ms();
    while (events_next(batch->events, &row)) {
        assert_true(ear->n < HEARD_MAX && row.pos > batch->after && row.pos <= batch->upto);
        ear->heard[ear->n++] = row.pos;
        ++ear->counts[ear->batches - 1];
    }
    pthread_mutex_unlock(&ear->lock);
}

static enum consumer_verdict handle(void *self, const struct consumer_batch *batch)
{
    struct world *w = self;
    struct ear *ear = ear_of(w, batch->destination);
    listen_to(ear, batch);
    if (w->during != NULL) {
        void (*during)(struct world * w) = w->during;
        w->during = NULL;
        during(w);
    }
    return ear->batches > ear->then_done_after ? CONSUMER_DONE : ear->says;
}

static void consume(struct world *w, const struct consumer_settings *how)
{
    struct consumer_settings settings = *how;
    settings.name = "test";
    settings.self = w;
    settings.writer = w->f.writer;
    settings.batch_max = settings.batch_max != 0 ? settings.batch_max : BATCH;
    settings.backoff_ms = 40;
    w->consumer = consumer_start(&settings);
    assert_non_null(w->consumer);
    writer_observe(w->f.writer, consumer_observe, w->consumer);
}

static void start(struct world *w)
{
    static const struct consumer_settings PLAIN = {.handle = handle};
    *w = (struct world){.ears = {{.name = "one"}, {.name = "two"}}};
    for (int i = 0; i < 2; ++i)
        pthread_mutex_init(&w->ears[i].lock, NULL);
    fixture_start(&w->f);
    consume(w, &PLAIN);
    w->anna = fixture_user(&w->f, "anna");
    w->room = fixture_room(&w->f, w->anna, "12", PRESET_PRIVATE_CHAT, NULL);
}

static void stop(struct world *w)
{
    consumer_stop(w->consumer);
    fixture_stop(&w->f);
    consumer_destroy(w->consumer);
    for (int i = 0; i < 2; ++i)
        pthread_mutex_destroy(&w->ears[i].lock);
}

static void add(struct world *w, const char *name)
{
    struct error e;
    assert_true(consumer_add(w->consumer, name, &e));
}

static stream_pos say(struct world *w)
{
    struct appended out;
    assert_true(fixture_send(&w->f, w->room, w->anna, "m.room.message", NULL, "{\"body\":\"x\",\"msgtype\":\"m.text\"}",
                             NULL, &out, NULL));
    return out.pos;
}

static int heard(struct ear *ear)
{
    pthread_mutex_lock(&ear->lock);
    int n = ear->n;
    pthread_mutex_unlock(&ear->lock);
    return n;
}

static bool hears(struct ear *ear, int n, int64_t within_ms)
{
    for (int64_t end = clock_mono_ms() + within_ms; heard(ear) < n && clock_mono_ms() < end;)
        usleep(1000);
    return heard(ear) >= n;
}

static stream_pos cursor(struct world *w, const char *name)
{
    return consumers_pos(w->f.db, "test", name);
}

static bool cursor_reaches(struct world *w, const char *name, stream_pos pos)
{
    for (int64_t end = clock_mono_ms() + 60000; cursor(w, name) < pos && clock_mono_ms() < end;)
        usleep(1000);
    return cursor(w, name) >= pos;
}

static void events_come_in_order_and_whole(void **state)
{
    struct world w;
    stream_pos sent[37];
    start(&w);
    add(&w, "one");
    for (int i = 0; i < 37; ++i)
        sent[i] = say(&w);
    assert_true(hears(&w.ears[0], 37, 60000));
    assert_true(cursor_reaches(&w, "one", sent[36]));
    assert_int_equal(w.ears[0].n, 37);
    for (int i = 0; i < 37; ++i)
        assert_int_equal(w.ears[0].heard[i], sent[i]);
    for (int i = 1; i < w.ears[0].batches; ++i)
        assert_int_equal(w.ears[0].after[i], w.ears[0].upto[i - 1]); /* no gap, no overlap */
    assert_int_equal(consumer_counts(w.consumer).done, w.ears[0].batches);
    stop(&w);
}

/* A burst is handed over in batches of the size that was asked for. */
static void batches_are_bounded(void **state)
{
    struct world w;
    start(&w);
    add(&w, "one");
    w.ears[0].says = CONSUMER_AGAIN;
    w.ears[0].then_done_after = HEARD_MAX;
    say(&w);
    assert_true(hears(&w.ears[0], 1, 60000));
    stream_pos last = 0;
    for (int i = 0; i < 22; ++i)
        last = say(&w);
    w.ears[0].then_done_after = 0;
    assert_true(cursor_reaches(&w, "one", last));
    int sum = 0, at = w.ears[0].batches - 5; /* of 5, 5, 5, 5 and 2, after the first, which was repeated */
    for (int i = 0; i < w.ears[0].batches; ++i)
        assert_int_equal(w.ears[0].counts[i], i < at ? 1 : i < at + 4 ? BATCH : 2);
    for (int i = at; i < w.ears[0].batches; ++i)
        sum += w.ears[0].counts[i];
    assert_int_equal(sum, 22);
    stop(&w);
}

/* The very same batch, also when there is more by then; later each time. */
static void what_is_to_be_done_again_is_the_same_batch_later(void **state)
{
    struct world w;
    start(&w);
    w.ears[0].says = CONSUMER_AGAIN;
    w.ears[0].then_done_after = 4;
    add(&w, "one");
    stream_pos first = say(&w);
    assert_true(hears(&w.ears[0], 1, 60000));
    stream_pos last = say(&w);
    assert_true(cursor_reaches(&w, "one", last));
    struct ear *ear = &w.ears[0];
    assert_true(ear->batches >= 6);
    for (int i = 0; i < 5; ++i) {
        assert_int_equal(ear->after[i], ear->after[0]);
        assert_int_equal(ear->upto[i], ear->upto[0]);
        assert_int_equal(ear->heard[i], first);
    }
    assert_int_equal(ear->heard[5], last);
    static const int64_t LEAST_MS[] = {40, 80, 160, 320};
    for (int i = 0; i < 4; ++i)
        assert_true(ear->at_ms[i + 1] - ear->at_ms[i] >= LEAST_MS[i]);
    stop(&w);
}

static void what_is_skipped_is_passed_over(void **state)
{
    struct world w;
    start(&w);
    w.ears[0].says = CONSUMER_SKIP;
    w.ears[0].then_done_after = 1;
    add(&w, "one");
    say(&w);
    assert_true(hears(&w.ears[0], 1, 60000));
    stream_pos last = say(&w);
    assert_true(cursor_reaches(&w, "one", last));
    assert_int_equal(w.ears[0].n, 2); /* the first was not told again */
    assert_int_equal(consumer_counts(w.consumer).skipped, 1);
    stop(&w);
}

static void a_destination_begins_now_and_can_go(void **state)
{
    struct world w;
    struct error e;
    char name[CONSUMER_DESTINATION_BYTES_MAX + 2];
    start(&w);
    say(&w);
    add(&w, "one");
    add(&w, "one"); /* nothing new */
    assert_int_equal(consumer_counts(w.consumer).destinations, 1);
    stream_pos pos = say(&w);
    assert_true(cursor_reaches(&w, "one", pos));
    assert_int_equal(w.ears[0].n, 1);
    assert_int_equal(w.ears[0].heard[0], pos);
    assert_true(consumer_remove(w.consumer, "one", &e));
    assert_int_equal(cursor(&w, "one"), -1);
    say(&w);
    usleep(50000);
    assert_int_equal(heard(&w.ears[0]), 1);
    add(&w, "one");
    pos = say(&w);
    assert_true(cursor_reaches(&w, "one", pos));
    assert_int_equal(w.ears[0].n, 2);
    assert_int_equal(w.ears[0].heard[1], pos);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(consumer_add(w.consumer, name, &e));
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
    stop(&w);
}

static void a_restart_goes_on_where_it_was(void **state)
{
    static const struct consumer_settings PLAIN = {.handle = handle};
    struct world w;
    start(&w);
    add(&w, "one");
    add(&w, "two");
    w.ears[1].says = CONSUMER_AGAIN;
    w.ears[1].then_done_after = HEARD_MAX;
    for (int i = 0; i < 3; ++i)
        say(&w);
    assert_true(hears(&w.ears[0], 3, 60000) && hears(&w.ears[1], 1, 60000));
    consumer_stop(w.consumer); /* which writes the cursors */
    fixture_restart(&w.f);
    consumer_destroy(w.consumer);
    int before = heard(&w.ears[1]);
    w.ears[1].then_done_after = 0;
    consume(&w, &PLAIN);
    stream_pos last = say(&w);
    assert_true(cursor_reaches(&w, "one", last) && cursor_reaches(&w, "two", last));
    assert_int_equal(w.ears[0].n, 4);             /* nothing twice after a clean stop */
    assert_true(heard(&w.ears[1]) >= before + 4); /* and nothing lost where it was not done */
    stop(&w);
}

/* Batches with nothing for a destination are not worth a write each; the end writes how far it came. */
static void nothing_is_not_written_down(void **state)
{
    static const struct consumer_settings PLAIN = {.handle = handle};
    struct world w;
    start(&w);
    add(&w, "one");
    stream_pos begin = cursor(&w, "one"), last = 0;
    w.ears[0].says = CONSUMER_NOTHING;
    w.ears[0].then_done_after = HEARD_MAX;
    for (int i = 0; i < 3; ++i) {
        last = say(&w);
        assert_true(hears(&w.ears[0], i + 1, 60000));
    }
    assert_int_equal(cursor(&w, "one"), begin);
    consumer_stop(w.consumer);
    assert_true(cursor(&w, "one") >= last);
    fixture_restart(&w.f);
    consumer_destroy(w.consumer);
    consume(&w, &PLAIN);
    say(&w);
    assert_true(hears(&w.ears[0], 4, 60000));
    assert_int_equal(w.ears[0].n, 4); /* each once */
    stop(&w);
}

static bool profile_job(struct tx *tx, void *arg, struct error *e)
{
    stream_pos *pos = arg;
    *pos = tx_next_pos(tx);
    tx_change(tx, (struct change){.kind = CHANGE_PROFILE, .pos = *pos});
    return true;
}

/* Other changes wake who asks for them: a batch without events, which says up to where. */
static void other_changes_wake_who_wants_them(void **state)
{
    static const unsigned WAKES[] = {0, 1u << CHANGE_EVENT | 1u << CHANGE_PROFILE};
    for (int i = 0; i < 2; ++i) {
        const struct consumer_settings settings = {.handle = handle, .wakes = WAKES[i]};
        struct world w;
        struct error e;
        stream_pos pos;
        start(&w);
        consumer_stop(w.consumer);
        fixture_restart(&w.f);
        consumer_destroy(w.consumer);
        consume(&w, &settings);
        add(&w, "one");
        assert_true(cursor_reaches(&w, "one", say(&w)));
        int batches = w.ears[0].batches;
        assert_true(writer_run(w.f.writer, profile_job, &pos, &e));
        if (i == 0)
            usleep(50000);
        else
            assert_true(cursor_reaches(&w, "one", pos));
        assert_int_equal(w.ears[0].batches, batches + i);
        assert_int_equal(w.ears[0].n, 1);
        stop(&w);
    }
}

static void fail_the_next_write(struct world *w)
{
    db_fail_after(writer_db_for_tests(w->f.writer), 1); /* no job runs: the test waits */
}

/* The batch was done, its cursor could not be written: it is written later, and nothing is told twice meanwhile. */
static void a_cursor_that_cannot_be_written_waits(void **state)
{
    struct world w;
    start(&w);
    add(&w, "one");
    w.during = fail_the_next_write;
    stream_pos pos = say(&w);
    assert_true(hears(&w.ears[0], 1, 60000));
    assert_true(cursor_reaches(&w, "one", pos));
    assert_int_equal(w.ears[0].batches, 1);
    stop(&w);
}

/* --- Destinations elsewhere --- */

struct sending {
    struct world *w;
    struct consumer_ticket ticket;
};

static void sent(void *arg, bool delivered, struct outgoing_reply *reply)
{
    struct sending *sending = arg;
    consumer_finish(&sending->ticket, delivered ? CONSUMER_DONE : CONSUMER_AGAIN,
                    reply->retry_after_ms > 0 ? reply->retry_after_ms : 0);
    free(sending);
}

/* As an application service or a push gateway would be spoken to: one attempt; to try again is the consumer's. */
static enum consumer_verdict handle_by_http(void *self, const struct consumer_batch *batch)
{
    struct world *w = self;
    struct ear *ear = ear_of(w, batch->destination);
    struct sending *sending = xcalloc(1, sizeof *sending);
    struct text body = TEXT_INIT;
    struct event_row row;
    char url[96];
    *sending = (struct sending){w, batch->ticket};
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%lld-%lld", http_service_port(w->services[ear - w->ears]),
             (long long)batch->after, (long long)batch->upto);
    while (events_next(batch->events, &row))
        text_addf(&body, "%lld\n", (long long)row.pos);
    struct outgoing_request request = {.what = "test",
                                       .url = url,
                                       .network = OUTGOING_ANY,
                                       .body = body.data,
                                       .body_len = body.len,
                                       .deadline_ms = INT64_MAX,
                                       .attempts_max = 1,
                                       .attempt_ms = w->attempt_ms != 0 ? w->attempt_ms : 1000};
    bool taken = outgoing_send(w->outgoing, &request, &(struct outgoing_handler){.done = sent, .arg = sending});
    text_finish(&body);
    if (taken)
        return CONSUMER_PENDING;
    free(sending);
    return CONSUMER_AGAIN;
}

/* Positions that a service was told, one a line, of all requests from the one with that number on. */
static int told(struct http_service *service, int from, stream_pos out[HEARD_MAX])
{
    int n = 0;
    char *request;
    for (int i = from; (request = http_service_request(service, i)) != NULL; ++i) {
        for (char *at = strstr(request, "\r\n\r\n") + 4; *at != '\0' && n < HEARD_MAX; at = strchr(at, '\n') + 1)
            out[n++] = strtoll(at, NULL, 10);
        free(request);
    }
    return n;
}

static bool is_told(struct http_service *service, int n, int64_t within_ms)
{
    static stream_pos ignored[HEARD_MAX];
    for (int64_t end = clock_mono_ms() + within_ms; clock_mono_ms() < end; usleep(2000))
        if (told(service, 0, ignored) >= n)
            return true;
    return false;
}

#define DEAD_MS 5000 /* an attempt at it: far more than a busy machine delays anybody */

static void a_dead_destination_delays_no_other(void **state)
{
    static const struct consumer_settings BY_HTTP = {.handle = handle_by_http};
    static stream_pos got[HEARD_MAX];
    struct world w;
    stream_pos sent_pos[60];
    start(&w);
    consumer_stop(w.consumer);
    fixture_restart(&w.f);
    consumer_destroy(w.consumer);
    w.outgoing = outgoing_create(NULL);
    w.attempt_ms = DEAD_MS;
    for (int i = 0; i < 2; ++i)
        w.services[i] = http_service_start();
    http_service_set(w.services[0], SERVICE_SILENT, 200, "", "", 0);
    consume(&w, &BY_HTTP);
    add(&w, "one"); /* the dead one is asked first each time */
    add(&w, "two");
    for (int i = 0; i < 60; ++i) {
        usleep(100000); /* six seconds in all: more than one attempt at the dead one */
        int64_t began = clock_mono_ms();
        sent_pos[i] = say(&w);
        assert_true(is_told(w.services[1], i + 1, 60000));
        if (clock_mono_ms() - began > DEAD_MS - 500)
            fail_msg("after %lld ms", (long long)(clock_mono_ms() - began));
    }
    assert_true(cursor_reaches(&w, "two", sent_pos[59]));
    assert_int_equal(told(w.services[1], 0, got), 60);
    assert_memory_equal(got, sent_pos, sizeof sent_pos);
    int failed = http_service_requests(w.services[0]);
    assert_true(failed >= 1);
    assert_true(cursor(&w, "one") < sent_pos[0]);
    assert_int_equal(consumer_counts(w.consumer).failing, 1);
    http_service_set(w.services[0], SERVICE_ANSWERS, 200, "", "", 0); /* it is back */
    assert_true(cursor_reaches(&w, "one", sent_pos[59]));
    int n = told(w.services[0], 0, got), next = 0;
    for (int i = 0; i < n; ++i) { /* the first batch often, then each in order, nothing left out */
        if (got[i] == sent_pos[next])
            ++next;
        else
            assert_true(got[i] <= sent_pos[next > 0 ? next - 1 : 0]);
    }
    assert_int_equal(next, 60);
    outgoing_stop(w.outgoing, 1000);
    stop(&w);
    outgoing_destroy(w.outgoing);
    for (int i = 0; i < 2; ++i)
        http_service_stop(w.services[i]);
}

/* Removed while a batch is under way: what comes of it is heard by nobody. */
static void a_pending_batch_of_a_removed_destination_ends_unheard(void **state)
{
    static const struct consumer_settings BY_HTTP = {.handle = handle_by_http};
    struct world w;
    struct error e;
    start(&w);
    consumer_stop(w.consumer);
    fixture_restart(&w.f);
    consumer_destroy(w.consumer);
    w.outgoing = outgoing_create(NULL);
    for (int i = 0; i < 2; ++i)
        w.services[i] = http_service_start();
    http_service_set(w.services[0], SERVICE_SILENT, 200, "", "", 0);
    consume(&w, &BY_HTTP);
    add(&w, "one");
    say(&w);
    assert_true(is_told(w.services[0], 1, 60000));
    assert_true(consumer_remove(w.consumer, "one", &e));
    add(&w, "one");
    usleep(1200000); /* the attempt has failed meanwhile */
    assert_int_equal(http_service_requests(w.services[0]), 1);
    assert_int_equal(consumer_counts(w.consumer).failing, 0);
    consumer_stop(w.consumer); /* also with one pending: it does not wait */
    outgoing_stop(w.outgoing, 0);
    stop(&w);
    outgoing_destroy(w.outgoing);
    for (int i = 0; i < 2; ++i)
        http_service_stop(w.services[i]);
}

/* --- kill -9 --- */

static int heard_fd;

/* The effect is a line in a file, which a killed process has written or has not. */
static enum consumer_verdict write_down(void *self, const struct consumer_batch *batch)
{
    struct event_row row;
    struct text lines = TEXT_INIT;
    while (events_next(batch->events, &row))
        text_addf(&lines, "%lld\n", (long long)row.pos);
    bool written = lines.len == 0 || write(heard_fd, lines.data, lines.len) == (ssize_t)lines.len;
    text_finish(&lines);
    return written ? CONSUMER_DONE : CONSUMER_AGAIN;
}

/* Sends until it is killed. */
static void live_until_killed(struct world *w)
{
    static const struct consumer_settings WRITING = {.handle = write_down};
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test itself be killed */
    alarm(60);
    fixture_open(&w->f);
    (void)!write(heard_fd, "-\n", 2); /* a life begins */
    consume(w, &WRITING);
    for (;;)
        say(w);
}

#define LIVES 12

/* Each life hears on from what the one before had done at most, in order, and whatever was committed is heard by the
 * end; told twice is at most what was under way when the kill came. */
static void check_lives(struct world *w, stream_pos begin, FILE *file)
{
    static stream_pos committed[1 << 20];
    char line[64];
    int n = 0, next = 0, twice = 0, lives = 0;
    stream_pos last = 0;
    struct event_row row;
    struct stmt *q = events_of_stream(w->f.db, begin, INT64_MAX);
    while (events_next(q, &row) && n < 1 << 20)
        committed[n++] = row.pos;
    stmt_end(q);
    while (fgets(line, sizeof line, file) != NULL) {
        stream_pos pos = strtoll(line, NULL, 10);
        if (line[0] == '-') {
            ++lives;
            last = 0;
            continue;
        }
        assert_true(pos > last); /* in order, within a life */
        last = pos;
        if (next < n && pos == committed[next]) {
            ++next;
            continue;
        }
        assert_true(next > 0 && pos <= committed[next - 1]); /* nothing was left out before it */
        ++twice;
    }
    assert_int_equal(lives, LIVES + 1);
    assert_int_equal(next, n);
    print_message("# %d events, %d of them twice, in %d lives\n", n, twice, LIVES);
    assert_true(n > LIVES);
    assert_true(twice <= LIVES * BATCH * 2);
}

static void nothing_is_lost_by_kill_9(void **state)
{
    static const struct consumer_settings WRITING = {.handle = write_down};
    struct world w;
    char path[128];
    start(&w);
    add(&w, "one");
    stream_pos begin = cursor(&w, "one");
    consumer_stop(w.consumer);
    snprintf(path, sizeof path, "%s/heard", w.f.dir);
    heard_fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    assert_true(heard_fd >= 0);
    fixture_close(&w.f);
    consumer_destroy(w.consumer);
    for (int i = 0; i < LIVES; ++i) {
        off_t before = lseek(heard_fd, 0, SEEK_END);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            live_until_killed(&w); /* never returns */
        for (int64_t end = clock_mono_ms() + 60000; lseek(heard_fd, 0, SEEK_END) == before && clock_mono_ms() < end;)
            usleep(1000); /* until it lives: a busy machine takes its time */
        usleep(100000 + (useconds_t)(i * 37 % 13) * 10000);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    fixture_open(&w.f);
    (void)!write(heard_fd, "-\n", 2);
    consume(&w, &WRITING);
    stream_pos last = say(&w);
    assert_true(cursor_reaches(&w, "one", last));
    consumer_stop(w.consumer);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    check_lives(&w, begin, file);
    fclose(file);
    close(heard_fd);
    unlink(path);
    stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_in_order_and_whole),
        cmocka_unit_test(batches_are_bounded),
        cmocka_unit_test(what_is_to_be_done_again_is_the_same_batch_later),
        cmocka_unit_test(what_is_skipped_is_passed_over),
        cmocka_unit_test(a_destination_begins_now_and_can_go),
        cmocka_unit_test(a_restart_goes_on_where_it_was),
        cmocka_unit_test(nothing_is_not_written_down),
        cmocka_unit_test(other_changes_wake_who_wants_them),
        cmocka_unit_test(a_cursor_that_cannot_be_written_waits),
        cmocka_unit_test(a_dead_destination_delays_no_other),
        cmocka_unit_test(a_pending_batch_of_a_removed_destination_ends_unheard),
        cmocka_unit_test(nothing_is_lost_by_kill_9),
    };
    if (!crypto_start())
        return 1;
    return cmocka_run_group_tests_name("consumer", tests, NULL, NULL);
}
