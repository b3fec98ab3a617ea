#include "homeserver/sync/typing.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/timed_thread.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/ephemeral.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/driver/writer.h"

#define ROOMS_MAX 8192  /* rooms remembered; the ones changed longest ago go, if nobody types there */
#define TYPISTS_MAX 200 /* on one list; who comes then waits until somebody stops */
#define RETRY_MS 1000

struct typist {
    user_no user;
    int64_t until_ms; /* clock_mono_ms */
};

/* Who began or ended, lately: for those who do not see everybody. */
#define CHANGES_KEPT 8
struct typing_change {
    user_no user;   /* 0: the list is told again */
    stream_pos pos; /* 0: not told yet */
};

struct typing_room {
    room_no room;
    char *room_id;
    stream_pos pos; /* of the last change */
    bool again;     /* the job that changed the list was rolled back: it must be told once more */
    size_t n;
    struct typist *typists;
    struct typing_change changes[CHANGES_KEPT]; /* a ring; unused ones are at the position 0 */
    unsigned n_changes;
    UT_hash_handle hh;
};

struct typing {
    struct writer *writer;
    struct rooms *rooms;
    struct timed_thread *expiry;
    int64_t retry_ms; /* the thread's own: not before, after a job that failed, though its undoing pokes */
    pthread_mutex_t lock;
    struct typing_room *all; /* in order of change: the front changed longest ago */
};

/* With the lock held: the room's entry at the back of the order, made if need be. */
static struct typing_room *entry(struct typing *typing, room_no no, const char *room_id)
{
    struct typing_room *room;
    HASH_FIND(hh, typing->all, &no, sizeof no, room);
    if (room == NULL) {
        room = xcalloc(1, sizeof *room);
        room->room = no;
        room->room_id = xstrdup(room_id);
    } else
        HASH_DEL(typing->all, room);
    HASH_ADD(hh, typing->all, room, sizeof room->room, room);
    return room;
}

static void drop(struct typing *typing, struct typing_room *room)
{
    HASH_DEL(typing->all, room);
    free(room->room_id);
    free(room->typists);
    free(room);
}

/* Only what is committed goes: a job that is rolled back still finds its room. */
static void make_space(struct typing *typing)
{
    struct typing_room *room, *next;
    if (HASH_COUNT(typing->all) <= ROOMS_MAX)
        return;
    HASH_ITER(hh, typing->all, room, next) {
        if (room->n == 0 && !room->again && room->pos <= writer_pos(typing->writer))
            drop(typing, room);
        if (HASH_COUNT(typing->all) <= ROOMS_MAX)
            return;
    }
}

static void note(struct typing_room *room, user_no user)
{
    room->changes[room->n_changes++ % CHANGES_KEPT] = (struct typing_change){user, 0};
}

/* Whether the list changed. */
static bool typist_add(struct typing_room *room, user_no user, int64_t until_ms)
{
    for (size_t i = 0; i < room->n; ++i)
        if (room->typists[i].user == user) {
            room->typists[i].until_ms = until_ms;
            return false;
        }
    if (room->n == TYPISTS_MAX)
        return false;
    room->typists = xrealloc(room->typists, (room->n + 1) * sizeof *room->typists);
    room->typists[room->n++] = (struct typist){user, until_ms};
    note(room, user);
    return true;
}

/* Takes off who is user, or whose time is up. Whether anybody was. */
static bool typists_drop(struct typing_room *room, user_no user, int64_t now_ms)
{
    size_t kept = 0, n = room->n;
    for (size_t i = 0; i < n; ++i)
        if (room->typists[i].user != user && room->typists[i].until_ms > now_ms)
            room->typists[kept++] = room->typists[i];
        else
            note(room, room->typists[i].user);
    room->n = kept;
    return kept != n;
}

/* A job was rolled back: lists whose position is not committed were never told of. (One that an earlier job of the same
 * group changed is told of once more, which does no harm.) */
static void tell_again(void *arg)
{
    struct typing *typing = arg;
    struct typing_room *room, *next;
    stream_pos committed = writer_pos(typing->writer);
    pthread_mutex_lock(&typing->lock);
    HASH_ITER(hh, typing->all, room, next) {
        room->again |= room->pos > committed;
    }
    pthread_mutex_unlock(&typing->lock);
    timed_thread_poke(typing->expiry);
}

static void announce(struct typing *typing, struct tx *tx, struct typing_room *room)
{
    rooms_prepare_joined(typing->rooms, tx, room->room);
    if (room->again)
        note(room, 0);
    room->pos = ephemeral_typing(tx, room->room);
    room->again = false;
    for (unsigned i = 0; i < CHANGES_KEPT && i < room->n_changes; ++i)
        if (room->changes[i].pos == 0)
            room->changes[i].pos = room->pos;
    tx_on_rollback(tx, tell_again, typing);
}

struct setting {
    struct typing *typing;
    const char *room_id;
    user_no user;
    int64_t timeout_ms;
};

static bool set_job(struct tx *tx, void *arg, struct error *e)
{
    struct setting *set = arg;
    struct typing *typing = set->typing;
    room_no no = rooms_by_id(tx->db, set->room_id);
    if (no == 0 || memberships_of(tx->db, no, set->user) != MEMBERSHIP_JOIN)
        return error_set(e, ERROR_FORBIDDEN, "You are not in this room.");
    if (!gate_room(typing->rooms, tx->db, ACT_SIGNAL, no, set->user, 0, NULL, NULL, e))
        return false;
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&typing->lock);
    struct typing_room *room = entry(typing, no, set->room_id);
    /* After a restart clients may show somebody as typing of whom nothing is known here any more. */
    bool changed = room->pos == 0 || room->again;
    if (set->timeout_ms > 0)
        changed |= typist_add(room, set->user, now_ms + set->timeout_ms);
    else
        changed |= typists_drop(room, set->user, now_ms);
    if (changed)
        announce(typing, tx, room);
    make_space(typing);
    pthread_mutex_unlock(&typing->lock);
    timed_thread_poke(typing->expiry);
    return true;
}

bool typing_set(struct typing *typing, const char *room_id, user_no user, int64_t timeout_ms, struct error *e)
{
    struct setting set = {typing, room_id, user, timeout_ms};
    if (set.timeout_ms > TYPING_TIMEOUT_MAX_MS)
        set.timeout_ms = TYPING_TIMEOUT_MAX_MS;
    return writer_run(typing->writer, set_job, &set, e);
}

/* When the next typist's time is up, or now if a list must be told again. */
static int64_t next_end(struct typing *typing)
{
    int64_t end = TIMED_NEVER;
    pthread_mutex_lock(&typing->lock);
    for (const struct typing_room *room = typing->all; room != NULL; room = room->hh.next) {
        if (room->again)
            end = 0;
        for (size_t i = 0; i < room->n; ++i)
            if (room->typists[i].until_ms < end)
                end = room->typists[i].until_ms;
    }
    pthread_mutex_unlock(&typing->lock);
    return end;
}

/* Taking a room to the back of the order while walking it is safe: it is met again, with nothing left to do. */
static bool expire_job(struct tx *tx, void *arg, struct error *e)
{
    struct typing *typing = arg;
    int64_t now_ms = clock_mono_ms();
    struct typing_room *room, *next;
    pthread_mutex_lock(&typing->lock);
    HASH_ITER(hh, typing->all, room, next) {
        if (typists_drop(room, 0, now_ms) || room->again)
            announce(typing, tx, entry(typing, room->room, room->room_id));
    }
    pthread_mutex_unlock(&typing->lock);
    return true;
}

static int64_t expire(void *arg, const _Atomic bool *stop)
{
    struct typing *typing = arg;
    struct error ignored;
    int64_t end_ms = next_end(typing);
    if (end_ms < typing->retry_ms)
        end_ms = typing->retry_ms;
    if (end_ms > clock_mono_ms())
        return end_ms;
    if (!writer_run(typing->writer, expire_job, typing, &ignored)) /* the disk is full, or the server is stopping */
        return typing->retry_ms = clock_mono_ms() + RETRY_MS;
    return next_end(typing);
}

struct typing *typing_create(struct writer *writer, struct rooms *rooms)
{
    struct typing *typing = xcalloc(1, sizeof *typing);
    typing->writer = writer;
    typing->rooms = rooms;
    pthread_mutex_init(&typing->lock, NULL);
    typing->expiry = timed_thread_start("typing", expire, typing, TIMED_NEVER);
    if (typing->expiry != NULL)
        return typing;
    typing_destroy(typing);
    return NULL;
}

void typing_stop(struct typing *typing)
{
    if (typing != NULL)
        timed_thread_stop(typing->expiry);
}

void typing_destroy(struct typing *typing)
{
    if (typing == NULL)
        return;
    timed_thread_destroy(typing->expiry);
    while (typing->all != NULL)
        drop(typing, typing->all);
    pthread_mutex_destroy(&typing->lock);
    free(typing);
}

void typists_finish(struct typists *typists)
{
    free(typists->users);
    *typists = (struct typists){0};
}

static void copy_list(const struct typing_room *room, const struct member_set *unseen, struct typists *out)
{
    out->users = xcalloc(room->n, sizeof *out->users);
    for (size_t i = 0; i < room->n; ++i)
        if (!member_set_has(unseen, room->typists[i].user))
            out->users[out->n++] = room->typists[i].user;
}

/* Whether anybody who is seen began or ended after since, as far as that is known still. */
static bool seen_since(const struct typing_room *room, stream_pos since, const struct member_set *unseen)
{
    unsigned n = room->n_changes < CHANGES_KEPT ? room->n_changes : CHANGES_KEPT, later = 0;
    bool seen = unseen == NULL;
    for (unsigned i = 0; i < n; ++i) {
        later += room->changes[i].pos > since;
        seen |= room->changes[i].pos > since && !member_set_has(unseen, room->changes[i].user);
    }
    return seen || later == CHANGES_KEPT;
}

void typing_changed(struct typing *typing, room_no no, stream_pos since, stream_pos upto,
                    const struct member_set *unseen, struct typists *out)
{
    struct typing_room *room;
    pthread_mutex_lock(&typing->lock);
    HASH_FIND(hh, typing->all, &no, sizeof no, room);
    if (room != NULL && room->pos > since && room->pos <= upto && seen_since(room, since, unseen)) {
        copy_list(room, unseen, out);
        out->changed = since != 0 || out->n != 0;
    }
    pthread_mutex_unlock(&typing->lock);
}

void typing_now(struct typing *typing, room_no no, struct typists *out)
{
    struct typing_room *room;
    pthread_mutex_lock(&typing->lock);
    HASH_FIND(hh, typing->all, &no, sizeof no, room);
    if (room != NULL)
        copy_list(room, NULL, out);
    out->changed = room != NULL;
    pthread_mutex_unlock(&typing->lock);
}
