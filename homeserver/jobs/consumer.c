#include "homeserver/jobs/consumer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/base/backoff.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/base/timed_thread.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/consumers.h"
#include "homeserver/store/matrix/events.h"

#define BATCH_EVENTS 100
#define BACKOFF_FIRST_MS 1000
#define WAIT_MAX_MS HOUR_MS /* what the other side may ask for */
#define RETRY_MS 1000       /* after the database failed */
#define LAG_MAX 1000        /* positions that a cursor on disk is behind, while there is nothing for its destination */

struct answer {
    bool there;
    enum consumer_verdict verdict;
    int64_t wait_ms;
};

/* Only the thread takes one off the table, so that it may hold one without the lock. */
struct destination {
    UT_hash_handle hh;
    int64_t no;
    char *name;

    /* The thread's own: */
    stream_pos pos;    /* everything up to here is done */
    stream_pos looked; /* what was committed when there was nothing more to do */
    stream_pos upto;   /* of the batch that is under way, or to be done again; 0: none */
    int64_t due_ms;    /* clock_mono_ms: not before */

    /* With the lock: */
    int64_t batch; /* which is pending; rises */
    bool pending, removed;
    struct answer answer;
    int failures;
    stream_pos to_save, saving, saved; /* pos, as the thread told it; as the job wrote it; as it is on disk */
};

struct consumer {
    struct consumer_settings settings;
    struct timed_thread *thread;
    struct db *db; /* the thread's; NULL until there is a destination to serve */

    pthread_mutex_t lock; /* of all below */
    struct destination *all;
    int64_t last_no, last_batch;
    int64_t done, skipped;
};

/* --- The table of destinations: with the lock held --- */

static struct destination *find(struct consumer *c, const char *name)
{
    for (struct destination *d = c->all; d != NULL; d = d->hh.next)
        if (!d->removed && strcmp(d->name, name) == 0)
            return d;
    return NULL;
}

static void add(struct consumer *c, const char *name, stream_pos pos)
{
    struct destination *d = xcalloc(1, sizeof *d);
    d->no = ++c->last_no;
    d->name = xstrdup(name);
    d->pos = d->to_save = d->saving = d->saved = pos;
    d->looked = -1;
    HASH_ADD(hh, c->all, no, sizeof d->no, d);
}

static void drop(struct consumer *c, struct destination *d)
{
    HASH_DEL(c->all, d);
    free(d->name);
    free(d);
}

/* --- Cursors --- */

/* Inside a job, so that a destination which was removed and added meanwhile is not given its old cursor. */
static bool job_save(struct tx *tx, void *arg, struct error *e)
{
    struct consumer *c = arg;
    bool good = true;
    pthread_mutex_lock(&c->lock);
    for (struct destination *d = c->all; good && d != NULL; d = d->hh.next) {
        d->saving = d->to_save;
        if (d->saving != d->saved && !d->removed)
            good = consumers_advance(tx, c->settings.name, d->name, d->saving);
    }
    pthread_mutex_unlock(&c->lock);
    return good || error_set(e, ERROR_UNKNOWN, NULL);
}

/* Those that have moved past a batch. false: the database failed, they wait. */
static bool save(struct consumer *c)
{
    struct error e;
    bool moved = false;
    pthread_mutex_lock(&c->lock);
    for (const struct destination *d = c->all; !moved && d != NULL; d = d->hh.next)
        moved = d->to_save != d->saved && !d->removed;
    pthread_mutex_unlock(&c->lock);
    if (!moved)
        return true;
    if (!writer_run(c->settings.writer, job_save, c, &e))
        return false;
    pthread_mutex_lock(&c->lock);
    for (struct destination *d = c->all; d != NULL; d = d->hh.next)
        d->saved = d->saving;
    pthread_mutex_unlock(&c->lock);
    return true;
}

/* --- Batches, on the thread --- */

static void settle(struct consumer *c, struct destination *d, enum consumer_verdict verdict, int64_t wait_ms)
{
    int64_t first_ms = c->settings.backoff_ms != 0 ? c->settings.backoff_ms : BACKOFF_FIRST_MS;
    bool again = verdict == CONSUMER_AGAIN;
    if (verdict == CONSUMER_SKIP)
        log_warn(c->settings.name, "events in (%lld, %lld] can't be delivered and are passed over", (long long)d->pos,
                 (long long)d->upto);
    pthread_mutex_lock(&c->lock);
    d->failures = again ? d->failures + 1 : 0;
    if (again) {
        int64_t wait = wait_ms <= 0 ? backoff_ms(d->failures, first_ms) : wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS;
        d->due_ms = clock_mono_ms() + wait;
    } else {
        d->pos = d->upto;
        d->upto = 0;
        if (verdict != CONSUMER_NOTHING || d->pos - d->saved >= LAG_MAX)
            d->to_save = d->pos;
        *(verdict == CONSUMER_SKIP ? &c->skipped : &c->done) += 1;
    }
    pthread_mutex_unlock(&c->lock);
}

/* Where the next batch ends; the same as before if it is to be done again. false: there is none. */
static bool find_batch(struct consumer *c, struct destination *d, stream_pos committed)
{
    int64_t n, max = c->settings.batch_max != 0 ? c->settings.batch_max : BATCH_EVENTS;
    bool empty_too = (c->settings.wakes & ~(1u << CHANGE_EVENT)) != 0;
    if (d->upto != 0)
        return true;
    stream_pos end = events_of_stream_end(c->db, d->pos, committed, max, &n);
    if (db_failed(c->db))
        return false;
    if (n == max)
        d->upto = end;
    else if (n != 0 || (empty_too && committed > d->pos))
        d->upto = committed;
    else
        d->pos = d->looked = committed; /* not worth a write */
    return d->upto != 0;
}

static bool hand_over(struct consumer *c, struct destination *d)
{
    struct consumer_batch batch = {.destination = d->name, .after = d->pos, .upto = d->upto, .db = c->db};
    pthread_mutex_lock(&c->lock);
    d->batch = ++c->last_batch;
    d->answer.there = false;
    d->pending = true; /* the answer may come before handle returns */
    batch.failures = d->failures;
    batch.ticket = (struct consumer_ticket){c, d->no, d->batch};
    pthread_mutex_unlock(&c->lock);
    batch.events = events_of_stream(c->db, batch.after, batch.upto);
    enum consumer_verdict verdict = c->settings.handle(c->settings.self, &batch);
    stmt_end(batch.events);
    bool failed = db_failed(c->db); /* then it did not see all, and what it began does not count */
    pthread_mutex_lock(&c->lock);
    d->pending = verdict == CONSUMER_PENDING && !failed;
    pthread_mutex_unlock(&c->lock);
    if (verdict != CONSUMER_PENDING && !failed)
        settle(c, d, verdict, 0);
    return !failed;
}

/* When to look there again. */
static int64_t serve(struct consumer *c, struct destination *d)
{
    pthread_mutex_lock(&c->lock);
    bool waits = d->pending && !d->answer.there, answered = d->pending && d->answer.there;
    struct answer answer = d->answer;
    d->pending = waits;
    pthread_mutex_unlock(&c->lock);
    if (waits)
        return TIMED_NEVER;
    if (answered)
        settle(c, d, answer.verdict, answer.wait_ms);
    stream_pos committed = writer_pos(c->settings.writer);
    if (clock_mono_ms() < d->due_ms)
        return d->due_ms;
    if (d->upto == 0 && d->looked == committed)
        return TIMED_NEVER;
    db_begin_read(c->db);
    bool found = find_batch(c, d, committed), good = found ? hand_over(c, d) : !db_failed(c->db);
    db_end_read(c->db);
    db_settle(c->db);
    if (!good)
        return d->due_ms = clock_mono_ms() + RETRY_MS;
    return found ? 0 : TIMED_NEVER;
}

static struct destination *next_of(struct consumer *c, struct destination *d)
{
    pthread_mutex_lock(&c->lock);
    struct destination *next = d != NULL ? d->hh.next : c->all;
    while (next != NULL && next->removed) {
        struct destination *gone = next;
        next = next->hh.next;
        drop(c, gone);
    }
    pthread_mutex_unlock(&c->lock);
    return next;
}

static int64_t run(void *arg, const _Atomic bool *stop)
{
    struct consumer *c = arg;
    int64_t next_ms = TIMED_NEVER;
    if (c->db == NULL && next_of(c, NULL) != NULL && (c->db = writer_open_reader(c->settings.writer)) == NULL)
        return clock_mono_ms() + RETRY_MS;
    for (struct destination *d = next_of(c, NULL); d != NULL && !*stop; d = next_of(c, d)) {
        int64_t at_ms = serve(c, d);
        if (at_ms < next_ms)
            next_ms = at_ms;
    }
    int64_t retry_ms = clock_mono_ms() + RETRY_MS;
    return save(c) || next_ms < retry_ms ? next_ms : retry_ms;
}

/* --- From outside --- */

static bool job_load(struct tx *tx, void *arg, struct error *e)
{
    struct consumer *c = arg;
    struct consumer_row row;
    struct stmt *q = consumers_of(tx->db, c->settings.name);
    while (consumers_next(q, &row))
        add(c, row.destination, row.pos);
    stmt_end(q);
    return true;
}

struct consumer *consumer_start(const struct consumer_settings *settings)
{
    struct consumer *c = xcalloc(1, sizeof *c);
    struct error e;
    c->settings = *settings;
    pthread_mutex_init(&c->lock, NULL);
    if (writer_run(settings->writer, job_load, c, &e))
        c->thread = timed_thread_start(settings->name, run, c, TIMED_NEVER);
    if (c->thread != NULL) {
        timed_thread_poke(c->thread); /* only now: a batch may be finished, and so poke, at once */
        return c;
    }
    consumer_destroy(c);
    return NULL;
}

void consumer_observe(void *consumer, const struct change *changes, size_t n)
{
    struct consumer *c = consumer;
    unsigned wakes = c->settings.wakes != 0 ? c->settings.wakes : 1u << CHANGE_EVENT;
    for (size_t i = 0; i < n; ++i)
        if ((wakes & 1u << changes[i].kind) != 0) {
            timed_thread_poke(c->thread);
            return;
        }
}

size_t consumer_destinations(struct consumer *c, char ***names)
{
    size_t n = 0;
    pthread_mutex_lock(&c->lock);
    *names = xcalloc(HASH_COUNT(c->all) + 1, sizeof **names);
    for (const struct destination *d = c->all; d != NULL; d = d->hh.next)
        if (!d->removed)
            (*names)[n++] = xstrdup(d->name);
    pthread_mutex_unlock(&c->lock);
    return n;
}

struct naming {
    const char *consumer, *destination;
    stream_pos pos;
};

static bool job_add(struct tx *tx, void *arg, struct error *e)
{
    struct naming *naming = arg;
    if (!consumers_add(tx, naming->consumer, naming->destination, writer_pos(tx->writer)))
        return error_set(e, ERROR_UNKNOWN, NULL);
    naming->pos = consumers_pos(tx->db, naming->consumer, naming->destination);
    return true;
}

bool consumer_add(struct consumer *c, const char *destination, struct error *e)
{
    struct naming naming = {.consumer = c->settings.name, .destination = destination};
    if (strlen(destination) > CONSUMER_DESTINATION_BYTES_MAX)
        return error_set(e, ERROR_INVALID_PARAM, "The destination's name is too long.");
    pthread_mutex_lock(&c->lock);
    bool there = find(c, destination) != NULL, full = HASH_COUNT(c->all) >= CONSUMER_DESTINATIONS_MAX;
    pthread_mutex_unlock(&c->lock);
    if (there)
        return true;
    if (full)
        return error_set(e, ERROR_LIMIT_EXCEEDED, "There are too many destinations.");
    if (!writer_run(c->settings.writer, job_add, &naming, e))
        return false;
    pthread_mutex_lock(&c->lock);
    if (find(c, destination) == NULL) /* or somebody else was faster */
        add(c, destination, naming.pos);
    pthread_mutex_unlock(&c->lock);
    timed_thread_poke(c->thread);
    return true;
}

static bool job_remove(struct tx *tx, void *arg, struct error *e)
{
    const struct naming *naming = arg;
    return consumers_remove(tx, naming->consumer, naming->destination) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool consumer_remove(struct consumer *c, const char *destination, struct error *e)
{
    struct naming naming = {.consumer = c->settings.name, .destination = destination};
    if (!writer_run(c->settings.writer, job_remove, &naming, e))
        return false;
    pthread_mutex_lock(&c->lock);
    struct destination *d = find(c, destination);
    if (d != NULL)
        d->removed = true;
    pthread_mutex_unlock(&c->lock);
    timed_thread_poke(c->thread);
    return true;
}

void consumer_finish(const struct consumer_ticket *ticket, enum consumer_verdict verdict, int64_t wait_ms)
{
    struct consumer *c = ticket->consumer;
    struct destination *d;
    pthread_mutex_lock(&c->lock);
    HASH_FIND(hh, c->all, &ticket->destination, sizeof ticket->destination, d);
    if (d != NULL && d->pending && d->batch == ticket->batch)
        d->answer = (struct answer){true, verdict, wait_ms};
    pthread_mutex_unlock(&c->lock);
    timed_thread_poke(c->thread);
}

void consumer_stop(struct consumer *c)
{
    if (c == NULL || c->thread == NULL)
        return;
    timed_thread_stop(c->thread);
    for (struct destination *d = c->all; d != NULL; d = d->hh.next)
        d->to_save = d->pos;
    save(c);
}

void consumer_destroy(struct consumer *c)
{
    if (c == NULL)
        return;
    timed_thread_destroy(c->thread);
    while (c->all != NULL)
        drop(c, c->all);
    db_close(c->db);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct consumer_counts consumer_counts(struct consumer *c)
{
    struct consumer_counts counts = {0};
    stream_pos committed = writer_pos(c->settings.writer);
    pthread_mutex_lock(&c->lock);
    for (const struct destination *d = c->all; d != NULL; d = d->hh.next) {
        counts.destinations += !d->removed;
        counts.failing += !d->removed && d->failures != 0;
        if (!d->removed && d->failures != 0 && committed - d->to_save > counts.behind)
            counts.behind = committed - d->to_save;
    }
    counts.done = c->done;
    counts.skipped = c->skipped;
    pthread_mutex_unlock(&c->lock);
    return counts;
}
