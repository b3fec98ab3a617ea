#include "homeserver/sync/unread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "homeserver/base/search.h"
#include "homeserver/base/text.h"
#include "homeserver/push/room_facts.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/push/rules/scope.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/threads.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/sync/notified.h"
#include "homeserver/sync/rules_cache.h"

#define SHARDS 64
#define THREADS_MAX 200 /* unread ones of a room that are counted each; the rest counts as outside of threads */

struct key {
    user_no user;
    room_no room;
};

/* What was counted, for the loops to count on from. What they ask of one person after the other, cold each, comes
 * first: finding the entry and counting on touch two or three lines of memory. */
struct counted {
    UT_hash_handle hh;
    struct key key;
    stream_pos upto, joined_pos;
    struct push_rules *rules;
    char *display_name; /* NULL: none, or not wanted */
    struct unread_tally tally;
    bool ignores; /* the user ignores somebody: counted anew each time, by a worker */
};

struct unread {
    struct user_names *names;
    struct rules_cache *rules;
    struct notified_cache *notified;
    size_t max; /* in a shard */
    struct shard {
        pthread_mutex_t lock;
        struct counted *all; /* in order of use: the front was used longest ago */
    } shards[SHARDS];
};

struct unread *unread_create(struct user_names *names, size_t max, size_t bytes)
{
    struct unread *unread = xcalloc(1, sizeof *unread);
    unread->names = names;
    unread->rules = rules_cache_create();
    unread->notified = notified_create(names, bytes);
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
    notified_destroy(unread->notified);
    rules_cache_destroy(unread->rules);
    free(unread);
}

static struct shard *shard_of(struct unread *unread, const struct key *key)
{
    return &unread->shards[((uint64_t)key->user * 31 + (uint64_t)key->room) % SHARDS];
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

/* How far a person has read, in all and by thread: an event counts when it is behind both. */
struct floors {
    stream_pos all, main;
    size_t n, cap;
    struct floor {
        char *root;
        stream_pos pos;
    } * threads; /* by root, of two the higher one first */
};

static int by_root(const void *a, const void *b)
{
    const struct floor *x = a, *y = b;
    int order = strcmp(x->root, y->root);
    return order != 0 ? order : (x->pos < y->pos) - (x->pos > y->pos);
}

static void add_floor(struct floors *floors, const char *root, stream_pos pos)
{
    if (floors->n == floors->cap) {
        floors->cap = floors->cap * 2 + 4;
        floors->threads = xrealloc(floors->threads, floors->cap * sizeof *floors->threads);
    }
    floors->threads[floors->n++] = (struct floor){xstrdup(root), pos};
}

static void raise_floor(stream_pos *floor, stream_pos pos)
{
    if (pos > *floor)
        *floor = pos;
}

/* An unthreaded receipt is of every thread ("Threaded read receipts"), and so is joining: what came before is nobody's
 * to have read. */
static void load_floors(struct floors *floors, struct db *db, const struct unread_ask *ask)
{
    struct receipt_row row;
    *floors = (struct floors){.all = ask->joined_pos};
    struct stmt *q = receipts_of_user(db, ask->room, ask->user);
    while (receipts_next(q, &row)) {
        if (row.thread[0] == '\0')
            raise_floor(&floors->all, row.event_pos);
        else if (strcmp(row.thread, THREAD_MAIN) == 0)
            raise_floor(&floors->main, row.event_pos);
        else
            add_floor(floors, row.thread, row.event_pos);
    }
    stmt_end(q);
    raise_floor(&floors->main, floors->all);
    if (floors->n != 0)
        qsort(floors->threads, floors->n, sizeof *floors->threads, by_root);
}

static stream_pos floor_of(const struct floors *floors, const char *root)
{
    size_t at;
    SEARCH_FIRST(at, floors->n, strcmp(floors->threads[at].root, root) < 0);
    stream_pos own = at < floors->n && strcmp(floors->threads[at].root, root) == 0 ? floors->threads[at].pos : 0;
    return own > floors->all ? own : floors->all;
}

struct counting {
    const struct unread_ask *ask;
    const struct notified *notified;
    uint64_t hash; /* notified_hash of the user */
    struct unread_tally *tally;
};

/* What an event does for those whom it mentions, if the user is one of them; NULL: they are not. */
static const struct notified_about *about_user(const struct counting *c, const struct notified_event *event)
{
    const struct notified_about *about = &c->notified->about[event->about - 1];
    size_t at;
    SEARCH_FIRST(at, about->n, about->users[at] < c->hash);
    return at < about->n && about->users[at] == c->hash ? about : NULL;
}

/* From the newest on, to what was read. Whoever speaks has read what stands above in that thread, state events apart:
 * they are not spoken in answer to anything. */
static void count_thread(const struct counting *c, const struct notified_thread *thread, stream_pos floor)
{
    const struct unread_ask *ask = c->ask;
    struct unread_counts counts = {0};
    bool ignores = ask->ignored != NULL && ask->ignored->n != 0;
    for (size_t i = thread->n; i-- > 0 && thread->events[i].pos > floor;) {
        const struct notified_event *event = &thread->events[i];
        bool own = event->sender == (uint32_t)ask->user;
        if (own && !event->state)
            break;
        if (own || event->pos > ask->upto || (ignores && !event->state && ignored_has(ask->ignored, event->sender)))
            continue;
        const struct notified_about *about = event->about != 0 ? about_user(c, event) : NULL;
        counts.notify += about != NULL ? about->notify : event->notify;
        counts.highlight += about != NULL ? about->highlight : event->highlight;
    }
    if (counts.notify == 0)
        return;
    struct unread_counts *sum = tally_of(c->tally, thread->root);
    sum->notify += counts.notify;
    sum->highlight += counts.highlight;
}

/* The newest threads first: those that nobody has spoken in since the user read everything are not looked at. */
static void count_all(const struct counting *c, const struct floors *floors)
{
    const struct notified_thread *thread;
    count_thread(c, &c->notified->main, floors->main);
    DL_FOREACH(c->notified->threads, thread) {
        if (thread->events[thread->n - 1].pos <= floors->all)
            break;
        count_thread(c, thread, floor_of(floors, thread->root));
    }
}

/* Counts from what the room has for all whose rules come to the same as the user's. */
static void count_anew(struct unread *unread, struct db *db, const struct unread_ask *ask, struct counted *counted,
                       const struct floors *floors)
{
    struct push_scope scope;
    bool by_members = !rules_cache_are_default(unread->rules, counted->rules); /* these say the same for any number */
    int64_t members = by_members ? memberships_count(db, ask->room, MEMBERSHIP_JOIN) : 0;
    push_rules_scope(counted->rules, ask->room_id, members, counted->display_name, &scope);
    if (!scope.notifies)
        return;
    const struct notified *notified =
        notified_open(unread->notified, db,
                      &(struct notified_ask){ask->room, ask->room_id, counted->rules, &scope, members,
                                             counted->display_name, floors->all, ask->upto});
    count_all(&(struct counting){ask, notified, notified_hash(ask->user_id, strlen(ask->user_id)), &counted->tally},
              floors);
    notified_close(unread->notified, notified);
}

struct push_rules *unread_rules(struct unread *unread, struct db *db, user_no user)
{
    return rules_cache_get(unread->rules, db, user);
}

bool unread_get(struct unread *unread, struct db *db, const struct unread_ask *ask, struct unread_tally *out)
{
    struct floors floors;
    struct counted counted = {.key = {ask->user, ask->room}, .upto = ask->upto, .joined_pos = ask->joined_pos};
    *out = (struct unread_tally){0};
    load_floors(&floors, db, ask);
    bool asked = !ask->only_behind || events_last_pos(db, ask->room, ask->upto) > floors.all;
    if (asked) {
        counted.ignores = ask->ignored != NULL && ask->ignored->n != 0;
        counted.rules = ask->rules != NULL ? push_rules_ref(ask->rules) : unread_rules(unread, db, ask->user);
        if (push_rules_want_display_name(counted.rules))
            counted.display_name = room_facts_display_name(db, ask->room, ask->user_id);
        count_anew(unread, db, ask, &counted, &floors);
        tally_copy(out, &counted.tally);
        remember(unread, &counted);
    }
    for (size_t i = 0; i < floors.n; ++i)
        free(floors.threads[i].root);
    free(floors.threads);
    return asked;
}

enum { ANSWERED = 1, NOTIFIES = 2, HIGHLIGHTS = 4 };

/* The default rules know of whoever looks only whether they are mentioned. */
static unsigned answer_for(const struct unread *unread, const struct counted *counted, const char *user_id,
                           const struct unread_news *news)
{
    bool of_all = news->event->n_mentions == 0 && rules_cache_are_default(unread->rules, counted->rules);
    unsigned answer = of_all ? atomic_load_explicit(news->answer, memory_order_relaxed) : 0;
    if (answer == 0) {
        struct push_result result =
            push_evaluate(counted->rules, news->event, &(struct push_viewer){user_id, counted->display_name});
        answer = ANSWERED | (result.notify ? NOTIFIES : 0) | (result.highlight ? HIGHLIGHTS : 0);
        if (of_all)
            atomic_store_explicit(news->answer, (unsigned char)answer, memory_order_relaxed);
    }
    return answer;
}

/* Whoever speaks has read what stands above in that thread. false: of more threads than are counted each, which are
 * counted outside of threads, it can't be told what is left. */
static bool read_above(struct unread_tally *tally, const char *root)
{
    if (tally->n == THREADS_MAX)
        return false;
    if (root == NULL)
        tally->main = (struct unread_counts){0};
    for (size_t i = 0; root != NULL && i < tally->n; ++i)
        if (strcmp(tally->threads[i].root, root) == 0)
            tally->threads[i].counts = (struct unread_counts){0};
    return true;
}

static void count_on(const struct unread *unread, struct counted *counted, const char *user_id,
                     const struct unread_news *news)
{
    unsigned answer = answer_for(unread, counted, user_id, news);
    if ((answer & NOTIFIES) == 0)
        return;
    struct unread_counts *counts = tally_of(&counted->tally, news->thread);
    counts->notify += 1;
    counts->highlight += (answer & HIGHLIGHTS) != 0;
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
        if (news->own)
            usable = read_above(&counted->tally, news->thread);
        else
            count_on(unread, counted, user_id, news);
        counted->upto = usable ? news->pos : counted->upto;
    }
    if (usable) {
        tally_copy(out, &counted->tally);
        *joined_pos = counted->joined_pos;
    }
    pthread_mutex_unlock(&shard->lock);
    return usable;
}
