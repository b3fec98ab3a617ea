#include "homeserver/sync/unread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/base/text.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/push/room_facts.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/sync/rules_cache.h"
#include "homeserver/rooms/threads.h"

#define SHARDS 64
#define THREADS_MAX 200 /* unread ones of a room that are counted each; the rest counts as outside of threads */

struct key {
    user_no user;
    room_no room;
};

/* What was counted, and what it was counted from. What a loop asks of one person after the other, cold each, comes
 * first: finding the entry and counting on touch two or three lines of memory. */
struct counted {
    UT_hash_handle hh;
    struct key key;
    stream_pos upto, joined_pos;
    struct push_rules *rules;
    char *display_name; /* NULL: none, or not wanted */
    struct unread_tally tally;
    bool ignores; /* the user ignores somebody: counted anew each time, by a worker */
    stream_pos receipts_pos;
};

struct unread {
    struct user_names *names;
    struct rules_cache *rules;
    size_t max; /* in a shard */
    struct shard {
        pthread_mutex_t lock;
        struct counted *all; /* in order of use: the front was used longest ago */
    } shards[SHARDS];
};

struct unread *unread_create(struct user_names *names, size_t max)
{
    struct unread *unread = xcalloc(1, sizeof *unread);
    unread->names = names;
    unread->rules = rules_cache_create();
    unread->max = max / SHARDS + 1;
    for (int i = 0; i < SHARDS; ++i)
        pthread_mutex_init(&unread->shards[i].lock, NULL);
    return unread;
}

void unread_tally_finish(struct unread_tally *tally)
{
    for (size_t i = 0; i < tally->n; ++i)
        free(tally->threads[i].root);
    free(tally->threads);
    *tally = (struct unread_tally){0};
}

static void tally_copy(struct unread_tally *to, const struct unread_tally *from)
{
    *to = *from;
    to->threads = NULL;
    if (from->n == 0)
        return;
    to->threads = xcalloc(from->n, sizeof *to->threads);
    for (size_t i = 0; i < from->n; ++i)
        to->threads[i] = (struct unread_thread){xstrdup(from->threads[i].root), from->threads[i].counts};
}

/* root NULL: the main timeline. */
static struct unread_counts *tally_of(struct unread_tally *tally, const char *root)
{
    if (root == NULL)
        return &tally->main;
    for (size_t i = 0; i < tally->n; ++i)
        if (strcmp(tally->threads[i].root, root) == 0)
            return &tally->threads[i].counts;
    if (tally->n == THREADS_MAX)
        return &tally->main;
    tally->threads = xrealloc(tally->threads, (tally->n + 1) * sizeof *tally->threads);
    tally->threads[tally->n] = (struct unread_thread){xstrdup(root), {0}};
    return &tally->threads[tally->n++].counts;
}

static void counted_finish(struct counted *counted)
{
    push_rules_unref(counted->rules);
    free(counted->display_name);
    unread_tally_finish(&counted->tally);
}

static void drop(struct shard *shard, struct counted *counted)
{
    HASH_DEL(shard->all, counted);
    counted_finish(counted);
    free(counted);
}

void unread_destroy(struct unread *unread)
{
    if (unread == NULL)
        return;
    for (int i = 0; i < SHARDS; ++i) {
        while (unread->shards[i].all != NULL)
            drop(&unread->shards[i], unread->shards[i].all);
        pthread_mutex_destroy(&unread->shards[i].lock);
    }
    rules_cache_destroy(unread->rules);
    free(unread);
}

static struct shard *shard_of(struct unread *unread, const struct key *key)
{
    return &unread->shards[((uint64_t)key->user * 31 + (uint64_t)key->room) % SHARDS];
}

/* A copy of what is remembered, the caller's to finish. false: nothing. */
static bool recall(struct unread *unread, const struct key *key, struct counted *out)
{
    struct shard *shard = shard_of(unread, key);
    struct counted *counted;
    pthread_mutex_lock(&shard->lock);
    HASH_FIND(hh, shard->all, key, sizeof *key, counted);
    if (counted != NULL) {
        *out = *counted;
        push_rules_ref(out->rules);
        out->display_name = counted->display_name != NULL ? xstrdup(counted->display_name) : NULL;
        tally_copy(&out->tally, &counted->tally);
    }
    pthread_mutex_unlock(&shard->lock);
    return counted != NULL;
}

/* Takes what counted owns. What was counted later stays. */
static void remember(struct unread *unread, struct counted *counted)
{
    struct shard *shard = shard_of(unread, &counted->key);
    struct counted *old;
    pthread_mutex_lock(&shard->lock);
    HASH_FIND(hh, shard->all, &counted->key, sizeof counted->key, old);
    if (old != NULL && old->upto > counted->upto) {
        counted_finish(counted);
    } else {
        if (old != NULL)
            drop(shard, old);
        else if (HASH_COUNT(shard->all) >= unread->max)
            drop(shard, shard->all);
        struct counted *kept = xcalloc(1, sizeof *kept);
        *kept = *counted;
        HASH_ADD(hh, shard->all, key, sizeof kept->key, kept);
    }
    pthread_mutex_unlock(&shard->lock);
}

/* Counting, with the room's facts that push rules ask for: read when the first event needs them. */
struct counting {
    struct unread *unread;
    struct db *db;
    const struct unread_ask *ask;
    struct counted *counted;
    bool loaded; /* facts */
    struct room_facts facts;
};

static bool ignores_somebody(const struct unread_ask *ask)
{
    return ask->ignored != NULL && ask->ignored->n != 0;
}

/* What was redacted or comes from somebody ignored is not to be read. .m.rule.member_event lets no change of another's
 * membership notify; in a new room of a whole school that is nearly all there is. */
static bool never_notifies(const struct counting *c, const struct event_row *row)
{
    if (row->redacted_by != 0 || (row->state_key == NULL && ignored_has(c->ask->ignored, row->sender)))
        return true;
    return row->state_key != NULL && strcmp(row->type, "m.room.member") == 0 &&
           strcmp(row->state_key, c->ask->user_id) != 0 && rules_cache_are_default(c->unread->rules, c->counted->rules);
}

static struct push_result evaluate(struct counting *c, const struct event_row *row)
{
    struct push_event event;
    if (never_notifies(c, row))
        return (struct push_result){0};
    if (!c->loaded)
        room_facts_load(&c->facts, c->db, c->unread->names, c->ask->room);
    c->loaded = true;
    room_facts_event(&c->facts, &event, c->ask->room_id, row);
    struct push_result result =
        push_evaluate(c->counted->rules, &event, &(struct push_viewer){c->ask->user_id, c->counted->display_name});
    push_event_finish(&event);
    return result;
}

static void count(struct unread_counts *counts, const struct push_result *result)
{
    counts->notify += 1;
    counts->highlight += result->highlight;
}

/* Whoever speaks has read what stands above, state events apart: they are not spoken in answer to anything. */
static bool is_own_message(const struct counting *c, const struct event_row *row)
{
    return row->sender == c->ask->user && row->state_key == NULL;
}

/* How far a person has read, in all and by thread: an event counts when it is behind both. */
struct floors {
    stream_pos all, main;
    size_t n;
    struct floor {
        char *root;
        stream_pos pos;
    } * threads;
};

static stream_pos *floor_of(struct floors *floors, const char *root)
{
    if (root == NULL)
        return &floors->main;
    for (size_t i = 0; i < floors->n; ++i)
        if (strcmp(floors->threads[i].root, root) == 0)
            return &floors->threads[i].pos;
    floors->threads = xrealloc(floors->threads, (floors->n + 1) * sizeof *floors->threads);
    floors->threads[floors->n] = (struct floor){xstrdup(root), 0};
    return &floors->threads[floors->n++].pos;
}

static void raise_floor(stream_pos *floor, stream_pos pos)
{
    if (pos > *floor)
        *floor = pos;
}

/* An unthreaded receipt is of every thread ("Threaded read receipts"), and so is joining: what came before is nobody's
 * to have read. */
static void load_floors(struct floors *floors, struct counting *c)
{
    struct receipt_row row;
    *floors = (struct floors){.all = c->ask->joined_pos};
    struct stmt *q = receipts_of_user(c->db, c->ask->room, c->ask->user);
    while (receipts_next(q, &row)) {
        raise_floor(&c->counted->receipts_pos, row.pos);
        if (row.thread[0] == '\0')
            raise_floor(&floors->all, row.event_pos);
        else
            raise_floor(floor_of(floors, strcmp(row.thread, THREAD_MAIN) == 0 ? NULL : row.thread), row.event_pos);
    }
    stmt_end(q);
}

/* From the newest on, so that one's own newest message in a thread is met before what it has read: it raises the floor
 * under everything older. */
static void count_one_backwards(struct counting *c, struct floors *floors, const struct event_row *row)
{
    char root[ID_BYTES_MAX + 1];
    bool own = is_own_message(c, row);
    struct push_result result = {0};
    if (!own && !(result = evaluate(c, row)).notify)
        return;
    const char *thread = thread_root(c->db, row->content, root) ? root : NULL;
    stream_pos *floor = floor_of(floors, thread);
    if (own)
        raise_floor(floor, row->pos);
    else if (row->pos > *floor)
        count(tally_of(&c->counted->tally, thread), &result);
}

static void count_anew(struct counting *c)
{
    struct event_row row;
    struct floors floors;
    unread_tally_finish(&c->counted->tally);
    c->counted->receipts_pos = 0;
    load_floors(&floors, c);
    struct stmt *q = events_backwards(c->db, c->ask->room, floors.all, c->ask->upto, UNREAD_SCAN_MAX);
    while (events_next(q, &row))
        count_one_backwards(c, &floors, &row);
    stmt_end(q);
    for (size_t i = 0; i < floors.n; ++i)
        free(floors.threads[i].root);
    free(floors.threads);
}

/* In the other direction one's own message has read all that was counted before it. false: count anew, because what was
 * counted before this event may count otherwise after it: a redaction takes an event back, and rules may ask for the
 * sender's power and, but for the default ones, for how many members there are. */
static bool count_one_forwards(struct counting *c, const struct event_row *row)
{
    char root[ID_BYTES_MAX + 1];
    bool own = is_own_message(c, row);
    struct push_result result = {0};
    if (strcmp(row->type, "m.room.redaction") == 0 || strcmp(row->type, "m.room.power_levels") == 0 ||
        (strcmp(row->type, "m.room.member") == 0 && !rules_cache_are_default(c->unread->rules, c->counted->rules)))
        return false;
    if (!own && !(result = evaluate(c, row)).notify)
        return true;
    struct unread_counts *counts = tally_of(&c->counted->tally, thread_root(c->db, row->content, root) ? root : NULL);
    if (own)
        *counts = (struct unread_counts){0};
    else
        count(counts, &result);
    return true;
}

static bool carry_on(struct counting *c)
{
    struct event_row row;
    bool ok = true;
    struct stmt *q = events_forwards(c->db, c->ask->room, c->counted->upto, c->ask->upto, INT64_MAX);
    while (ok && events_next(q, &row))
        ok = count_one_forwards(c, &row);
    stmt_end(q);
    return ok;
}

static char *display_name(struct db *db, room_no room, const char *user_id)
{
    char *content = events_state_content(db, room, "m.room.member", user_id);
    json_t *object = content != NULL ? json_loads(content, 0, NULL) : NULL;
    const char *name = json_get_string(object, "displayname");
    char *copy = name != NULL ? xstrdup(name) : NULL;
    json_decref(object);
    free(content);
    return copy;
}

/* Whether the counts may be carried on from what is remembered; if not, *counted becomes what to count from. Takes
 * rules.
 *
 * Each part of the condition is something that changes what was counted, not only what comes: other rules, another name
 * to be called by, joining anew, a newer receipt (which only takes away, but from which counts is not kept), whom one
 * ignores (not kept either, so that nobody's list is looked at event by event on a loop), or a snapshot older than what
 * another request has counted to meanwhile. */
static bool still_holds(struct counting *c, bool known, struct push_rules *rules)
{
    struct counted *counted = c->counted;
    const struct unread_ask *ask = c->ask;
    char *name = push_rules_want_display_name(rules) ? display_name(c->db, ask->room, ask->user_id) : NULL;
    bool same_name = name == NULL || counted->display_name == NULL ? name == counted->display_name
                                                                   : strcmp(name, counted->display_name) == 0;
    bool holds = known && !counted->ignores && !ignores_somebody(ask) && counted->rules == rules &&
                 counted->joined_pos == ask->joined_pos && same_name && counted->upto <= ask->upto &&
                 counted->receipts_pos == receipts_last_of_user(c->db, ask->room, ask->user);
    if (known) {
        push_rules_unref(counted->rules);
        free(counted->display_name);
    }
    counted->rules = rules;
    counted->display_name = name;
    counted->joined_pos = ask->joined_pos;
    return holds;
}

void unread_get(struct unread *unread, struct db *db, const struct unread_ask *ask, struct unread_tally *out)
{
    struct counted counted = {.key = {ask->user, ask->room}};
    struct counting c = {.unread = unread, .db = db, .ask = ask, .counted = &counted};
    bool known = recall(unread, &counted.key, &counted);
    if (!still_holds(&c, known, rules_cache_get(unread->rules, db, ask->user)) || !carry_on(&c))
        count_anew(&c);
    counted.upto = ask->upto;
    counted.ignores = ignores_somebody(ask);
    if (c.loaded)
        room_facts_finish(&c.facts);
    tally_copy(out, &counted.tally);
    remember(unread, &counted);
}

/* On a loop there are no receipts, no rules document and no redactions to look at; but each of these changes the
 * person's own data or comes as news that is not plain, so that what was counted up to the event before this one (upto
 * ≥ before) and after their last own change still holds. Two devices of one person may both bring the event: the second
 * finds it counted. */
bool unread_advance(struct unread *unread, user_no user, const char *user_id, room_no room, stream_pos own_change,
                    const struct unread_news *news, struct unread_tally *out, stream_pos *joined_pos)
{
    struct key key = {user, room};
    struct shard *shard = shard_of(unread, &key);
    struct counted *counted;
    pthread_mutex_lock(&shard->lock);
    HASH_FIND(hh, shard->all, &key, sizeof key, counted);
    bool usable = counted != NULL && counted->upto >= news->before && counted->upto >= own_change &&
                  !counted->ignores && !push_rules_ask_power(counted->rules);
    if (usable && counted->upto < news->pos) {
        struct push_result result =
            push_evaluate(counted->rules, news->event, &(struct push_viewer){user_id, counted->display_name});
        if (result.notify)
            count(tally_of(&counted->tally, news->thread), &result);
        counted->upto = news->pos;
    }
    if (usable) {
        tally_copy(out, &counted->tally);
        *joined_pos = counted->joined_pos;
    }
    pthread_mutex_unlock(&shard->lock);
    return usable;
}
