#include "appservice/diary/bot_device.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/crypto.h"
#include "appservice/diary/fetch.h"
#include "appservice/diary/state.h"
#include "homeserver/base/backoff.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/base/percent.h"
#include "homeserver/base/timed_thread.h"

#define DEVICE_CHARS 10
#define MARK_CHARS 24
#define POLL_MS 3000
#define TURNS_MAX 30 /* of asking and answering, for messages that are encrypted together */
#define SINCE_HOLDS_MS (INT64_C(60) * 1000)
#define LEAVERS_MAX 1000
#define MARK_TYPE "parta.diary.device"
/* Words that the state keeps. */
#define DEVICE_ID "device_id"
#define SINCE "since"
#define MARK "mark" /* what a clean stop left in the account data, too; "": it is in use */

const bool BOT_DEVICE_BUILT = true;

struct bot_device {
    const struct matrix_client *client;
    struct state *state; /* a connection of its own */
    struct crypto_store *store;
    unsigned char key[CRYPTO_KEY_BYTES];
    pthread_mutex_t lock; /* of all below, and of the store */
    struct crypto *crypto;
    char *user_id, *device_id;
    char *since;           /* up to which /sync was read; NULL: as the state says */
    int64_t since_kept_ms; /* clock_mono_ms: when that was last on disk */
    json_t *leavers;       /* {room: {user: clock_mono_ms of when it was heard that they left}}; "": not who */
    size_t n_leavers;
    int64_t leavers_from_ms; /* what was heard before that is forgotten */
    bool ready;              /* the mark is wiped out: sessions may be used */
    int failures;            /* of the thread, in a row */
    struct timed_thread *thread;
};

static bool keep_word(struct bot_device *d, const char *name, const char *value)
{
    state_begin(d->state);
    state_word_put(d->state, name, value);
    return state_commit(d->state);
}

/* path has a question mark already, or not. */
static enum matrix_answer call(struct bot_device *d, const char *method, const char *path, json_t *content,
                               json_t **reply)
{
    struct text whole = TEXT_INIT;
    text_addf(&whole, "%s%cdevice_id=%s", path, strchr(path, '?') != NULL ? '&' : '?', d->device_id);
    enum matrix_answer answer = matrix_call(d->client, method, whole.data, content, reply);
    text_finish(&whole);
    return answer;
}

static void hear(void *self, enum crypto_news news, const char *user_id, const char *device, const char *room_id)
{
    (void)self;
    bool grave = news == CRYPTO_DEVICE_CHANGED || news == CRYPTO_IDENTITY_CHANGED;
    (grave ? log_warn : log_info)("crypto", "%s: %s %s %s", crypto_news_name(news), user_id,
                                  device != NULL ? device : "", room_id != NULL ? room_id : "");
}

/* --- Requests of the encryption --- */

static enum matrix_answer send_request(struct bot_device *d, const json_t *request, json_t **reply)
{
    static const struct {
        const char *kind, *path;
    } POSTS[] = {{"keys_upload", "/keys/upload"},
                 {"device_signing_upload", "/keys/device_signing/upload"},
                 {"signatures_upload", "/keys/signatures/upload"},
                 {"keys_query", "/keys/query"},
                 {"keys_claim", "/keys/claim"}};
    const char *kind = json_get_string(request, "kind");
    json_t *body = json_incref(json_object_get(request, "body"));
    for (size_t i = 0; i < sizeof POSTS / sizeof *POSTS; ++i)
        if (strcmp(kind, POSTS[i].kind) == 0)
            return call(d, "POST", POSTS[i].path, body, reply);
    struct text path = TEXT_INIT;
    text_adds(&path, "/sendToDevice/");
    text_add_percent(&path, json_get_string(request, "event_type"));
    text_addc(&path, '/');
    text_add_percent(&path, json_get_string(request, "txn_id"));
    enum matrix_answer answer = call(d, "PUT", path.data, body, reply);
    text_finish(&path);
    return answer;
}

/* What the homeserver said to each of them, in one commit. *moved: something was answered. What it refuses for good is
 * left (of messages to devices: forgotten, so that others are not held up). */
static bool take_answers(struct bot_device *d, const json_t *requests, json_t *const *replies,
                         const enum matrix_answer *answers, bool *moved)
{
    size_t i;
    json_t *request, *none = json_object();
    bool any = false;
    crypto_begin(d->crypto);
    json_array_foreach(requests, i, request) {
        bool refused = answers[i] == MATRIX_REFUSED && strcmp(json_get_string(request, "kind"), "to_device") == 0;
        if (answers[i] == MATRIX_DONE || refused)
            any =
                crypto_answered(d->crypto, request, refused ? none : replies[i], clock_wall_ms()) == CRYPTO_DONE || any;
    }
    json_decref(none);
    *moved = crypto_commit(d->crypto) && any;
    return *moved || !any;
}

/* One after the other, in the order that they are given in, until one is not answered. */
static enum matrix_answer send_all(struct bot_device *d, const json_t *requests, bool *moved)
{
    size_t i, n = json_array_size(requests);
    json_t *request, **replies = xcalloc(n + 1, sizeof(json_t *));
    enum matrix_answer *answers = xcalloc(n + 1, sizeof *answers), answer = MATRIX_DONE;
    json_array_foreach(requests, i, request) {
        answers[i] = answer == MATRIX_DONE ? send_request(d, request, &replies[i]) : answer;
        if (answers[i] == MATRIX_REFUSED)
            log_warn("crypto", "the homeserver refuses %s", json_get_string(request, "kind"));
        else
            answer = answers[i];
    }
    if (n != 0 && !take_answers(d, requests, replies, answers, moved))
        answer = MATRIX_NOT_NOW;
    for (i = 0; i < n; ++i)
        json_decref(replies[i]);
    free(replies);
    free(answers);
    return answer;
}

/* Until there is nothing left to ask or to send. */
static enum matrix_answer speak(struct bot_device *d)
{
    enum matrix_answer answer = MATRIX_DONE;
    bool moved = true;
    for (int turn = 0; turn < TURNS_MAX && moved && answer == MATRIX_DONE; ++turn) {
        json_t *requests = crypto_outgoing(d->crypto, clock_wall_ms());
        moved = false;
        answer = requests == NULL ? MATRIX_NOT_NOW : send_all(d, requests, &moved);
        json_decref(requests);
    }
    return answer;
}

/* --- What comes --- */

static void note_leaver(struct bot_device *d, const char *room_id, const char *user_id)
{
    if (d->n_leavers++ == LEAVERS_MAX) {
        json_object_clear(d->leavers);
        d->n_leavers = 1;
        d->leavers_from_ms = clock_mono_ms();
    }
    json_t *of_room = json_get_object(d->leavers, room_id);
    if (of_room == NULL)
        json_object_set_new(d->leavers, room_id, of_room = json_object());
    json_object_set_new(of_room, user_id, json_integer((json_int_t)clock_mono_ms()));
}

/* Whether somebody of the room has left since it was asked who is there. */
static bool has_moved(const struct bot_device *d, const char *room_id, const struct room_lock *lock)
{
    const json_t *of_room = json_get_object(d->leavers, room_id), *user;
    size_t i;
    bool moved = lock->asked_ms <= d->leavers_from_ms || json_get_int(of_room, "", -1) >= lock->asked_ms;
    json_array_foreach(lock->people, i, user)
        moved = moved || json_get_int(of_room, json_string_value(user), -1) >= lock->asked_ms;
    return moved;
}

/* A room whose members' comings and goings are not all told has its session changed, too. */
static bool take_leavers(struct bot_device *d, const char *room_id, const json_t *timeline)
{
    size_t i;
    json_t *event;
    bool left = json_get_bool(timeline, "limited", false);
    if (left)
        note_leaver(d, room_id, "");
    json_array_foreach(json_get_array(timeline, "events"), i, event) {
        const char *user = json_get_string(event, "state_key");
        const char *membership = json_get_string(json_get_object(event, "content"), "membership");
        if (user == NULL || membership == NULL || (strcmp(membership, "leave") != 0 && strcmp(membership, "ban") != 0))
            continue;
        note_leaver(d, room_id, user);
        left = true;
    }
    return left;
}

static void take_rooms(struct bot_device *d, const json_t *rooms)
{
    const char *room_id;
    json_t *room;
    json_object_foreach(json_get_object(rooms, "join"), room_id, room)
        if (take_leavers(d, room_id, json_get_object(room, "timeline")))
            crypto_room_left(d->crypto, room_id);
    json_object_foreach(json_get_object(rooms, "leave"), room_id, room)
        crypto_room_forget(d->crypto, room_id);
}

/* Whether there is anything in it that goes to the disk. */
static bool has_news(const json_t *reply)
{
    const json_t *rooms = json_get_object(reply, "rooms"), *lists = json_get_object(reply, "device_lists");
    const char *room_id;
    json_t *room;
    bool news = json_array_size(json_get_array(lists, "changed")) != 0 ||
                json_array_size(json_get_array(lists, "left")) != 0 ||
                json_array_size(json_get_array(json_get_object(reply, "to_device"), "events")) != 0 ||
                json_object_size(json_get_object(rooms, "leave")) != 0;
    json_object_foreach(json_get_object(rooms, "join"), room_id, room) {
        const json_t *timeline = json_get_object(room, "timeline");
        news = news || json_get_bool(timeline, "limited", false) ||
               json_array_size(json_get_array(timeline, "events")) != 0;
    }
    return news;
}

/* All of it and the place up to which it goes are on disk together. */
static bool keep_sync(struct bot_device *d, const json_t *reply, const char *next)
{
    const json_t *lists = json_get_object(reply, "device_lists");
    size_t i;
    json_t *event;
    state_begin(d->state);
    crypto_device_lists(d->crypto, json_get_array(lists, "changed"), json_get_array(lists, "left"));
    take_rooms(d, json_get_object(reply, "rooms"));
    json_array_foreach(json_get_array(json_get_object(reply, "to_device"), "events"), i, event)
        crypto_receive(d->crypto, event, clock_wall_ms());
    state_word_put(d->state, SINCE, next);
    return state_commit(d->state);
}

/* Where nothing came, the place before it does as well after a kill. */
static bool take_sync(struct bot_device *d, const json_t *reply)
{
    const char *next = json_get_string(reply, "next_batch");
    int64_t now_ms = clock_mono_ms();
    bool keep = has_news(reply) || d->since_kept_ms == 0 || now_ms - d->since_kept_ms >= SINCE_HOLDS_MS;
    if (next == NULL || (keep && !keep_sync(d, reply, next)))
        return false;
    crypto_counts(d->crypto, json_get_object(reply, "device_one_time_keys_count"),
                  json_get_array(reply, "device_unused_fallback_key_types"));
    free(d->since);
    d->since = xstrdup(next);
    d->since_kept_ms = keep ? now_ms : d->since_kept_ms;
    return true;
}

/* What has come since the last time. Whoever has no place to go on from has missed which devices changed. */
static enum matrix_answer sync_now(struct bot_device *d)
{
    static const char FIRST[] = "{\"account_data\":{\"types\":[]},\"presence\":{\"types\":[]},\"room\":{\"rooms\":[]}}";
    static const char NEXT[] = "{\"account_data\":{\"types\":[]},\"presence\":{\"types\":[]},\"room\":{\"account_data\""
                               ":{\"types\":[]},\"ephemeral\":{\"types\":[]},\"state\":{\"types\":[]},\"timeline\":{"
                               "\"limit\":50,\"types\":[\"m.room.member\"]}}}";
    struct text path = TEXT_INIT;
    json_t *reply = NULL;
    if (d->since == NULL)
        d->since = state_word(d->state, SINCE);
    bool goes_on = d->since != NULL && *d->since != '\0';
    text_adds(&path, "/sync?timeout=0&filter=");
    text_add_percent(&path, goes_on ? NEXT : FIRST);
    if (goes_on) {
        text_adds(&path, "&since=");
        text_add_percent(&path, d->since);
    }
    enum matrix_answer answer = call(d, "GET", path.data, NULL, &reply);
    if (answer == MATRIX_DONE && !take_sync(d, reply))
        answer = MATRIX_NOT_NOW;
    if (answer == MATRIX_REFUSED && goes_on && keep_word(d, SINCE, "")) { /* the server was restored, for one */
        free(d->since);
        d->since = NULL;
        crypto_restored(d->crypto);
        answer = MATRIX_NOT_NOW;
    }
    json_decref(reply);
    text_finish(&path);
    return answer;
}

/* --- Beginning and ending --- */

static bool know_oneself(struct bot_device *d)
{
    json_t *reply = NULL;
    char random[DEVICE_CHARS + 1];
    if (d->user_id == NULL && matrix_call(d->client, "GET", "/account/whoami", NULL, &reply) == MATRIX_DONE) {
        const char *id = json_get_string(reply, "user_id");
        d->user_id = id != NULL ? xstrdup(id) : NULL;
    }
    json_decref(reply);
    if (d->user_id != NULL && d->device_id == NULL) {
        d->device_id = state_word(d->state, DEVICE_ID);
        random_name(random, DEVICE_CHARS);
        if (d->device_id == NULL && keep_word(d, DEVICE_ID, random))
            d->device_id = xstrdup(random);
    }
    return d->device_id != NULL;
}

static bool open_crypto(struct bot_device *d)
{
    const struct crypto_rules rules = {.tell = hear};
    struct text problem = TEXT_INIT;
    if (d->crypto == NULL)
        d->crypto = crypto_open(d->store, d->key, d->user_id, d->device_id, &rules, &problem);
    if (d->crypto == NULL)
        log_error("crypto", "there is no encryption: %s", problem.data);
    text_finish(&problem);
    return d->crypto != NULL;
}

/* Writes it; content NULL: reads it. */
static enum matrix_answer mark(struct bot_device *d, json_t *content, json_t **reply)
{
    struct text path = TEXT_INIT;
    text_adds(&path, "/user/");
    text_add_percent(&path, d->user_id);
    text_adds(&path, "/account_data/" MARK_TYPE);
    enum matrix_answer answer = content != NULL ? matrix_call(d->client, "PUT", path.data, content, NULL)
                                                : matrix_look(d->client, path.data, reply);
    text_finish(&path);
    return answer;
}

/* Whether this state is the one that was stopped last, and not a copy, nor was it killed.
 * MATRIX_NOT_NOW: nobody knows. */
static enum matrix_answer look_at_mark(struct bot_device *d, bool *same)
{
    json_t *reply = NULL;
    char *mine = state_word(d->state, MARK);
    enum matrix_answer answer = mark(d, NULL, &reply);
    const char *theirs = answer == MATRIX_DONE ? json_get_string(reply, "stopped") : NULL;
    *same = mine != NULL && *mine != '\0' && theirs != NULL && strcmp(mine, theirs) == 0;
    json_decref(reply);
    free(mine);
    return answer == MATRIX_REFUSED ? MATRIX_DONE : answer; /* refused: there is no mark yet */
}

static bool begin(struct bot_device *d)
{
    bool same;
    struct text path = TEXT_INIT;
    if (d->ready)
        return true;
    if (!know_oneself(d) || !open_crypto(d))
        return false;
    text_addf(&path, "/devices/%s", d->device_id);
    enum matrix_answer answer =
        matrix_call(d->client, "PUT", path.data, json_pack("{s:s}", "display_name", "parta-diary"), NULL);
    text_finish(&path);
    if (answer == MATRIX_DONE)
        answer = look_at_mark(d, &same);
    if (answer == MATRIX_DONE && !same) {
        log_info("crypto", "it was not stopped cleanly, or is a copy: sessions are begun anew");
        answer = crypto_restored(d->crypto) ? MATRIX_DONE : MATRIX_NOT_NOW;
    }
    if (answer == MATRIX_DONE)
        answer = mark(d, json_pack("{s:s}", "stopped", ""), NULL);
    d->ready = answer == MATRIX_DONE && keep_word(d, MARK, "");
    return d->ready;
}

static void leave_mark(struct bot_device *d)
{
    char random[MARK_CHARS + 1];
    random_name(random, MARK_CHARS);
    if (d->ready && keep_word(d, MARK, random))
        mark(d, json_pack("{s:s}", "stopped", random), NULL);
}

static int64_t poll(void *self, const _Atomic bool *stop)
{
    struct bot_device *d = self;
    pthread_mutex_lock(&d->lock);
    bool good = !*stop && begin(d) && sync_now(d) == MATRIX_DONE && speak(d) == MATRIX_DONE;
    pthread_mutex_unlock(&d->lock);
    d->failures = good ? 0 : d->failures + 1;
    return clock_mono_ms() + (good ? POLL_MS : backoff_ms(d->failures, POLL_MS));
}

struct bot_device *bot_device_start(const struct diary_settings *settings, const struct matrix_client *client,
                                    struct text *problem)
{
    struct bot_device *d = xcalloc(1, sizeof *d);
    d->client = client;
    d->leavers = json_object();
    pthread_mutex_init(&d->lock, NULL);
    if (crypto_key_load(settings->crypto_key_path, d->key, problem))
        d->state = state_open(settings->state_path, problem);
    if (d->state != NULL) {
        d->store = crypto_store_open(state_db(d->state));
        d->thread = timed_thread_start("diary-keys", poll, d, 0);
        if (d->thread == NULL)
            text_adds(problem, "A thread can't be started.");
    }
    if (d->thread != NULL)
        return d;
    bot_device_stop(d);
    return NULL;
}

void bot_device_stop(struct bot_device *d)
{
    if (d == NULL)
        return;
    timed_thread_stop(d->thread);
    leave_mark(d);
    timed_thread_destroy(d->thread);
    crypto_close(d->crypto);
    crypto_store_close(d->store);
    state_close(d->state);
    pthread_mutex_destroy(&d->lock);
    sodium_memzero(d->key, sizeof d->key);
    json_decref(d->leavers);
    free(d->since);
    free(d->user_id);
    free(d->device_id);
    free(d);
}

/* --- Encrypting --- */

/* Events that are encrypted together. */
struct run {
    struct bot_device *d;
    struct sealing *const *all;
    enum crypto_answer *done; /* of each; ASK: it waits */
    size_t n;
};

static enum crypto_answer encrypt_one(struct bot_device *d, struct sealing *s)
{
    size_t i, n = json_array_size(s->lock->people);
    const char **people = xcalloc(n + 1, sizeof *people);
    json_t *user;
    json_array_foreach(s->lock->people, i, user)
        people[i] = json_string_value(user);
    enum crypto_answer answer = crypto_room(d->crypto, s->room_id, s->lock->settings, people, n);
    free((void *)people);
    return answer == CRYPTO_DONE
               ? crypto_encrypt(d->crypto, s->room_id, s->type, s->content, clock_wall_ms(), &s->encrypted)
               : answer;
}

/* Whether one of the first n waits: of the room; NULL: of any. */
static bool waits(const struct run *run, size_t n, const char *room_id)
{
    for (size_t i = 0; i < n; ++i)
        if (run->done[i] == CRYPTO_ASK && (room_id == NULL || strcmp(run->all[i]->room_id, room_id) == 0))
            return true;
    return false;
}

/* Those of them from i to end that wait, those of a room in their order, in one commit. false: it failed, and they
 * wait. */
static bool encrypt_some(struct run *run, size_t i, size_t end)
{
    enum crypto_answer *before = xcalloc(run->n + 1, sizeof *before);
    memcpy(before, run->done, run->n * sizeof *before);
    crypto_begin(run->d->crypto);
    for (size_t k = i; k < end; ++k)
        if (run->done[k] == CRYPTO_ASK && !waits(run, k, run->all[k]->room_id))
            run->done[k] = encrypt_one(run->d, run->all[k]);
    bool kept = crypto_commit(run->d->crypto);
    for (size_t k = i; !kept && k < end; ++k) {
        if (before[k] != CRYPTO_ASK)
            continue;
        json_decref(run->all[k]->encrypted);
        run->all[k]->encrypted = NULL;
        run->done[k] = CRYPTO_ASK;
    }
    free(before);
    return kept;
}

static enum matrix_answer ask_these(struct bot_device *d, const json_t *users)
{
    enum matrix_answer answer = MATRIX_DONE;
    json_t *request = crypto_query(d->crypto, users), *reply = NULL;
    if (request != NULL)
        answer = send_request(d, request, &reply);
    if (request != NULL && answer == MATRIX_DONE &&
        crypto_answered(d->crypto, request, reply, clock_wall_ms()) != CRYPTO_DONE)
        answer = MATRIX_NOT_NOW;
    json_decref(request);
    json_decref(reply);
    return answer;
}

/* Who is invited somewhere, some in a request. */
static bool ask_invited(const struct run *run)
{
    json_t *asked = json_object(), *some = json_array(), *user;
    size_t i;
    bool good = true;
    for (size_t k = 0; k < run->n; ++k)
        json_array_foreach(run->all[k]->lock->invited, i, user) {
            const char *user_id = json_string_value(user);
            if (run->done[k] != CRYPTO_ASK || json_object_get(asked, user_id) != NULL)
                continue;
            json_object_set_new(asked, user_id, json_true());
            json_array_append(some, user);
            if (json_array_size(some) == CRYPTO_REQUEST_USERS) {
                good = good && ask_these(run->d, some) == MATRIX_DONE;
                json_array_clear(some);
            }
        }
    good = good && ask_these(run->d, some) == MATRIX_DONE;
    json_decref(asked);
    json_decref(some);
    return good;
}

/* Who is in the room of the i-th now, unless it was asked for one before it. */
static bool look_again(const struct run *run, size_t i)
{
    const struct bot_device *d = run->d;
    const struct sealing *s = run->all[i];
    struct room_lock now;
    struct text path = TEXT_INIT;
    json_t *state = NULL;
    int64_t asked_ms = clock_mono_ms();
    for (size_t k = 0; k < i; ++k)
        if (strcmp(run->all[k]->room_id, s->room_id) == 0) {
            const struct room_lock *known = run->all[k]->lock;
            now = (struct room_lock){json_incref(known->settings), json_incref(known->people),
                                     json_incref(known->invited), known->asked_ms};
            room_lock_finish(s->lock);
            *s->lock = now;
            return true;
        }
    text_adds(&path, "/rooms/");
    text_add_percent(&path, s->room_id);
    text_adds(&path, "/state");
    bool good =
        matrix_call(d->client, "GET", path.data, NULL, &state) == MATRIX_DONE && room_lock_of(state, asked_ms, &now);
    if (good) {
        room_lock_finish(s->lock);
        *s->lock = now;
    }
    json_decref(state);
    text_finish(&path);
    return good;
}

/* What /sync tells is as new as what is known of who is in the rooms, or newer. */
static bool catch_up(const struct run *run)
{
    bool good = true, moved = true;
    for (int turn = 0; turn < TURNS_MAX && good && moved; ++turn) {
        moved = false;
        good = sync_now(run->d) == MATRIX_DONE;
        for (size_t i = 0; good && i < run->n; ++i)
            if (has_moved(run->d, run->all[i]->room_id, run->all[i]->lock)) {
                moved = true;
                good = look_again(run, i);
            }
    }
    return good && !moved;
}

static bool encrypt_all(struct run *run)
{
    bool good = begin(run->d) && catch_up(run) && ask_invited(run);
    for (int turn = 0; turn < TURNS_MAX && good && waits(run, run->n, NULL); ++turn) {
        bool kept = encrypt_some(run, 0, run->n);
        for (size_t i = 0; !kept && i < run->n; ++i) /* a room whose rows cannot be read keeps nobody from the others */
            if (run->done[i] == CRYPTO_ASK && !encrypt_some(run, i, i + 1))
                run->done[i] = CRYPTO_FAILED;
        good = speak(run->d) == MATRIX_DONE;
    }
    return good;
}

void bot_device_encrypt(struct bot_device *d, struct sealing *const *all, size_t n)
{
    struct run run = {d, all, xcalloc(n + 1, sizeof *run.done), n};
    for (size_t i = 0; i < n; ++i) {
        all[i]->encrypted = NULL;
        run.done[i] = CRYPTO_ASK;
    }
    pthread_mutex_lock(&d->lock);
    bool good = encrypt_all(&run);
    pthread_mutex_unlock(&d->lock);
    for (size_t i = 0; i < n; ++i) {
        bool done = good && run.done[i] == CRYPTO_DONE;
        all[i]->answer = done ? MATRIX_DONE : run.done[i] == CRYPTO_REFUSED ? MATRIX_REFUSED : MATRIX_NOT_NOW;
        if (done)
            continue;
        json_decref(all[i]->encrypted);
        all[i]->encrypted = NULL;
    }
    free(run.done);
}

/* --- Reading --- */

enum matrix_answer bot_device_decrypt(struct bot_device *d, const char *room_id, const json_t *event, json_t **clear)
{
    *clear = NULL;
    enum crypto_answer answer = CRYPTO_FAILED;
    pthread_mutex_lock(&d->lock);
    if (begin(d) && sync_now(d) == MATRIX_DONE && speak(d) == MATRIX_DONE)
        answer = crypto_decrypt(d->crypto, room_id, event, clear);
    if (answer != CRYPTO_DONE)
        log_info("crypto", "an event of %s in %s cannot be read%s", json_get_string(event, "sender"), room_id,
                 answer == CRYPTO_FAILED ? " now" : "");
    pthread_mutex_unlock(&d->lock);
    return answer == CRYPTO_DONE ? MATRIX_DONE : answer == CRYPTO_FAILED ? MATRIX_NOT_NOW : MATRIX_REFUSED;
}
