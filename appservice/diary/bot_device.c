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
#define TURNS_MAX 30 /* of asking and answering, for one message */
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
    bool ready;   /* the mark is wiped out: sessions may be used */
    int failures; /* of the thread, in a row */
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

/* One after the other, in the order that they are given in. *moved: something was answered. What the server refuses for
 * good is left (of messages to devices: forgotten, so that others are not held up). */
static enum matrix_answer send_all(struct bot_device *d, const json_t *requests, bool *moved)
{
    enum matrix_answer answer = MATRIX_DONE;
    size_t i;
    json_t *request;
    json_array_foreach(requests, i, request) {
        const char *kind = json_get_string(request, "kind");
        json_t *reply = NULL, *none = json_object();
        if (answer == MATRIX_DONE)
            answer = send_request(d, request, &reply);
        if (answer == MATRIX_REFUSED)
            log_warn("crypto", "the homeserver refuses %s", kind);
        if (answer == MATRIX_DONE || (answer == MATRIX_REFUSED && strcmp(kind, "to_device") == 0))
            *moved = crypto_answered(d->crypto, request, answer == MATRIX_DONE ? reply : none, clock_wall_ms()) ==
                         CRYPTO_DONE ||
                     *moved;
        answer = answer == MATRIX_REFUSED ? MATRIX_DONE : answer;
        json_decref(none);
        json_decref(reply);
    }
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

/* A room whose members' comings and goings are not all told has its session changed, too. */
static void take_rooms(struct bot_device *d, const json_t *rooms)
{
    const char *room_id;
    json_t *room, *event;
    size_t i;
    json_object_foreach(json_get_object(rooms, "join"), room_id, room) {
        const json_t *timeline = json_get_object(room, "timeline");
        bool left = json_get_bool(timeline, "limited", false);
        json_array_foreach(json_get_array(timeline, "events"), i, event) {
            const char *membership = json_get_string(json_get_object(event, "content"), "membership");
            left = left || (membership != NULL && (strcmp(membership, "leave") == 0 || strcmp(membership, "ban") == 0));
        }
        if (left)
            crypto_room_left(d->crypto, room_id);
    }
    json_object_foreach(json_get_object(rooms, "leave"), room_id, room)
        crypto_room_forget(d->crypto, room_id);
}

/* All of it and the place up to which it goes are on disk together. */
static bool take_sync(struct bot_device *d, const json_t *reply)
{
    const json_t *lists = json_get_object(reply, "device_lists");
    const char *next = json_get_string(reply, "next_batch");
    size_t i;
    json_t *event;
    if (next == NULL)
        return false;
    state_begin(d->state);
    crypto_counts(d->crypto, json_get_object(reply, "device_one_time_keys_count"),
                  json_get_array(reply, "device_unused_fallback_key_types"));
    crypto_device_lists(d->crypto, json_get_array(lists, "changed"), json_get_array(lists, "left"));
    take_rooms(d, json_get_object(reply, "rooms"));
    json_array_foreach(json_get_array(json_get_object(reply, "to_device"), "events"), i, event)
        crypto_receive(d->crypto, event, clock_wall_ms());
    state_word_put(d->state, SINCE, next);
    return state_commit(d->state);
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
    char *since = state_word(d->state, SINCE);
    bool goes_on = since != NULL && *since != '\0';
    text_adds(&path, "/sync?timeout=0&filter=");
    text_add_percent(&path, goes_on ? NEXT : FIRST);
    if (goes_on) {
        text_adds(&path, "&since=");
        text_add_percent(&path, since);
    }
    enum matrix_answer answer = call(d, "GET", path.data, NULL, &reply);
    if (answer == MATRIX_DONE && !take_sync(d, reply))
        answer = MATRIX_NOT_NOW;
    if (answer == MATRIX_REFUSED && goes_on && keep_word(d, SINCE, "")) { /* the server was restored, for one */
        crypto_restored(d->crypto);
        answer = MATRIX_NOT_NOW;
    }
    json_decref(reply);
    free(since);
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

/* Whether this state is the one that was stopped last, and not a copy, nor was it killed. NOT_NOW: nobody knows. */
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
    free(d->user_id);
    free(d->device_id);
    free(d);
}

/* --- Encrypting --- */

static enum matrix_answer encrypt(struct bot_device *d, const char *room_id, const char *type, const json_t *content,
                                  json_t **encrypted)
{
    enum crypto_answer done = CRYPTO_ASK;
    enum matrix_answer answer = MATRIX_DONE;
    for (int turn = 0; turn < TURNS_MAX && done == CRYPTO_ASK && answer == MATRIX_DONE; ++turn) {
        done = crypto_encrypt(d->crypto, room_id, type, content, clock_wall_ms(), encrypted);
        answer = done == CRYPTO_DONE || done == CRYPTO_ASK ? speak(d) : MATRIX_DONE;
    }
    if (answer == MATRIX_DONE && done != CRYPTO_DONE)
        answer = done == CRYPTO_REFUSED ? MATRIX_REFUSED : MATRIX_NOT_NOW;
    if (answer == MATRIX_DONE)
        return MATRIX_DONE;
    json_decref(*encrypted);
    *encrypted = NULL;
    return answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer; /* nothing of the event itself was sent */
}

static enum matrix_answer ask_for(struct bot_device *d, const json_t *invited)
{
    enum matrix_answer answer = MATRIX_DONE;
    json_t *request = crypto_query(d->crypto, invited), *reply = NULL;
    if (request != NULL)
        answer = send_request(d, request, &reply);
    if (request != NULL && answer == MATRIX_DONE &&
        crypto_answered(d->crypto, request, reply, clock_wall_ms()) != CRYPTO_DONE)
        answer = MATRIX_NOT_NOW;
    json_decref(request);
    json_decref(reply);
    return answer == MATRIX_DONE ? MATRIX_DONE : MATRIX_NOT_NOW;
}

enum matrix_answer bot_device_encrypt(struct bot_device *d, const char *room_id, const json_t *settings,
                                      const struct room_people *people, const char *type, const json_t *content,
                                      json_t **encrypted)
{
    enum matrix_answer answer = MATRIX_NOT_NOW;
    *encrypted = NULL;
    pthread_mutex_lock(&d->lock);
    if (begin(d) && sync_now(d) == MATRIX_DONE) {
        enum crypto_answer room = crypto_room(d->crypto, room_id, settings, people->all, people->n);
        answer = room == CRYPTO_DONE      ? ask_for(d, people->invited)
                 : room == CRYPTO_REFUSED ? MATRIX_REFUSED
                                          : MATRIX_NOT_NOW;
        if (answer == MATRIX_DONE)
            answer = encrypt(d, room_id, type, content, encrypted);
    }
    pthread_mutex_unlock(&d->lock);
    return answer;
}

/* --- Reading --- */

json_t *bot_device_decrypt(struct bot_device *d, const char *room_id, const json_t *event)
{
    json_t *clear = NULL;
    pthread_mutex_lock(&d->lock);
    enum crypto_answer answer = CRYPTO_UNKNOWN;
    if (begin(d) && sync_now(d) == MATRIX_DONE && speak(d) == MATRIX_DONE)
        answer = crypto_decrypt(d->crypto, room_id, event, &clear);
    if (answer != CRYPTO_DONE)
        log_info("crypto", "an event of %s in %s cannot be read", json_get_string(event, "sender"), room_id);
    pthread_mutex_unlock(&d->lock);
    return clear;
}
