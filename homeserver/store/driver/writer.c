/* Group commit.
 *
 * A sync of the disk takes longer than all else that a message costs, so the jobs that came while the last sync ran
 * share the next one. Nobody waits to fill a group: under little load it is one job, under much it grows by itself to
 * what one sync's time brings, and the time per job falls as the load rises.
 *
 * Jobs of a group must not see each other's failures: each has a savepoint, and what it left in memory (changes for the
 * observers, undos, positions, epochs) is measured by a mark taken before it. A savepoint costs about a sixth of what a
 * message does (each page that a job is the first to touch is copied), so jobs that may be repeated share one as long
 * as they come one after the other. Of them, who refuses without having left anything is refused, and nothing is taken
 * back; if one leaves something, all go back to the savepoint and run again, each with its own. What fails after the
 * last job, the commit itself, takes all of them back to the mark before the first. Where that cannot be made sure of
 * on disk, the process ends: nobody is told that what may be there is not. */
#include "homeserver/store/driver/writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/metrics.h"
#include "homeserver/base/text.h"
#include "homeserver/base/thread.h"
#include "homeserver/store/driver/guarded.h"
#include "homeserver/store/driver/incarnations.h"
#include "homeserver/store/driver/schema.h"

#define GROUP_MAX 256 /* jobs in one transaction */
#define OBSERVERS_MAX 16
#define ALONE_GROUPS 64 /* after jobs had to be repeated, so long each has a savepoint: who makes it so gains little */
#define RESERVE_AHEAD 10000 /* positions that one write of table stream makes usable */
#define RESERVE_MARGIN 1000 /* left over when a group begins, so that most jobs need not reserve */

enum { RESERVED, RESERVE, SEEN, SEE, COUNT };
static const struct statement TEXTS[COUNT] = {
    [RESERVED] = "SELECT reserved FROM stream WHERE one = 1",
    [RESERVE] = "UPDATE stream SET reserved = $1 WHERE one = 1",
    [SEEN] = "SELECT seen_ms FROM stream WHERE one = 1",
    [SEE] = "UPDATE stream SET seen_ms = $1 WHERE one = 1",
};
STATEMENTS(STREAM, "stream", TEXTS);

/* A job in the queue: on the stack of the worker that waits for it, or on the heap with somebody to tell. */
struct waiting {
    struct waiting *next;
    writer_job *job; /* NULL: writer_scrub, alone and without a transaction; arg is its struct scrub */
    void *arg;
    struct error *error;
    bool repeatable, ok, done;
    pthread_cond_t wake;                   /* writer_run */
    void (*tell)(void *tell_arg, bool ok); /* writer_submit; NULL: writer_run */
    void *tell_arg;
};

struct undo {
    void (*fn)(void *arg);
    void *arg;
};

/* How far memory has gone in the group; a failed job or commit goes back to a mark. */
struct mark {
    size_t n_changes, n_undos;
    stream_pos next, reserved;
};

struct writer {
    char *path;
    struct storage *storage; /* NULL: nobody asks */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct waiting *head, **tail; /* guarded by lock */
    bool stopping;                /* guarded by lock */

    _Atomic stream_pos committed;
    _Atomic int64_t groups, jobs;

    struct { /* the writer's thread only */
        struct db *db;
        struct change *changes;
        struct undo *undos;
        size_t changes_cap, undos_cap;
        struct mark at;
        int64_t serial;                      /* of the last job */
        int64_t latest_ms, latest_before_ms; /* of all groups of this run; what it was before tx_note_time */
        bool bulk;                           /* tx_bulk */
        int alone;                           /* of so many groups each job has a savepoint */
        int n_observers;                     /* who hears of the group */
        writer_guard_fn *guard;
        void *guard_self;
        struct tx_acting acting; /* of the job that runs */
    } own;

    struct incarnations *incarnations;

    struct observer {
        writer_observer *fn;
        void *self;
    } observers[OBSERVERS_MAX];
    int n_observers; /* guarded by lock; rows stand before they count */
};

/* Positions up to `reserved` are good to hand out: after a crash the stream goes on behind what the disk says here, so
 * that none is handed out twice, not even one that went to a typing notice and was never written. In blocks, because
 * else every group would write this row too. */
static bool reserve(struct writer *w, stream_pos upto)
{
    if (!db_run(w->own.db, &STREAM, RESERVE, "i", upto))
        return false;
    w->own.at.reserved = upto;
    return true;
}

stream_pos tx_next_pos(struct tx *tx)
{
    struct writer *w = tx->writer;
    if (w->own.at.next == w->own.at.reserved)
        reserve(w, w->own.at.reserved + RESERVE_AHEAD); /* a failure is sticky: this job will be rolled back */
    return ++w->own.at.next;
}

static void restore_latest(void *writer)
{
    struct writer *w = writer;
    w->own.latest_ms = w->own.latest_before_ms;
}

bool tx_note_time(struct tx *tx, int64_t *back_ms)
{
    struct writer *w = tx->writer;
    int64_t seen = db_int(tx->db, &STREAM, SEEN, 0, "");
    int64_t latest = seen > w->own.latest_ms ? seen : w->own.latest_ms;
    *back_ms = latest > tx->now_ms + CLOCK_SLACK_MS ? latest - tx->now_ms : 0;
    if (*back_ms != 0) {
        w->own.latest_before_ms = w->own.latest_ms;
        tx_on_rollback(tx, restore_latest, w);
        w->own.latest_ms = tx->now_ms;
    }
    return db_run(tx->db, &STREAM, SEE, "i", tx->now_ms);
}

#define NUMBERS_SINCE_MS INT64_C(1577836800000) /* 2020-01-01 */
#define NUMBERS_A_MS 4096

int64_t tx_number_after(const struct tx *tx, int64_t last)
{
    int64_t drawn = (tx->now_ms - NUMBERS_SINCE_MS) * NUMBERS_A_MS + random_uniform(NUMBERS_A_MS);
    if (drawn > last)
        return drawn;
    /* Many in one job, or a clock that was set back: then for long, and steps of one size could be counted. */
    bool ahead = last - drawn > CLOCK_SLACK_MS * NUMBERS_A_MS;
    return last + 1 + random_uniform(ahead ? 1u << random_uniform(28) : 16);
}

static void *grown(void *array, size_t n, size_t *cap, size_t item)
{
    if (n < *cap)
        return array;
    *cap = *cap != 0 ? *cap * 2 : 64;
    return xrealloc(array, *cap * item);
}

bool tx_heard(const struct tx *tx)
{
    return tx->writer->own.n_observers != 0;
}

void tx_change(struct tx *tx, struct change change)
{
    struct writer *w = tx->writer;
    if (!tx_heard(tx))
        return;
    w->own.changes = grown(w->own.changes, w->own.at.n_changes, &w->own.changes_cap, sizeof change);
    w->own.changes[w->own.at.n_changes++] = change;
}

void tx_bulk(struct tx *tx)
{
    struct writer *w = tx->writer;
    w->own.bulk = true;
    db_cache_grow(w->own.db);
}

void tx_on_rollback(struct tx *tx, void (*undo)(void *arg), void *arg)
{
    struct writer *w = tx->writer;
    w->own.undos = grown(w->own.undos, w->own.at.n_undos, &w->own.undos_cap, sizeof *w->own.undos);
    w->own.undos[w->own.at.n_undos++] = (struct undo){undo, arg};
}

/* --- What the audit log must know --- */

void tx_acts(struct tx *tx, const char *actor, const char *act)
{
    struct tx_acting *acting = &tx->writer->own.acting;
    snprintf(acting->actor, sizeof acting->actor, "%s", actor);
    snprintf(acting->act, sizeof acting->act, "%s", act);
}

void tx_own(struct tx *tx, user_no user)
{
    tx->writer->own.acting.own = user;
}

const struct tx_acting *tx_acting(const struct tx *tx)
{
    return &tx->writer->own.acting;
}

struct row_changes *tx_row_changes(struct tx *tx)
{
    return db_row_changes(tx->db);
}

void *tx_guard(struct tx *tx)
{
    return tx->writer->own.guard_self;
}

bool writer_guard(struct writer *w, writer_guard_fn *fn, void *self)
{
    w->own.guard = fn;
    w->own.guard_self = self;
    return db_guard(w->own.db);
}

/* --- Jobs --- */

/* Memory follows the database back, the newest first: an undo finds things as they were when it was asked for. What is
 * remembered of facts (rooms/gate_cache.h) may have been read from what is no longer so, whichever tables it was.
 * Positions are given back with the rest: nobody has seen them, and the row that reserved them is rolled back too. */
static void go_back(struct writer *w, struct mark to)
{
    db_epoch_next(w->own.db, EPOCH_ALL);
    while (w->own.at.n_undos > to.n_undos) {
        struct undo undo = w->own.undos[--w->own.at.n_undos];
        undo.fn(undo.arg);
    }
    w->own.at = to;
}

/* Ways to fail: the job refuses, it has left the log something to be told, or the database failed under it, which is
 * noticed only here (db.h: a failure is sticky; the job may have read a failed look-up as "nothing" and gone on). */
static bool try_job(struct writer *w, struct waiting *job, int64_t now_ms)
{
    struct tx tx = {w->own.db, w, now_ms, ++w->own.serial};
    struct row_changes *changes = tx_row_changes(&tx);
    w->own.acting.actor[0] = w->own.acting.act[0] = '\0';
    w->own.acting.own = 0;
    if (changes != NULL)
        row_changes_clear(changes);
    bool accepted = job->job(&tx, job->arg, job->error);
    bool failed = db_failed(w->own.db);
    /* J2: whatever it did to guarded rows is in the log, or it is not done. */
    if (accepted && !failed && changes != NULL && (changes->n != 0 || changes->too_many))
        failed = !w->own.guard(w->own.guard_self, &tx) || db_failed(w->own.db);
    if (failed) /* else it refused, with a reason of its own */
        error_set(job->error, ERROR_UNKNOWN, NULL);
    return accepted && !failed;
}

/* The failure ends here: who is next asks a database that works again, or fails by itself. */
static void back_to_savepoint(struct writer *w, struct mark before)
{
    db_settle(w->own.db);
    db_transaction(w->own.db, DB_ROLLBACK_TO);
    db_transaction(w->own.db, DB_RELEASE);
    go_back(w, before);
}

/* However it fails, it alone goes back; the jobs before it stay, and those after it never see what it did. */
static bool run_one(struct writer *w, struct waiting *job, int64_t now_ms)
{
    struct mark before = w->own.at;
    if (!db_transaction(w->own.db, DB_SAVEPOINT))
        return error_set(job->error, ERROR_UNKNOWN, NULL);
    bool done = try_job(w, job, now_ms);
    if (done && db_transaction(w->own.db, DB_RELEASE))
        return true;
    if (done)
        error_set(job->error, ERROR_UNKNOWN, NULL);
    back_to_savepoint(w, before);
    return false;
}

/* Without a savepoint of its own. false: it has left something that must go, or the database failed. */
static bool run_beside(struct writer *w, struct waiting *job, int64_t now_ms)
{
    struct mark before = w->own.at;
    int64_t written = db_rows_written(w->own.db);
    job->ok = try_job(w, job, now_ms);
    return job->ok || (!db_failed(w->own.db) && db_rows_written(w->own.db) == written && db_in_transaction(w->own.db) &&
                       memcmp(&before, &w->own.at, sizeof before) == 0);
}

/* The jobs from first to end behind one savepoint. false: nothing of them is there. */
static bool run_together(struct writer *w, struct waiting *first, const struct waiting *end, int64_t now_ms)
{
    struct mark before = w->own.at;
    if (!db_transaction(w->own.db, DB_SAVEPOINT)) {
        db_settle(w->own.db);
        return false;
    }
    bool whole = true;
    for (struct waiting *job = first; whole && job != end; job = job->next)
        whole = run_beside(w, job, now_ms);
    if (whole && db_transaction(w->own.db, DB_RELEASE))
        return true;
    back_to_savepoint(w, before);
    for (struct waiting *job = first; job != end; job = job->next) {
        *job->error = (struct error){0};
        job->ok = false;
    }
    return false;
}

static const struct waiting *end_of_stretch(const struct writer *w, const struct waiting *first)
{
    const struct waiting *end = first->next;
    while (w->own.alone == 0 && first->repeatable && end != NULL && end->repeatable)
        end = end->next;
    return end;
}

/* All of the group. Without a transaction (a full disk ended it) a savepoint would commit by itself: no job may run
 * then. */
static void run_jobs(struct writer *w, struct waiting *first, int64_t now_ms)
{
    w->own.alone -= w->own.alone != 0;
    for (struct waiting *job = first; job != NULL && db_in_transaction(w->own.db);) {
        const struct waiting *end = end_of_stretch(w, job);
        bool together = end != job->next;
        if (together && run_together(w, job, end, now_ms)) {
            while (job != end)
                job = job->next;
            continue;
        }
        w->own.alone = together ? ALONE_GROUPS : w->own.alone;
        for (; job != end && db_in_transaction(w->own.db); job = job->next)
            job->ok = run_one(w, job, now_ms);
    }
}

static int64_t accepted(const struct waiting *first)
{
    int64_t n = 0;
    for (const struct waiting *job = first; job != NULL; job = job->next)
        n += job->ok;
    return n;
}

/* false: nothing of it was committed, whatever its jobs had answered.
 *
 * The clock is read once, so that events of one group may share a time but never go back in it. The sync of COMMIT is
 * what all jobs of the group wait for together; observers run after it, because what they tell must be durable and
 * visible to readers, and before anybody is answered, because who was answered looks for the effect. */
static bool commit_group(struct writer *w, struct waiting *first)
{
    int64_t now_ms = clock_wall_ms();
    struct mark before = w->own.at;
    if (now_ms > w->own.latest_ms)
        w->own.latest_ms = now_ms;
    db_settle(w->own.db);
    bool begun = db_transaction(w->own.db, DB_BEGIN);
    bool ready =
        begun && (w->own.at.reserved - w->own.at.next >= RESERVE_MARGIN || reserve(w, w->own.at.next + RESERVE_AHEAD));
    if (ready)
        run_jobs(w, first, now_ms);
    bool whole = ready && db_in_transaction(w->own.db) && !db_failed(w->own.db);
    if (!whole || !db_transaction(w->own.db, DB_COMMIT)) {
        if (begun)
            db_transaction(w->own.db, DB_ROLLBACK);
        if (whole)
            db_forget_commit(w->own.db);
        go_back(w, before);
        return false;
    }
    w->committed = w->own.at.next; /* before the observers: a poll that one of them wakes reads up to it */
    for (int i = 0; i < w->own.n_observers && w->own.at.n_changes != 0; ++i)
        w->observers[i].fn(w->observers[i].self, w->own.changes, w->own.at.n_changes);
    w->own.at.n_changes = w->own.at.n_undos = 0;
    w->groups += 1;
    w->jobs += accepted(first);
    return true;
}

/* All that wait, in the order they came, up to GROUP_MAX: what one failed commit takes with it, and the time that
 * readers wait for news, stay bounded. NULL: the writer stops and nothing is left. */
static struct waiting *take_group(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->head == NULL && !w->stopping)
        pthread_cond_wait(&w->work, &w->lock);
    struct waiting *first = w->head, **end = &w->head;
    if (first != NULL && first->job == NULL)
        end = &first->next;
    else
        for (int n = 0; *end != NULL && (*end)->job != NULL && n < GROUP_MAX; ++n)
            end = &(*end)->next;
    w->head = *end;
    *end = NULL;
    if (w->head == NULL)
        w->tail = &w->head;
    w->own.n_observers = w->n_observers;
    pthread_mutex_unlock(&w->lock);
    return first;
}

static void end_job(struct writer *w, struct waiting *job)
{
    if (job->tell != NULL) {
        job->tell(job->tell_arg, job->ok); /* a loop's: it posts to that loop and returns */
        free(job);
        return;
    }
    pthread_mutex_lock(&w->lock);
    job->done = true;
    pthread_cond_signal(&job->wake);
    pthread_mutex_unlock(&w->lock);
}

static void end_group(struct writer *w, struct waiting *first, bool committed)
{
    for (struct waiting *job = first, *next; job != NULL; job = next) {
        next = job->next;                                              /* job is gone once it has ended */
        if (!committed && (job->ok || job->error->code == ERROR_NONE)) /* a refusal stays the refusal it was */
            job->ok = error_set(job->error, ERROR_UNKNOWN, NULL);
        end_job(w, job);
    }
}

struct scrub {
    int64_t at_most_bytes;
    bool whole;
};

static bool scrub(struct writer *w, struct waiting *job)
{
    struct scrub *s = job->arg;
    job->ok = db_scrub(w->own.db, s->at_most_bytes, &s->whole) || error_set(job->error, ERROR_UNAVAILABLE, NULL);
    return true;
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    for (struct waiting *first; (first = take_group(w)) != NULL;) {
        bool committed = first->job != NULL ? commit_group(w, first) : scrub(w, first);
        if (w->own.bulk)
            db_cache_shrink(w->own.db);
        w->own.bulk = false;
        end_group(w, first, committed);
    }
    return NULL;
}

struct writer *writer_start(const char *path, const struct db_options *options)
{
    struct writer *w = xcalloc(1, sizeof *w);
    w->path = xstrdup(path);
    w->storage = options != NULL ? options->storage : NULL;
    w->tail = &w->head;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    w->own.db = db_open(path, DB_WRITE, options);
    if (w->own.db != NULL && schema_migrate(w->own.db)) {
        w->own.at.next = w->own.at.reserved = db_int(w->own.db, &STREAM, RESERVED, 0, "");
        w->committed = w->own.at.next;
        w->incarnations = incarnations_load(w->own.db, w->own.at.reserved);
        if (w->incarnations != NULL && thread_start(&w->thread, "writer", 0, writer_main, w))
            return w;
    }
    incarnations_destroy(w->incarnations);
    db_close(w->own.db);
    free(w->path);
    free(w);
    return NULL;
}

struct db *writer_open_reader(const struct writer *w)
{
    return db_open(w->path, DB_READ, &(struct db_options){.storage = w->storage});
}

void writer_stop(struct writer *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    db_close(w->own.db);
    incarnations_destroy(w->incarnations);
    free(w->own.changes);
    free(w->own.undos);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->work);
    free(w->path);
    free(w);
}

void writer_observe(struct writer *w, writer_observer *fn, void *self)
{
    pthread_mutex_lock(&w->lock);
    if (w->n_observers == OBSERVERS_MAX)
        abort();
    w->observers[w->n_observers++] = (struct observer){fn, self};
    pthread_mutex_unlock(&w->lock);
}

/* Called with the lock. false: the writer has stopped, and the error says so. */
static bool enqueue(struct writer *w, struct waiting *job)
{
    *job->error = (struct error){0};
    if (w->stopping)
        return error_set(job->error, ERROR_UNAVAILABLE, NULL);
    *w->tail = job;
    w->tail = &job->next;
    pthread_cond_signal(&w->work);
    return true;
}

bool writer_scrub(struct writer *w, int64_t at_most_bytes, bool *whole, struct error *e)
{
    struct scrub s = {at_most_bytes, false};
    bool done = writer_run(w, NULL, &s, e);
    *whole = done && s.whole;
    return done;
}

bool writer_run(struct writer *w, writer_job *job, void *arg, struct error *e)
{
    struct waiting mine = {.job = job, .arg = arg, .error = e};
    pthread_cond_init(&mine.wake, NULL);
    pthread_mutex_lock(&w->lock);
    if (enqueue(w, &mine))
        while (!mine.done)
            pthread_cond_wait(&mine.wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&mine.wake);
    return mine.ok;
}

static void submit(struct writer *w, const struct waiting *what)
{
    struct waiting *waiting = xcalloc(1, sizeof *waiting);
    *waiting = *what;
    pthread_mutex_lock(&w->lock);
    bool queued = enqueue(w, waiting);
    pthread_mutex_unlock(&w->lock);
    if (queued)
        return;
    free(waiting);
    what->tell(what->tell_arg, false);
}

void writer_submit(struct writer *w, writer_job *job, void *arg, struct error *e, void (*done)(void *arg, bool ok),
                   void *done_arg)
{
    submit(w, &(struct waiting){.job = job, .arg = arg, .error = e, .tell = done, .tell_arg = done_arg});
}

void writer_submit_repeatable(struct writer *w, writer_job *job, void *arg, struct error *e,
                              void (*done)(void *arg, bool ok), void *done_arg)
{
    submit(w, &(struct waiting){
                  .job = job, .arg = arg, .error = e, .tell = done, .tell_arg = done_arg, .repeatable = true});
}

static bool job_begin_incarnation(struct tx *tx, void *arg, struct error *e)
{
    return incarnations_begin(tx->writer->incarnations, tx->db, tx->now_ms);
}

bool writer_begin_incarnation(struct writer *w, struct error *e)
{
    return writer_run(w, job_begin_incarnation, NULL, e);
}

struct incarnations *writer_incarnations(const struct writer *w)
{
    return w->incarnations;
}

stream_pos writer_pos(const struct writer *w)
{
    return w->committed;
}

void writer_counts(const struct writer *w, int64_t *groups, int64_t *jobs)
{
    *groups = w->groups;
    *jobs = w->jobs;
}

static int64_t groups_total(void *w)
{
    return ((const struct writer *)w)->groups;
}

static int64_t jobs_total(void *w)
{
    return ((const struct writer *)w)->jobs;
}

void writer_metrics(struct writer *w, struct metrics *metrics)
{
    static const struct metric METRICS[] = {
        {"parta_writer_groups_total", "Transactions committed by the writer.", METRIC_COUNTER, groups_total, NULL},
        {"parta_writer_jobs_total", "Jobs in them.", METRIC_COUNTER, jobs_total, NULL},
    };
    metrics_add(metrics, METRICS, sizeof METRICS / sizeof *METRICS, w);
}

struct db *writer_db_for_tests(struct writer *w)
{
    return w->own.db;
}
