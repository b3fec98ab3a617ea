/* For tests of appservice/diary/crypto.h: a store in memory that fails when it is told to, and what of a homeserver
 * devices need of each other: keys, claims, messages between devices. */
#ifndef PARTA_TESTS_CRYPTO_WORLD_H
#define PARTA_TESTS_CRYPTO_WORLD_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/crypto.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"

#define NOW INT64_C(1760000000000)

/* --- The store --- */

struct rows {
    char **keys; /* "kind\nname", sorted by nobody */
    struct text *values;
    size_t n;
};

struct memory {
    struct rows now, before;
    int fail_after; /* the n-th call from now fails, and whatever follows until the bracket ends; 0: none does */
    bool failing;
    int calls;
};

static inline void rows_finish(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; ++i) {
        free(rows->keys[i]);
        text_finish(&rows->values[i]);
    }
    free(rows->keys);
    free(rows->values);
    *rows = (struct rows){0};
}

static inline void rows_set(struct rows *rows, const char *key, const void *value, size_t len)
{
    size_t i = 0;
    while (i < rows->n && strcmp(rows->keys[i], key) != 0)
        ++i;
    if (i == rows->n) {
        rows->keys = xrealloc(rows->keys, (rows->n + 1) * sizeof *rows->keys);
        rows->values = xrealloc(rows->values, (rows->n + 1) * sizeof *rows->values);
        rows->keys[rows->n] = xstrdup(key);
        rows->values[rows->n++] = TEXT_INIT;
    }
    text_clear(&rows->values[i]);
    text_add(&rows->values[i], value, len);
}

static inline void rows_copy(struct rows *to, const struct rows *from)
{
    rows_finish(to);
    for (size_t i = 0; i < from->n; ++i)
        rows_set(to, from->keys[i], from->values[i].data, from->values[i].len);
}

static inline bool memory_step(struct memory *m)
{
    ++m->calls;
    if (m->fail_after > 0 && --m->fail_after == 0)
        m->failing = true;
    return !m->failing;
}

static inline bool memory_begin(void *self)
{
    struct memory *m = self;
    rows_copy(&m->before, &m->now);
    return memory_step(m);
}

static inline void memory_rollback(void *self)
{
    struct memory *m = self;
    rows_copy(&m->now, &m->before);
    m->failing = false;
}

static inline bool memory_commit(void *self)
{
    struct memory *m = self;
    if (memory_step(m))
        return true;
    memory_rollback(m);
    return false;
}

static inline char *memory_key(const char *kind, const char *name)
{
    struct text key = TEXT_INIT;
    text_addf(&key, "%s\n%s", kind, name);
    return text_take(&key);
}

static inline int memory_get(void *self, const char *kind, const char *name, struct text *value)
{
    struct memory *m = self;
    char *key = memory_key(kind, name);
    int found = memory_step(m) ? 0 : -1;
    for (size_t i = 0; found == 0 && i < m->now.n; ++i)
        if (strcmp(m->now.keys[i], key) == 0) {
            text_add(value, m->now.values[i].data, m->now.values[i].len);
            found = 1;
        }
    free(key);
    return found;
}

static inline bool memory_put(void *self, const char *kind, const char *name, const void *value, size_t len)
{
    struct memory *m = self;
    char *key = memory_key(kind, name);
    bool good = memory_step(m);
    if (good)
        rows_set(&m->now, key, value, len);
    free(key);
    return good;
}

static inline bool memory_drop(void *self, const char *kind, const char *name)
{
    struct memory *m = self;
    char *key = memory_key(kind, name);
    bool good = memory_step(m);
    for (size_t i = 0; good && i < m->now.n; ++i)
        if (strcmp(m->now.keys[i], key) == 0) {
            free(m->now.keys[i]);
            text_finish(&m->now.values[i]);
            --m->now.n;
            m->now.keys[i] = m->now.keys[m->now.n];
            m->now.values[i] = m->now.values[m->now.n];
            break;
        }
    free(key);
    return good;
}

static inline int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static inline bool memory_names(void *self, const char *kind, const char *prefix, size_t max,
                                void (*each)(void *, const char *), void *argument)
{
    struct memory *m = self;
    if (!memory_step(m))
        return false;
    char *start = memory_key(kind, prefix);
    const char **found = xcalloc(m->now.n + 1, sizeof *found);
    size_t n = 0;
    for (size_t i = 0; i < m->now.n; ++i)
        if (strncmp(m->now.keys[i], start, strlen(start)) == 0)
            found[n++] = m->now.keys[i] + strlen(kind) + 1;
    qsort(found, n, sizeof *found, by_text);
    for (size_t i = 0; i < n && i < max; ++i)
        each(argument, found[i]);
    free(found);
    free(start);
    return true;
}

static inline struct crypto_store memory_store(struct memory *m)
{
    return (struct crypto_store){m,          memory_begin, memory_commit, memory_rollback,
                                 memory_get, memory_put,   memory_drop,   memory_names};
}

/* How many rows there are of a kind. */
static inline size_t memory_count(const struct memory *m, const char *kind)
{
    size_t n = 0;
    for (size_t i = 0; i < m->now.n; ++i)
        n += strncmp(m->now.keys[i], kind, strlen(kind)) == 0 && m->now.keys[i][strlen(kind)] == '\n';
    return n;
}

/* --- Devices --- */

#define NEWS_MAX 64

struct device_here {
    struct memory memory;
    struct crypto *crypto;
    const char *user, *device;
    struct crypto_rules rules;
    int news[CRYPTO_NO_KEYS + 1];
};

static inline void count_news(void *self, enum crypto_news news, const char *user, const char *device, const char *room)
{
    ++((struct device_here *)self)->news[news];
}

static inline bool device_open(struct device_here *d)
{
    static const unsigned char KEY[CRYPTO_KEY_BYTES] = "a key of thirty-two bytes, no mo";
    struct crypto_store store = memory_store(&d->memory);
    struct text problem = TEXT_INIT;
    d->rules.tell = count_news;
    d->rules.self = d;
    d->crypto = crypto_open(&store, KEY, d->user, d->device, &d->rules, &problem);
    text_finish(&problem);
    return d->crypto != NULL;
}

static inline void device_restart(struct device_here *d)
{
    crypto_close(d->crypto);
    d->crypto = NULL;
    while (!device_open(d))
        ;
}

static inline void device_finish(struct device_here *d)
{
    crypto_close(d->crypto);
    rows_finish(&d->memory.now);
    rows_finish(&d->memory.before);
}

/* --- The homeserver --- */

struct server {
    json_t *devices;  /* {user: {device: keys}} */
    json_t *one_time; /* {user: {device: {ID: key}}} */
    json_t *fallback; /* the same */
    json_t *master, *self_signing;
    json_t *queues; /* {"user device": [event]} */
    json_t *txns;   /* {txn: body}: a transaction is taken once */
    json_t *given;  /* {"user device ID": key}: all that it was ever given */
    size_t to_device;
    size_t clashes; /* another key under an id that it knows: a homeserver refuses the upload */
};

static inline void server_start(struct server *s)
{
    *s = (struct server){json_object(),
                         json_object(),
                         json_object(),
                         json_object(),
                         json_object(),
                         json_object(),
                         json_object(),
                         json_object(),
                         0,
                         0};
}

static inline void server_stop(struct server *s)
{
    json_decref(s->devices);
    json_decref(s->one_time);
    json_decref(s->fallback);
    json_decref(s->master);
    json_decref(s->self_signing);
    json_decref(s->queues);
    json_decref(s->given);
    json_decref(s->txns);
}

static inline json_t *below(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (value == NULL)
        json_object_set_new(object, key, value = json_object());
    return value;
}

static inline json_t *server_counts(struct server *s, const char *user, const char *device)
{
    return json_pack("{si}", "signed_curve25519", (int)json_object_size(below(below(s->one_time, user), device)));
}

static inline json_t *server_upload(struct server *s, const char *user, const char *device, const json_t *body)
{
    json_t *keys = json_object_get(body, "device_keys"), *key;
    const char *id;
    if (keys != NULL)
        json_object_set(below(s->devices, user), device, keys);
    json_object_foreach(json_object_get(body, "one_time_keys"), id, key) {
        struct text name = TEXT_INIT;
        text_addf(&name, "%s %s %s", user, device, id);
        json_t *known = json_object_get(s->given, name.data);
        s->clashes += known != NULL && !json_equal(known, key);
        json_object_set(s->given, name.data, key);
        text_finish(&name);
    }
    json_object_update(below(below(s->one_time, user), device), json_object_get(body, "one_time_keys"));
    if (json_object_get(body, "fallback_keys") != NULL)
        json_object_set(below(s->fallback, user), device, json_object_get(body, "fallback_keys"));
    return json_pack("{so}", "one_time_key_counts", server_counts(s, user, device));
}

static inline json_t *server_query(struct server *s, const json_t *body)
{
    json_t *devices = json_object(), *masters = json_object(), *selfs = json_object(), *ids;
    const char *user;
    json_object_foreach(json_object_get(body, "device_keys"), user, ids) {
        json_object_set(devices, user, below(s->devices, user));
        if (json_object_get(s->master, user) != NULL)
            json_object_set(masters, user, json_object_get(s->master, user));
        if (json_object_get(s->self_signing, user) != NULL)
            json_object_set(selfs, user, json_object_get(s->self_signing, user));
    }
    json_t *answer = json_pack("{sososos{}}", "device_keys", devices, "master_keys", masters, "self_signing_keys",
                               selfs, "failures");
    json_t *copy = json_deep_copy(answer);
    json_decref(answer);
    return copy;
}

static inline json_t *server_claim(struct server *s, const json_t *body)
{
    json_t *keys = json_object(), *devices, *algorithm, *key, *next;
    const char *user, *device, *id;
    void *safe;
    json_object_foreach(json_object_get(body, "one_time_keys"), user, devices)
        json_object_foreach(devices, device, algorithm) {
            json_t *given = below(below(s->one_time, user), device), *of_device = below(below(keys, user), device);
            bool found = false;
            json_object_foreach_safe(given, safe, id, key) if (!found)
            {
                json_object_set(of_device, id, key);
                json_object_del(given, id);
                found = true;
            }
            if (!found)
                json_object_foreach(json_object_get(below(s->fallback, user), device), id, next)
                    json_object_set(of_device, id, next);
        }
    return json_pack("{sos{}}", "one_time_keys", keys, "failures");
}

static inline json_t *server_send(struct server *s, const char *sender, const json_t *request)
{
    const char *txn = json_string_value(json_object_get(request, "txn_id")), *user, *device;
    json_t *devices, *content;
    if (json_object_get(s->txns, txn) != NULL)
        return json_object();
    json_object_set(s->txns, txn, json_object_get(request, "body"));
    json_object_foreach(json_object_get(json_object_get(request, "body"), "messages"), user, devices)
        json_object_foreach(devices, device, content) {
            struct text name = TEXT_INIT;
            text_addf(&name, "%s %s", user, device);
            json_t *queue = json_object_get(s->queues, name.data);
            if (queue == NULL)
                json_object_set_new(s->queues, name.data, queue = json_array());
            json_array_append_new(queue, json_pack("{sOsssO}", "type", json_object_get(request, "event_type"), "sender",
                                                   sender, "content", content));
            ++s->to_device;
            text_finish(&name);
        }
    return json_object();
}

static inline json_t *server_sign(struct server *s, const char *user, const json_t *body)
{
    const char *device;
    json_t *keys;
    json_object_foreach(json_object_get(body, user), device, keys)
        json_object_set(below(s->devices, user), device, keys);
    return json_pack("{s{}}", "failures");
}

static inline json_t *server_answer(struct server *s, const struct device_here *d, const json_t *request)
{
    const char *kind = json_string_value(json_object_get(request, "kind"));
    const json_t *body = json_object_get(request, "body");
    if (strcmp(kind, "keys_upload") == 0)
        return server_upload(s, d->user, d->device, body);
    if (strcmp(kind, "keys_query") == 0)
        return server_query(s, body);
    if (strcmp(kind, "keys_claim") == 0)
        return server_claim(s, body);
    if (strcmp(kind, "to_device") == 0)
        return server_send(s, d->user, request);
    if (strcmp(kind, "signatures_upload") == 0)
        return server_sign(s, d->user, body);
    json_object_set(s->master, d->user, json_object_get(body, "master_key"));
    json_object_set(s->self_signing, d->user, json_object_get(body, "self_signing_key"));
    return json_object();
}

/* Sends what is to be sent and tells the answers, until nothing is left. false: the store failed meanwhile. */
static inline bool device_speak(struct server *s, struct device_here *d)
{
    for (int turn = 0; turn < 20; ++turn) {
        json_t *requests = crypto_outgoing(d->crypto, NOW), *request;
        size_t i;
        bool good = requests != NULL, any = json_array_size(requests) > 0;
        json_array_foreach(requests, i, request) {
            json_t *answer = server_answer(s, d, request);
            good = good && crypto_answered(d->crypto, request, answer, NOW) != CRYPTO_FAILED;
            json_decref(answer);
        }
        json_decref(requests);
        if (!good || !any)
            return good;
    }
    return false;
}

/* Takes what came. The queue is emptied of what was taken. */
static inline bool device_listen(struct server *s, struct device_here *d, int64_t now_ms)
{
    struct text name = TEXT_INIT;
    text_addf(&name, "%s %s", d->user, d->device);
    json_t *queue = json_object_get(s->queues, name.data);
    text_finish(&name);
    while (json_array_size(queue) > 0) {
        if (crypto_receive(d->crypto, json_array_get(queue, 0), now_ms) == CRYPTO_FAILED)
            return false;
        json_array_remove(queue, 0);
    }
    return true;
}

#define ROOM "!class:b.example"

static inline json_t *megolm_settings(void)
{
    return json_pack("{ss}", "algorithm", "m.megolm.v1.aes-sha2");
}

static inline enum crypto_answer device_join(struct device_here *d, const char *const *members, size_t n)
{
    json_t *settings = megolm_settings();
    enum crypto_answer answer = crypto_room(d->crypto, ROOM, settings, members, n);
    json_decref(settings);
    return answer;
}

/* An event of the room, sent. NULL: it could not be. */
static inline json_t *device_say(struct server *s, struct device_here *d, const char *body, int64_t now_ms)
{
    static int number;
    json_t *content = json_pack("{ssss}", "msgtype", "m.notice", "body", body), *encrypted = NULL;
    enum crypto_answer answer = CRYPTO_ASK;
    for (int turn = 0; turn < 5 && answer == CRYPTO_ASK; ++turn) {
        answer = crypto_encrypt(d->crypto, ROOM, "m.room.message", content, now_ms, &encrypted);
        if (answer != CRYPTO_FAILED && !device_speak(s, d))
            break;
    }
    json_decref(content);
    if (encrypted == NULL)
        return NULL;
    char id[32];
    snprintf(id, sizeof id, "$event%d", ++number);
    return json_pack("{sssssssoss}", "type", "m.room.encrypted", "sender", d->user, "event_id", id, "content",
                     encrypted, "room_id", ROOM);
}

#endif
