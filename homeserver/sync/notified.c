#include "homeserver/sync/notified.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "homeserver/base/json.h"
#include "homeserver/base/search.h"
#include "homeserver/base/text.h"
#include "homeserver/push/room_facts.h"
#include "homeserver/rooms/threads.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/user_names.h"

#define BUILD_MIN 64 /* events that are looked back over at least, though all may have been read */

struct key {
    room_no room;
    unsigned char scope[BLAKE2B_BYTES];
};

/* An event that got its thread through another, which it relates to. */
struct through {
    uint64_t hop; /* notified_hash of the other's id */
    stream_pos pos;
};

struct held {
    struct notified shown; /* first: what callers have a pointer to */
    UT_hash_handle hh;
    struct key key;
    int refs;       /* cache->lock, like the next two */
    size_t counted; /* bytes, as the cache has them */
    pthread_mutex_t lock;
    struct push_rules *rules; /* whoever came first has brought them; the others' come to the same */
    char *display_name;
    int64_t members;
    bool built;
    bool bounded; /* start is where NOTIFIED_BUILD_MAX had it, not where somebody has read to */
    stream_pos start, upto;
    size_t rows;  /* of the room's that were looked at */
    size_t limit; /* of rows that are looked back over: fewer, where they are large */
    size_t bytes;
    size_t n_about, about_cap;
    struct through *through;
    size_t n_through, through_cap;
    stream_pos *by_power; /* events whose sender's power was asked for */
    size_t n_by_power, by_power_cap;
};

struct notified_cache {
    struct user_names *names;
    size_t bytes_max;
    pthread_mutex_t lock; /* of what follows; never waits for a held->lock */
    size_t bytes;
    struct held *all; /* in order of use: the front was used longest ago */
};

uint64_t notified_hash(const char *user_id, size_t len)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a: whoever finds two alike could mention both anyway */
    for (size_t i = 0; i < len; ++i)
        hash = (hash ^ (unsigned char)user_id[i]) * UINT64_C(1099511628211);
    return hash;
}

/* Makes room for one more of an array. */
static void *grown(struct held *held, void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return array;
    size_t more = *cap + 4;
    held->bytes += more * size;
    *cap += more;
    return xrealloc(array, *cap * size);
}

static void thread_free(struct held *held, struct notified_thread *thread)
{
    HASH_DEL(held->shown.by_root, thread);
    DL_DELETE(held->shown.threads, thread);
    held->bytes -= sizeof *thread + strlen(thread->root) + thread->cap * sizeof *thread->events;
    free(thread->events);
    free(thread->root);
    free(thread);
}

/* Empties it; the rules stay. */
static void clear(struct held *held)
{
    struct notified *shown = &held->shown;
    while (shown->threads != NULL)
        thread_free(held, shown->threads);
    for (size_t i = 0; i < held->n_about; ++i)
        free(shown->about[i].users);
    free(shown->main.events);
    free(shown->about);
    free(held->through);
    free(held->by_power);
    *shown = (struct notified){0};
    held->through = NULL;
    held->by_power = NULL;
    held->n_about = held->about_cap = held->n_through = held->through_cap = held->n_by_power = held->by_power_cap = 0;
    held->rows = 0;
    held->built = held->bounded = false;
    held->bytes = sizeof *held;
}

static void held_free(struct held *held)
{
    clear(held);
    push_rules_unref(held->rules);
    free(held->display_name);
    pthread_mutex_destroy(&held->lock);
    free(held);
}

/* Looking at events. */
struct look {
    struct held *held;
    struct db *db;
    struct user_names *names;
    const char *room_id;
    stream_pos known; /* what is not beyond was held before: the rest is read as it is now */
    bool loaded;      /* facts: read when the first event asks for them */
    struct push_room facts;
};

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static struct push_result ask_for(const struct look *look, const struct push_event *event, const char *user_id)
{
    return push_evaluate(look->held->rules, event, &(struct push_viewer){user_id, look->held->display_name});
}

/* Of whoever looks rules know only whether they are mentioned: all who are get the same answer, so that one of them is
 * asked about. (Nobody who is in a room is invited to it, so that no state key is anybody's.) */
static void judge_mentions(struct look *look, struct notified_event *to, const struct push_event *event)
{
    char user_id[ID_BYTES_MAX + 1];
    struct held *held = look->held;
    uint64_t *users = xcalloc(event->n_mentions, sizeof *users);
    uint32_t n = 0;
    for (size_t i = 0; i < event->n_mentions; ++i) {
        const struct push_value *id = &event->mentions[i];
        if (id->len > ID_BYTES_MAX ||
            (id->len == strlen(event->facts.sender) && memcmp(id->s, event->facts.sender, id->len) == 0))
            continue;
        memcpy(user_id, id->s, id->len);
        user_id[id->len] = '\0';
        users[n++] = notified_hash(id->s, id->len);
    }
    struct push_result result = n != 0 ? ask_for(look, event, user_id) : (struct push_result){0};
    if (n == 0 || (result.notify == to->notify && result.highlight == to->highlight)) {
        free(users);
        return;
    }
    qsort(users, n, sizeof *users, by_hash);
    held->bytes += n * sizeof *users;
    held->shown.about = grown(held, held->shown.about, held->n_about, &held->about_cap, sizeof *held->shown.about);
    held->shown.about[held->n_about++] = (struct notified_about){result.notify, result.highlight, n, users};
    to->about = (uint32_t)held->n_about & ((1u << 29) - 1);
}

/* What was redacted is not to be read. */
static void judge(struct look *look, struct notified_event *to, const struct event_row *row)
{
    struct push_event event;
    struct held *held = look->held;
    if (row->redacted_by != 0)
        return;
    if (!look->loaded)
        room_facts_load(&look->facts, look->db, look->names, held->key.room);
    look->loaded = true;
    look->facts.members = held->members;
    room_facts_event(&look->facts, &event, look->room_id, row);
    struct push_result result = ask_for(look, &event, "");
    to->notify = result.notify;
    to->highlight = result.highlight;
    if (result.asked_power) {
        held->by_power = grown(held, held->by_power, held->n_by_power, &held->by_power_cap, sizeof *held->by_power);
        held->by_power[held->n_by_power++] = row->pos;
    }
    if (event.n_mentions != 0)
        judge_mentions(look, to, &event);
    push_event_finish(&event);
}

/* Where the thread stands among the others now that its newest event is another. */
static void thread_settle(struct notified *shown, struct notified_thread *thread)
{
    struct notified_thread *other;
    DL_DELETE(shown->threads, thread);
    DL_FOREACH(shown->threads, other)
        if (other->events[other->n - 1].pos < thread->events[thread->n - 1].pos)
            break;
    if (other != NULL)
        DL_PREPEND_ELEM(shown->threads, other, thread);
    else
        DL_APPEND(shown->threads, thread);
}

/* root NULL: the main timeline. */
static struct notified_thread *thread_of(struct held *held, const char *root)
{
    struct notified *shown = &held->shown;
    struct notified_thread *thread;
    if (root == NULL)
        return &shown->main;
    HASH_FIND_STR(shown->by_root, root, thread);
    if (thread != NULL)
        return thread;
    thread = xcalloc(1, sizeof *thread);
    thread->root = xstrdup(root);
    held->bytes += sizeof *thread + strlen(root);
    HASH_ADD_KEYPTR(hh, shown->by_root, thread->root, strlen(root), thread);
    DL_APPEND(shown->threads, thread);
    return thread;
}

static void insert(struct held *held, struct notified_thread *thread, const struct notified_event *event)
{
    size_t at = thread->n;
    thread->events = grown(held, thread->events, thread->n, &thread->cap, sizeof *event);
    for (; at > 0 && thread->events[at - 1].pos > event->pos; --at)
        thread->events[at] = thread->events[at - 1];
    thread->events[at] = *event;
    ++thread->n;
    if (thread->root != NULL)
        thread_settle(&held->shown, thread);
}

/* The thread the row belongs to; NULL: none, the main timeline. out: its root. What it was found through may be
 * redacted later. */
static const char *find_root(struct look *look, const struct event_row *row, char out[ID_BYTES_MAX + 1])
{
    struct held *held = look->held;
    struct thread_hops hops = {0};
    if (!thread_root_through(look->db, row->content, out, &hops))
        return NULL;
    for (size_t i = 0; i < hops.n; ++i) {
        held->through = grown(held, held->through, held->n_through, &held->through_cap, sizeof *held->through);
        held->through[held->n_through++] = (struct through){notified_hash(hops.ids[i], strlen(hops.ids[i])), row->pos};
    }
    return out;
}

static void add(struct look *look, const struct event_row *row)
{
    char root[ID_BYTES_MAX + 1];
    struct notified_event event = {.pos = row->pos, .sender = (uint32_t)row->sender, .state = row->state_key != NULL};
    judge(look, &event, row);
    if (!event.state || event.notify || event.about != 0)
        insert(look->held, thread_of(look->held, find_root(look, row, root)), &event);
}

static bool take_from(struct held *held, struct notified_thread *thread, stream_pos pos)
{
    size_t at;
    SEARCH_FIRST(at, thread->n, thread->events[at].pos < pos);
    if (at == thread->n || thread->events[at].pos != pos)
        return false;
    memmove(&thread->events[at], &thread->events[at + 1], (thread->n - at - 1) * sizeof *thread->events);
    --thread->n;
    if (thread->root != NULL && thread->n == 0)
        thread_free(held, thread);
    else if (thread->root != NULL)
        thread_settle(&held->shown, thread);
    return true;
}

/* Looks again at an event that has been looked at. */
static void look_again(struct look *look, stream_pos pos)
{
    struct event_row row;
    struct notified_thread *thread, *next;
    struct notified *shown = &look->held->shown;
    bool taken = take_from(look->held, &shown->main, pos);
    for (thread = shown->threads; !taken && thread != NULL; thread = next) {
        next = thread->next;
        taken = take_from(look->held, thread, pos);
    }
    struct stmt *q = events_by_pos(look->db, pos);
    if (events_next(q, &row))
        add(look, &row);
    stmt_end(q);
}

static bool is_power_levels(const struct event_row *row)
{
    return row->state_key != NULL && strcmp(row->type, "m.room.power_levels") == 0;
}

/* The event that it is about, and what is in a thread by way of that one. Whether it was taken back, its row says.
 * Whether it was power levels, which lose what they said of notifications. */
static bool redacted(struct look *look, const struct event_row *row)
{
    struct event_row about;
    struct held *held = look->held;
    json_t *content = row->redacts == NULL ? json_loads(row->content, 0, NULL) : NULL;
    const char *id = row->redacts != NULL ? row->redacts : json_get_string(content, "redacts");
    stream_pos pos = id != NULL ? events_pos_of(look->db, id) : 0;
    uint64_t hash = id != NULL ? notified_hash(id, strlen(id)) : 0;
    if (pos > held->start && pos <= look->known)
        look_again(look, pos);
    for (size_t i = 0, n = held->n_through; pos != 0 && i < n; ++i)
        if (held->through[i].hop == hash && held->through[i].pos <= look->known)
            look_again(look, held->through[i].pos);
    json_decref(content);
    struct stmt *q = events_by_pos(look->db, pos);
    bool power = events_next(q, &about) && is_power_levels(&about);
    stmt_end(q);
    return power;
}

static void power_changed(struct look *look)
{
    struct held *held = look->held;
    stream_pos *again = held->by_power;
    size_t n = held->n_by_power;
    held->bytes -= held->by_power_cap * sizeof *again;
    held->by_power = NULL;
    held->n_by_power = held->by_power_cap = 0;
    for (size_t i = 0; i < n; ++i)
        look_again(look, again[i]);
    free(again);
}

static void carry_on(struct look *look, stream_pos upto)
{
    struct event_row row;
    bool power = false;
    struct held *held = look->held;
    look->known = held->upto;
    struct stmt *q = events_forwards(look->db, held->key.room, held->upto, upto, INT64_MAX);
    while (events_next(q, &row)) {
        if (strcmp(row.type, "m.room.redaction") == 0)
            power |= redacted(look, &row);
        power |= is_power_levels(&row);
        add(look, &row);
        ++held->rows;
    }
    stmt_end(q);
    if (power)
        power_changed(look);
    held->upto = upto;
    held->built = !db_failed(look->db);
}

/* Begins where the asker has read to, but looks back over twice as many events as before, so that people who have read
 * less and less do not make it begin anew each. */
static void build(struct look *look, const struct notified_ask *ask)
{
    struct held *held = look->held;
    size_t wanted = held->rows * 2 > BUILD_MIN ? held->rows * 2 : BUILD_MIN;
    clear(held);
    stream_pos least = events_nth_pos(look->db, ask->room, ask->upto, (int64_t)held->limit);
    stream_pos start = events_nth_pos(look->db, ask->room, ask->upto, (int64_t)wanted);
    start = ask->after < start ? ask->after : start;
    held->bounded = start < least;
    held->start = held->upto = held->bounded ? least : start;
    carry_on(look, ask->upto);
}

static void bring(struct look *look, const struct notified_ask *ask)
{
    struct held *held = look->held;
    if (held->built && (ask->after >= held->start || held->bounded || held->rows >= held->limit)) {
        if (ask->upto > held->upto)
            carry_on(look, ask->upto);
    } else {
        build(look, ask);
    }
    for (; held->bytes > NOTIFIED_BYTES_MAX || held->rows > NOTIFIED_EVENTS_MAX; build(look, ask))
        if (held->bytes > NOTIFIED_BYTES_MAX && held->limit > 1)
            held->limit /= 2;
}

/* The cache. */

struct notified_cache *notified_create(struct user_names *names, size_t bytes)
{
    struct notified_cache *cache = xcalloc(1, sizeof *cache);
    cache->names = names;
    cache->bytes_max = bytes;
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void drop(struct notified_cache *cache, struct held *held)
{
    HASH_DEL(cache->all, held);
    cache->bytes -= held->counted;
    if (--held->refs == 0)
        held_free(held);
    else
        held->counted = SIZE_MAX; /* whoever holds it does not count it again */
}

void notified_destroy(struct notified_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->all != NULL)
        drop(cache, cache->all);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static struct held *held_create(const struct key *key, const struct notified_ask *ask)
{
    struct held *held = xcalloc(1, sizeof *held);
    held->key = *key;
    held->refs = 1;
    held->rules = push_rules_ref(ask->rules);
    held->display_name = ask->display_name != NULL ? xstrdup(ask->display_name) : NULL;
    held->members = ask->members;
    held->limit = NOTIFIED_BUILD_MAX;
    held->bytes = sizeof *held;
    pthread_mutex_init(&held->lock, NULL);
    return held;
}

const struct notified *notified_open(struct notified_cache *cache, struct db *db, const struct notified_ask *ask)
{
    struct held *held;
    struct key key = {.room = ask->room};
    memcpy(key.scope, ask->scope->digest, sizeof key.scope);
    pthread_mutex_lock(&cache->lock);
    HASH_FIND(hh, cache->all, &key, sizeof key, held);
    if (held != NULL)
        HASH_DEL(cache->all, held);
    else
        held = held_create(&key, ask);
    HASH_ADD(hh, cache->all, key, sizeof held->key, held);
    ++held->refs;
    pthread_mutex_unlock(&cache->lock);
    pthread_mutex_lock(&held->lock);
    struct look look = {.held = held, .db = db, .names = cache->names, .room_id = ask->room_id};
    bring(&look, ask);
    if (look.loaded)
        room_facts_finish(&look.facts);
    return &held->shown;
}

void notified_close(struct notified_cache *cache, const struct notified *notified)
{
    struct held *held = (struct held *)notified;
    size_t bytes = held->bytes;
    pthread_mutex_unlock(&held->lock);
    pthread_mutex_lock(&cache->lock);
    if (held->counted != SIZE_MAX) {
        cache->bytes += bytes - held->counted;
        held->counted = bytes;
    }
    if (--held->refs == 0)
        held_free(held);
    while (cache->bytes > cache->bytes_max && cache->all != NULL)
        drop(cache, cache->all);
    pthread_mutex_unlock(&cache->lock);
}
