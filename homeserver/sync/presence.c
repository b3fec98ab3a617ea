#include "homeserver/sync/presence.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/timed_thread.h"
#include "homeserver/base/words.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/ephemeral.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/driver/writer.h"

#define IDLE_MS 300000 /* without an act: unavailable */
#define SET_MS 60000   /* how long what somebody set holds without a poll */

/* A device, and what was last said of it. */
struct place {
    device_no device;
    enum presence_state said;
    int64_t until_ms; /* clock_mono_ms: when it is expected to ask again at the latest */
};

struct person {
    user_no user;
    struct place *places; /* at most PRESENCE_DEVICES_MAX; those whose time is up stay until their room is needed */
    size_t n_places;
    enum presence_state told;  /* to others, at pos */
    stream_pos pos;            /* of the last change */
    int64_t acted_ms, told_ms; /* clock_mono_ms: of their last act; of telling others the last time (0: never) */
    char *status_msg;          /* NULL: none */
    struct member_set *near;   /* who shares a room with them; from the change until it is told */
    bool again;                /* must be told of (once more) */
    UT_hash_handle hh;
};

struct presence {
    struct writer *writer;
    struct timed_thread *turn;
    pthread_mutex_t lock;
    struct person *all;
};

static const char *const NAMES[] = {"offline", "unavailable", "online"};

bool presence_state_from(const char *name, enum presence_state *out)
{
    int i = WORD_FIND(NAMES, name);
    if (i >= 0)
        *out = (enum presence_state)i;
    return i >= 0;
}

/* With the lock held, as everything below that takes a person. */
static struct person *person_of(struct presence *presence, user_no user, bool make)
{
    struct person *person;
    HASH_FIND(hh, presence->all, &user, sizeof user, person);
    if (person == NULL && make) {
        person = xcalloc(1, sizeof *person);
        person->user = user;
        HASH_ADD(hh, presence->all, user, sizeof person->user, person);
    }
    return person;
}

static enum presence_state state_now(const struct person *person, int64_t now_ms)
{
    enum presence_state most = PRESENCE_OFFLINE;
    for (size_t i = 0; i < person->n_places; ++i)
        if (person->places[i].until_ms > now_ms && person->places[i].said > most)
            most = person->places[i].said;
    return most == PRESENCE_ONLINE && person->acted_ms + IDLE_MS <= now_ms ? PRESENCE_UNAVAILABLE : most;
}

/* The device's place; a new one takes that of the device that is missed longest, if there is none left. */
static struct place *place_of(struct person *person, device_no device, int64_t now_ms)
{
    struct place *stale = NULL;
    for (size_t i = 0; i < person->n_places; ++i) {
        struct place *place = &person->places[i];
        if (place->device == device)
            return place;
        if (stale == NULL || place->until_ms < stale->until_ms)
            stale = place;
    }
    if (stale == NULL || (stale->until_ms > now_ms && person->n_places < PRESENCE_DEVICES_MAX)) {
        person->places = xrealloc(person->places, (person->n_places + 1) * sizeof *person->places);
        stale = &person->places[person->n_places++];
    }
    *stale = (struct place){.device = device};
    return stale;
}

/* Whoever comes, or turns to a device that was idle, acts; asking again and again is no act. */
static void say(struct person *person, device_no device, enum presence_state state, int64_t ms, int64_t now_ms)
{
    struct place *place = place_of(person, device, now_ms);
    if (state == PRESENCE_ONLINE && (place->said != PRESENCE_ONLINE || place->until_ms <= now_ms))
        person->acted_ms = now_ms;
    place->said = state;
    if (place->until_ms < now_ms + ms)
        place->until_ms = now_ms + ms;
}

/* A job was rolled back: what has a position that is not committed was not told. */
static void tell_again(void *arg)
{
    struct presence *presence = arg;
    stream_pos committed = writer_pos(presence->writer);
    pthread_mutex_lock(&presence->lock);
    for (struct person *person = presence->all; person != NULL; person = person->hh.next)
        person->again |= person->pos > committed;
    pthread_mutex_unlock(&presence->lock);
}

/* Without the lock: only jobs change what is told, and asking the database must not hold up the loops. */
static void announce(struct presence *presence, struct tx *tx, user_no user)
{
    size_t n;
    user_no *users = memberships_neighbours(tx->db, user, &n);
    stream_pos pos = ephemeral_presence(tx, user);
    pthread_mutex_lock(&presence->lock);
    struct person *person = person_of(presence, user, true);
    person->told = state_now(person, clock_mono_ms());
    person->told_ms = clock_mono_ms();
    person->again = false;
    person->pos = pos;
    member_set_unref(person->near);
    person->near = member_set_create(users, n);
    pthread_mutex_unlock(&presence->lock);
    tx_on_rollback(tx, tell_again, presence);
}

struct member_set *presence_take_near(struct presence *presence, user_no user)
{
    pthread_mutex_lock(&presence->lock);
    struct person *person = person_of(presence, user, false);
    struct member_set *near = person != NULL ? person->near : NULL;
    if (near != NULL)
        person->near = NULL;
    pthread_mutex_unlock(&presence->lock);
    return near != NULL ? near : member_set_create(NULL, 0);
}

struct setting {
    struct presence *presence;
    user_no user;
    device_no device;
    enum presence_state state;
    const char *status_msg;
    bool asks; /* a poll's: the status message stays */
    int64_t ms;
};

static bool is_due(const struct person *person, int64_t now_ms)
{
    return person->again || person->told != state_now(person, now_ms);
}

/* Polls are not counted as requests that change something are: whatever they say, one change in a while is told at
 * once, and what it comes to then by the turn. */
static bool is_due_at_once(const struct person *person, int64_t now_ms)
{
    return is_due(person, now_ms) && (person->told_ms == 0 || person->told_ms + PRESENCE_TURN_MS <= now_ms);
}

/* Whether others must be told. */
static bool change(const struct setting *set, struct person *person, int64_t now_ms)
{
    say(person, set->device, set->state, set->ms, now_ms);
    if (set->asks)
        return is_due_at_once(person, now_ms);
    person->acted_ms = now_ms;
    if (strcmp(person->status_msg != NULL ? person->status_msg : "", set->status_msg != NULL ? set->status_msg : "") ==
        0)
        return is_due(person, now_ms);
    free(person->status_msg);
    person->status_msg = set->status_msg != NULL ? xstrdup(set->status_msg) : NULL;
    return true;
}

static bool set_job(struct tx *tx, void *arg, struct error *e)
{
    const struct setting *set = arg;
    pthread_mutex_lock(&set->presence->lock);
    bool tell = change(set, person_of(set->presence, set->user, true), clock_mono_ms());
    pthread_mutex_unlock(&set->presence->lock);
    if (tell)
        announce(set->presence, tx, set->user);
    return true;
}

bool presence_set(struct presence *presence, user_no user, device_no device, enum presence_state state,
                  const char *status_msg, struct error *e)
{
    struct setting set = {presence, user, device, state, status_msg, false, SET_MS};
    return writer_run(presence->writer, set_job, &set, e);
}

bool presence_asks(struct presence *presence, user_no user, device_no device, enum presence_state state, int64_t ms)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&presence->lock);
    struct person *person = person_of(presence, user, true);
    say(person, device, state, ms, now_ms);
    bool told = !is_due_at_once(person, now_ms);
    pthread_mutex_unlock(&presence->lock);
    return told;
}

void presence_arrive(struct presence *presence, user_no user, device_no device, enum presence_state state, int64_t ms)
{
    struct error ignored;
    struct setting set = {presence, user, device, state, NULL, true, ms};
    writer_run(presence->writer, set_job, &set, &ignored);
}

void presence_observe(void *self, const struct change *changes, size_t n)
{
    struct presence *presence = self;
    pthread_mutex_lock(&presence->lock);
    for (size_t i = 0; i < n; ++i) {
        struct person *person = changes[i].kind == CHANGE_EVENT ? person_of(presence, changes[i].user, false) : NULL;
        if (person != NULL)
            person->acted_ms = clock_mono_ms();
    }
    pthread_mutex_unlock(&presence->lock);
}

/* Those whose state others do not know yet. */
static user_no *due(struct presence *presence, size_t *n)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&presence->lock);
    user_no *users = xcalloc(HASH_COUNT(presence->all) + 1, sizeof *users);
    *n = 0;
    for (const struct person *person = presence->all; person != NULL; person = person->hh.next)
        if (is_due(person, now_ms))
            users[(*n)++] = person->user;
    pthread_mutex_unlock(&presence->lock);
    return users;
}

static bool turn_job(struct tx *tx, void *arg, struct error *e)
{
    size_t n;
    struct presence *presence = arg;
    user_no *users = due(presence, &n);
    for (size_t i = 0; i < n; ++i)
        announce(presence, tx, users[i]);
    free(users);
    return true;
}

static int64_t turn(void *arg, const _Atomic bool *stop)
{
    struct presence *presence = arg;
    struct error ignored;
    size_t n;
    free(due(presence, &n));
    if (n != 0)
        writer_run(presence->writer, turn_job, presence, &ignored);
    return clock_mono_ms() + PRESENCE_TURN_MS;
}

struct presence *presence_create(struct writer *writer)
{
    struct presence *presence = xcalloc(1, sizeof *presence);
    presence->writer = writer;
    pthread_mutex_init(&presence->lock, NULL);
    presence->turn = timed_thread_start("presence", turn, presence, clock_mono_ms() + PRESENCE_TURN_MS);
    if (presence->turn != NULL)
        return presence;
    presence_destroy(presence);
    return NULL;
}

void presence_stop(struct presence *presence)
{
    if (presence != NULL)
        timed_thread_stop(presence->turn);
}

void presence_destroy(struct presence *presence)
{
    struct person *person, *next;
    if (presence == NULL)
        return;
    timed_thread_destroy(presence->turn);
    HASH_ITER(hh, presence->all, person, next) {
        HASH_DEL(presence->all, person);
        free(person->places);
        free(person->status_msg);
        member_set_unref(person->near);
        free(person);
    }
    pthread_mutex_destroy(&presence->lock);
    free(presence);
}

/* NULL: nobody knows them, so they are offline. */
static struct presence_status status_of(const struct person *person, user_no user, int64_t now_ms)
{
    if (person == NULL)
        return (struct presence_status){.user = user, .last_active_ago_ms = -1};
    return (struct presence_status){
        .user = user,
        .state = state_now(person, now_ms),
        .last_active_ago_ms = person->acted_ms != 0 ? now_ms - person->acted_ms : -1,
        .status_msg = person->status_msg != NULL ? xstrdup(person->status_msg) : NULL,
    };
}

struct presence_status presence_get(struct presence *presence, user_no user)
{
    if (presence == NULL)
        return status_of(NULL, user, 0);
    pthread_mutex_lock(&presence->lock);
    struct presence_status status = status_of(person_of(presence, user, false), user, clock_mono_ms());
    pthread_mutex_unlock(&presence->lock);
    return status;
}

/* What others are told. */
static struct presence_status told_of(const struct person *person, int64_t now_ms)
{
    struct presence_status status = status_of(person, person->user, now_ms);
    status.state = person->told;
    return status;
}

/* Copied out, so that the lock is not held while the database is asked who shares a room with them. */
void presence_changed(struct presence *presence, stream_pos since, stream_pos upto, struct presence_list *out)
{
    int64_t now_ms = clock_mono_ms();
    *out = (struct presence_list){0};
    pthread_mutex_lock(&presence->lock);
    out->of = xcalloc(HASH_COUNT(presence->all), sizeof *out->of);
    for (const struct person *person = presence->all; person != NULL; person = person->hh.next)
        if (person->pos > since && person->pos <= upto && (since != 0 || person->told != PRESENCE_OFFLINE))
            out->of[out->n++] = told_of(person, now_ms);
    pthread_mutex_unlock(&presence->lock);
}

void presence_add_known(struct presence *presence, const user_no *users, size_t n, stream_pos pos,
                        struct presence_list *out)
{
    int64_t now_ms = clock_mono_ms();
    if (n == 0)
        return;
    out->of = xrealloc(out->of, (out->n + n) * sizeof *out->of);
    pthread_mutex_lock(&presence->lock);
    for (size_t i = 0; i < n; ++i) {
        const struct person *person = person_of(presence, users[i], false);
        if (person != NULL && person->pos != 0 && person->pos <= pos && person->told != PRESENCE_OFFLINE)
            out->of[out->n++] = told_of(person, now_ms);
    }
    pthread_mutex_unlock(&presence->lock);
}

void presence_list_finish(struct presence_list *list)
{
    for (size_t i = 0; i < list->n; ++i)
        free(list->of[i].status_msg);
    free(list->of);
    *list = (struct presence_list){0};
}

void presence_add_content(struct text *out, const struct presence_status *status)
{
    text_adds(out, "{\"presence\":");
    text_add_json(out, NAMES[status->state]);
    if (status->last_active_ago_ms >= 0) {
        text_adds(out, ",\"last_active_ago\":");
        text_add_int(out, status->last_active_ago_ms);
    }
    if (status->state == PRESENCE_ONLINE)
        text_adds(out, ",\"currently_active\":true");
    if (status->status_msg != NULL) {
        text_adds(out, ",\"status_msg\":");
        text_add_json(out, status->status_msg);
    }
    text_addc(out, '}');
}
