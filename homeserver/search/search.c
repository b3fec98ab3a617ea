#include "homeserver/search/search.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/backoff.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json_scan.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/base/text.h"
#include "homeserver/base/timed_thread.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/search_index.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/search_removals.h"

#define BATCH 2000         /* events at a time: each transaction leaves a segment of the index to be merged */
#define REMOVALS 1000      /* at a time */
#define GATHER_MS 200      /* what is sent meanwhile is one batch */
#define RETRY_MS 2000      /* after a first failure */
#define PURGE_SLICE_MS 100 /* of merging, then new events have their turn */
#define PURGE_PART 20      /* of the time, one part is for it */
#define PURGE_WAIT_MAX_MS (10 * MINUTE_MS)
#define READERS_KEPT 2

struct search {
    char *path;
    struct writer *writer;
    struct timed_thread *thread;

    pthread_mutex_t lock;       /* of the index and of all up to the readers */
    struct search_index *index; /* NULL until somebody needs it */
    struct db *db;              /* the events */
    struct search_index_extent extent;
    bool begun;   /* the extent was compared with the events */
    bool cleared; /* what was in it stands in the write-ahead log yet */
    stream_pos removed[REMOVALS];
    size_t n_removed;   /* out of the index, perhaps not yet out of its file */
    int64_t purge_ms;   /* when it may be purged again */
    int64_t purging_ms; /* how long the purge that is under way has taken so far */
    int64_t gathered_ms;
    int failures;

    _Atomic bool open, pending, rebuild;
    _Atomic int64_t pending_since_ms, to_do, all, removals, indexed;

    pthread_mutex_t readers_lock;
    struct search_index *readers[READERS_KEPT];
    size_t n_readers;
};

/* --- What of an event is indexed --- */

static const struct {
    const char *type, *member;
    size_t at; /* in struct search_index_text */
    bool state;
} INDEXED[] = {
    {"m.room.message", "body", offsetof(struct search_index_text, body), false},
    {"m.room.name", "name", offsetof(struct search_index_text, name), true},
    {"m.room.topic", "topic", offsetof(struct search_index_text, topic), true},
};

static bool put_event(struct search *s, const struct event_row *row)
{
    size_t i = 0, n = sizeof INDEXED / sizeof *INDEXED;
    while (i < n && (strcmp(INDEXED[i].type, row->type) != 0 || INDEXED[i].state != (row->state_key != NULL)))
        ++i;
    if (i == n || row->redacted_by != 0)
        return true;
    struct json_scan_value object = json_scan_text(row->content, strlen(row->content));
    struct json_scan_value value = json_scan_find(&object, INDEXED[i].member, 1);
    if (value.kind != '"')
        return true;
    char *said = xcalloc(value.len + 1, 1);
    json_scan_unescape(said, &value);
    for (char *c = said; *c != '\0'; ++c) /* highlights are marked with such */
        if ((unsigned char)*c < ' ')
            *c = ' ';
    struct search_index_text text = {.pos = row->pos, .room = row->room, .sender = row->sender};
    const char *borrowed = said;
    memcpy((char *)&text + INDEXED[i].at, &borrowed, sizeof borrowed);
    bool done = search_index_put(s->index, &text);
    free(said);
    ++s->indexed;
    return done;
}

/* Those in (after, upto], and what the index covers with them. */
static bool put_events(struct search *s, stream_pos after, stream_pos upto, const struct search_index_extent *extent)
{
    struct event_row row;
    bool done = search_index_begin(s->index);
    struct stmt *q = events_of_stream(s->db, after, upto);
    while (done && events_next(q, &row))
        done = put_event(s, &row);
    stmt_end(q);
    if (!done || db_failed(s->db) || !search_index_set_extent(s->index, extent)) {
        search_index_rollback(s->index);
        return false;
    }
    if (!search_index_commit(s->index))
        return false;
    s->extent = *extent;
    return true;
}

/* --- Following --- */

static struct search_index_extent extent_at(struct search *s, stream_pos older, stream_pos newest)
{
    struct search_index_extent extent = {.older = older, .newest = newest};
    char *id = events_id_of(s->db, newest);
    if (id != NULL)
        strncpy(extent.event_id, id, sizeof extent.event_id - 1);
    free(id);
    return extent;
}

/* An index of nothing, from which it goes forwards and back. */
static bool begin_anew(struct search *s)
{
    stream_pos newest = events_newest(s->db);
    struct search_index_extent extent = extent_at(s, newest, newest);
    bool done = !db_failed(s->db) && search_index_begin(s->index) && search_index_clear(s->index) &&
                search_index_set_extent(s->index, &extent) && search_index_commit(s->index);
    if (!done)
        search_index_rollback(s->index);
    else
        s->extent = extent;
    s->cleared |= done;
    return done;
}

/* The database may have been put back from a copy, or the index's file. */
static bool compare(struct search *s)
{
    if (!s->begun && !search_index_extent(s->index, &s->extent))
        return false;
    struct search_index_extent here = extent_at(s, s->extent.older, s->extent.newest);
    bool same = *here.event_id != '\0' && strcmp(here.event_id, s->extent.event_id) == 0;
    if (db_failed(s->db))
        return false;
    if (!s->begun && !same && *s->extent.event_id != '\0')
        log_warn("search", "the index of words is of another database than this: it is made anew");
    if (!s->begun && !same && !begin_anew(s))
        return false;
    if (atomic_exchange(&s->rebuild, false) && !begin_anew(s)) {
        s->rebuild = true;
        return false;
    }
    s->begun = true;
    return true;
}

/* *more: there is more. */
static bool go_forwards(struct search *s, bool *more)
{
    int64_t n;
    stream_pos upto = events_of_stream_end(s->db, s->extent.newest, INT64_MAX, BATCH, &n);
    *more = n == BATCH;
    if (n == 0)
        return !db_failed(s->db);
    struct search_index_extent extent = extent_at(s, s->extent.older, upto);
    return put_events(s, s->extent.newest, upto, &extent);
}

static bool go_back(struct search *s)
{
    struct search_index_extent extent = s->extent;
    extent.older = events_of_stream_back(s->db, extent.older, BATCH);
    bool done = !db_failed(s->db) && put_events(s, extent.older, s->extent.older, &extent);
    if (done && extent.older == 0)
        log_info("search", "the index of words holds all that was ever said");
    return done;
}

/* --- Taking out --- */

/* What was taken out and has left the file. */
static bool job_done(struct tx *tx, void *arg, struct error *e)
{
    struct search *s = arg;
    bool done = true;
    for (size_t i = 0; done && i < s->n_removed; ++i)
        done = search_removals_done(tx, s->removed[i]);
    return done || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool remove_texts(struct search *s)
{
    stream_pos all[REMOVALS];
    size_t n = search_removals_first(s->db, all, REMOVALS);
    s->removals = (int64_t)n;
    if (n == 0 || (n == s->n_removed && memcmp(all, s->removed, n * sizeof *all) == 0))
        return !db_failed(s->db);
    bool done = search_index_begin(s->index);
    for (size_t i = 0; done && i < n; ++i)
        done = search_index_remove(s->index, all[i]);
    if (!done || !search_index_commit(s->index)) {
        search_index_rollback(s->index);
        return false;
    }
    memcpy(s->removed, all, n * sizeof *all);
    s->n_removed = n;
    return true;
}

/* *left: there is more of it to do. */
static bool purge(struct search *s, int64_t slice_ms, bool *left)
{
    struct error e;
    int64_t began_ms = clock_mono_ms();
    bool done = false, good = true;
    *left = false;
    if (s->n_removed == 0)
        return true;
    while (good && !done && clock_mono_ms() - began_ms < slice_ms)
        good = search_index_purge(s->index, &done);
    s->purging_ms += clock_mono_ms() - began_ms;
    *left = !done;
    if (!done || !writer_run(s->writer, job_done, s, &e))
        return good && !done; /* or a reader holds its log: tried again */
    s->removals -= (int64_t)s->n_removed;
    *left = s->n_removed == REMOVALS;
    s->n_removed = 0;
    int64_t wait_ms = s->purging_ms * PURGE_PART;
    s->purge_ms = clock_mono_ms() + (wait_ms < PURGE_WAIT_MAX_MS ? wait_ms : PURGE_WAIT_MAX_MS);
    s->purging_ms = 0;
    if (search_index_is_worn(
            s->index)) { /* some six hundred purges; the longer each takes, the further they are apart */
        log_info("search", "the index of words is made anew after many purges");
        s->rebuild = true;
    }
    return true;
}

/* --- The thread --- */

/* Whoever needs the index first opens it: at the start others are to be served before, and a disk that takes nothing
 * then may do so later. */
static bool open_all(struct search *s)
{
    if (s->index == NULL)
        s->index = search_index_open(s->path);
    if (s->index != NULL && s->db == NULL)
        s->db = writer_open_reader(s->writer);
    s->open = s->db != NULL;
    return s->open;
}

static int64_t later(struct search *s)
{
    s->pending = true; /* nobody wakes it sooner */
    return clock_mono_ms() + backoff_ms(++s->failures, RETRY_MS);
}

/* One turn: when the next is due. */
static int64_t turn(struct search *s)
{
    int64_t began_ms = clock_mono_ms();
    bool more = false, left = false;
    if (began_ms < s->gathered_ms + GATHER_MS && !s->rebuild)
        return s->gathered_ms + GATHER_MS;
    s->pending = false; /* before it reads */
    db_begin_read(s->db);
    bool done = compare(s) && go_forwards(s, &more) && remove_texts(s);
    bool behind = done && !more && s->extent.older != 0;
    done = done && (!behind || go_back(s));
    db_end_read(s->db);
    if (!more)
        s->gathered_ms = began_ms;
    if (s->cleared)
        s->cleared = !search_index_scrub(s->index, 0, &left); /* a reader holds it: the next time */
    left = false;
    if (done && !more && clock_mono_ms() >= s->purge_ms)
        done = purge(s, PURGE_SLICE_MS, &left);
    s->to_do = s->extent.older;
    s->all = s->extent.newest;
    db_settle(s->db);
    if (!done) {
        search_index_failed(s->index);
        return later(s);
    }
    s->failures = 0;
    if (more)
        return 0;
    int64_t now_ms = clock_mono_ms();
    if (behind || left) {
        s->gathered_ms = 0;
        return now_ms + (now_ms - began_ms); /* half of the time */
    }
    return s->n_removed != 0 ? s->purge_ms : now_ms + MINUTE_MS;
}

static int64_t run(void *arg, const _Atomic bool *stop)
{
    struct search *s = arg;
    pthread_mutex_lock(&s->lock);
    bool opened = open_all(s);
    if (!opened && s->failures == 0)
        log_error("search", "nothing can be searched until %s can be written", s->path);
    int64_t next_ms = opened ? turn(s) : later(s);
    pthread_mutex_unlock(&s->lock);
    return next_ms;
}

struct search *search_start(const struct search_settings *settings)
{
    struct search *s = xcalloc(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->readers_lock, NULL);
    s->path = xstrdup(settings->path);
    s->writer = settings->writer;
    s->gathered_ms = -GATHER_MS;
    s->thread = timed_thread_start("search", run, s, settings->first_ms);
    if (s->thread != NULL)
        return s;
    search_destroy(s);
    return NULL;
}

/* The thread is woken once for all that comes until it reads. */
void search_observe(void *search, const struct change *changes, size_t n)
{
    struct search *s = search;
    for (size_t i = 0; i < n; ++i)
        if (changes[i].kind == CHANGE_EVENT) {
            if (!atomic_exchange(&s->pending, true)) {
                s->pending_since_ms = clock_mono_ms();
                timed_thread_poke(s->thread);
            }
            return;
        }
}

void search_rebuild(struct search *s)
{
    s->rebuild = true;
    timed_thread_poke(s->thread);
}

void search_progress(struct search *s, struct search_progress *out)
{
    *out = (struct search_progress){.to_do = s->to_do, .all = s->all, .removals = s->removals};
}

bool search_scrub(struct search *s, int64_t at_most_bytes)
{
    bool left, whole = false, done = true;
    if (s == NULL)
        return true;
    pthread_mutex_lock(&s->lock);
    done = open_all(s);
    while (done && search_removals_any(s->db)) {
        db_begin_read(s->db);
        done = remove_texts(s);
        db_end_read(s->db);
        done = done && purge(s, INT64_MAX, &left) && s->n_removed == 0;
    }
    done = done && search_index_scrub(s->index, at_most_bytes, &whole) && whole;
    if (s->open) {
        db_settle(s->db);
        search_index_failed(s->index);
    }
    pthread_mutex_unlock(&s->lock);
    return done;
}

void search_stop(struct search *s)
{
    if (s != NULL)
        timed_thread_stop(s->thread);
}

void search_destroy(struct search *s)
{
    if (s == NULL)
        return;
    timed_thread_destroy(s->thread);
    for (size_t i = 0; i < s->n_readers; ++i)
        search_index_close(s->readers[i]);
    search_index_close(s->index);
    db_close(s->db);
    pthread_mutex_destroy(&s->readers_lock);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

/* --- For who searches --- */

struct search_index *search_borrow(struct search *s)
{
    struct search_index *reader = NULL;
    bool open = s->open;
    if (!open) { /* its file may be made anew yet */
        pthread_mutex_lock(&s->lock);
        open = open_all(s);
        pthread_mutex_unlock(&s->lock);
    }
    if (!open)
        return NULL;
    pthread_mutex_lock(&s->readers_lock);
    if (s->n_readers != 0)
        reader = s->readers[--s->n_readers];
    pthread_mutex_unlock(&s->readers_lock);
    return reader != NULL ? reader : search_index_open_reader(s->path);
}

void search_give_back(struct search *s, struct search_index *reader)
{
    pthread_mutex_lock(&s->readers_lock);
    bool kept = s->n_readers < READERS_KEPT;
    if (kept)
        s->readers[s->n_readers++] = reader;
    pthread_mutex_unlock(&s->readers_lock);
    if (!kept)
        search_index_close(reader);
}

/* --- Metrics --- */

static int64_t lag_ms(void *self)
{
    struct search *s = self;
    return s->pending ? clock_mono_ms() - s->pending_since_ms : 0;
}

static int64_t to_do(void *self)
{
    struct search *s = self;
    return s->to_do;
}

static int64_t removals(void *self)
{
    struct search *s = self;
    return s->removals;
}

static int64_t indexed(void *self)
{
    struct search *s = self;
    return s->indexed;
}

void search_metrics(struct search *s, struct metrics *metrics)
{
    static const struct metric METRICS[] = {
        {"parta_search_lag_milliseconds", "How long the oldest event has waited for the index of words.", METRIC_GAUGE,
         lag_ms, NULL},
        {"parta_search_to_do_positions", "Positions of the stream that a rebuild of the index has yet to come to.",
         METRIC_GAUGE, to_do, NULL},
        {"parta_search_removals", "Events whose words the index's file has yet to forget.", METRIC_GAUGE, removals,
         NULL},
        {"parta_search_indexed_total", "Texts put into the index of words.", METRIC_COUNTER, indexed, NULL},
    };
    metrics_add(metrics, METRICS, sizeof METRICS / sizeof *METRICS, s);
}
