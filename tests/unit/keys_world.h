/* A server on the loopback with /sync and the routes of end-to-end encryption, people with devices on it, and what a
 * client does with keys: makes them, signs with them. */
#ifndef PARTA_TESTS_KEYS_WORLD_H
#define PARTA_TESTS_KEYS_WORLD_H

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/metrics.h"
#include "homeserver/http/server.h"
#include "tests/unit/client_world.h"

#define CLIENT "/_matrix/client/v3"

/* A key pair, and its public half as clients write it. */
struct key {
    unsigned char public[32], secret[64];
    char text[44];
};

/* Somebody's device: signed in, with keys of its own. */
struct device {
    char user_id[64], device_id[64], *token;
    struct key ed25519, curve25519;
    char since[200];
};

static struct client_world t;

static inline int keys_start(void **state)
{
    client_world_start(&t, &(struct client_world_settings){.yaml = "policy: {mode: open}\nregistration: {mode: open}\n",
                                                           .workers = 4,
                                                           .syncs = true});
    return 0;
}

static inline int keys_stop(void **state)
{
    client_world_stop(&t);
    return 0;
}

/* --- Requests --- */

static inline struct client_request request_of(const char *method, const char *path, const struct device *by,
                                               const char *body)
{
    return (struct client_request){
        .method = method, .path = path, .token = by != NULL ? by->token : NULL, .body = body};
}

/* Its reply stands in t.reply until the next. */
static inline long ask(const char *method, const char *path, const struct device *by, const char *body)
{
    const struct client_request request = request_of(method, path, by, body);
    return client_ask(&t, &request);
}

/* The same, with what must come. errcode "": none. */
static inline void expect(const char *method, const char *path, const struct device *by, const char *body, long status,
                          const char *errcode)
{
    const struct client_request request = request_of(method, path, by, body);
    client_expect(&t, &request, status, errcode);
}

/* The same with a body that is taken. */
static inline void expect_json(const char *method, const char *path, const struct device *by, json_t *body, long status,
                               const char *errcode)
{
    char *text = json_dumps(body, 0);
    expect(method, path, by, text, status, errcode);
    free(text);
    json_decref(body);
}

/* Until so many polls are held. */
static inline void wait_for_polls(int n)
{
    char line[64];
    bool held = false;
    snprintf(line, sizeof line, "\nparta_http_parked %d\n", n);
    for (int i = 0; !held && i < 5000; ++i) {
        struct text page = TEXT_INIT;
        metrics_render(t.server.metrics, &page);
        held = strstr(page.data, line) != NULL;
        text_finish(&page);
        usleep(1000);
    }
    assert_true(held);
}

/* --- Keys --- */

static inline void key_make(struct key *key)
{
    struct text text = TEXT_INIT;
    crypto_sign_keypair(key->public, key->secret);
    text_add_base64(&text, key->public, 32);
    snprintf(key->text, sizeof key->text, "%.*s", (int)text.len, text.data);
    text_finish(&text);
}

/* Adds the signature of this user by "ed25519:name". */
static inline void sign(json_t *object, const char *user_id, const char *name, const struct key *key)
{
    unsigned char sig[64];
    char id[300];
    json_t *copy = json_copy(object), *signatures = json_object_get(object, "signatures"), *of;
    json_object_del(copy, "signatures");
    json_object_del(copy, "unsigned");
    char *bytes = json_canonical(copy);
    crypto_sign_detached(sig, NULL, (const unsigned char *)bytes, strlen(bytes), key->secret);
    if (signatures == NULL)
        json_object_set_new(object, "signatures", signatures = json_object());
    if ((of = json_object_get(signatures, user_id)) == NULL)
        json_object_set_new(signatures, user_id, of = json_object());
    snprintf(id, sizeof id, "ed25519:%s", name);
    json_object_set_new(of, id, json_base64(sig, 64));
    free(bytes);
    json_decref(copy);
}

static inline json_t *device_keys(const struct device *d)
{
    char ed25519[80], curve25519[80];
    snprintf(ed25519, sizeof ed25519, "ed25519:%s", d->device_id);
    snprintf(curve25519, sizeof curve25519, "curve25519:%s", d->device_id);
    json_t *keys = json_pack("{s:s, s:s, s:[s, s], s:{s:s, s:s}}", "user_id", d->user_id, "device_id", d->device_id,
                             "algorithms", "m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2", "keys", ed25519,
                             d->ed25519.text, curve25519, d->curve25519.text);
    sign(keys, d->user_id, d->device_id, &d->ed25519);
    return keys;
}

/* A one-time key, signed by the device. */
static inline json_t *signed_key(const struct device *d, bool fallback)
{
    struct key key;
    key_make(&key);
    json_t *object = json_pack("{s:s}", "key", key.text);
    if (fallback)
        json_object_set_new(object, "fallback", json_true());
    sign(object, d->user_id, d->device_id, &d->ed25519);
    return object;
}

/* n of them, named from A<from> on. */
static inline json_t *one_time_keys(const struct device *d, int from, int n)
{
    char name[64];
    json_t *keys = json_object();
    for (int i = 0; i < n; ++i) {
        snprintf(name, sizeof name, "signed_curve25519:A%03d", from + i);
        json_object_set_new(keys, name, signed_key(d, false));
    }
    return keys;
}

static inline json_t *cross_signing_key(const struct device *d, const char *usage, const struct key *key,
                                        const struct key *master)
{
    char name[64];
    snprintf(name, sizeof name, "ed25519:%s", key->text);
    json_t *object = json_pack("{s:s, s:[s], s:{s:s}}", "user_id", d->user_id, "usage", usage, "keys", name, key->text);
    if (master != NULL)
        sign(object, d->user_id, master->text, master);
    return object;
}

/* --- People --- */

static inline void keep_sign_in(struct device *d)
{
    snprintf(d->user_id, sizeof d->user_id, "%s", json_get_string(t.reply, "user_id"));
    snprintf(d->device_id, sizeof d->device_id, "%s", json_get_string(t.reply, "device_id"));
    d->token = xstrdup(json_get_string(t.reply, "access_token"));
    d->since[0] = '\0';
    key_make(&d->ed25519);
    key_make(&d->curve25519);
}

static inline struct device enroll(const char *name, const char *device_id)
{
    struct device d;
    expect_json("POST", CLIENT "/register", NULL,
                json_pack("{s:s, s:s, s:s, s:{s:s}}", "username", name, "password", "correct horse", "device_id",
                          device_id, "auth", "type", "m.login.dummy"),
                200, "");
    keep_sign_in(&d);
    return d;
}

static inline struct device sign_in(const char *name, const char *device_id)
{
    struct device d;
    expect_json("POST", CLIENT "/login", NULL,
                json_pack("{s:s, s:{s:s, s:s}, s:s, s:s}", "type", "m.login.password", "identifier", "type",
                          "m.id.user", "user", name, "password", "correct horse", "device_id", device_id),
                200, "");
    keep_sign_in(&d);
    return d;
}

static inline void upload_device(const struct device *d)
{
    expect_json("POST", CLIENT "/keys/upload", d, json_pack("{s:o}", "device_keys", device_keys(d)), 200, "");
}

/* One answer of /sync, from where the device is; kept in t.reply. */
static inline json_t *sync_now(struct device *d)
{
    char path[300];
    snprintf(path, sizeof path, CLIENT "/sync?timeout=0%s%s", d->since[0] != '\0' ? "&since=" : "", d->since);
    expect("GET", path, d, NULL, 200, "");
    snprintf(d->since, sizeof d->since, "%s", json_get_string(t.reply, "next_batch"));
    return t.reply;
}

static inline bool list_has(const json_t *list, const char *string)
{
    for (size_t i = 0; i < json_array_size(list); ++i)
        if (strcmp(json_string_value(json_array_get(list, i)), string) == 0)
            return true;
    return false;
}

static inline bool has_changed(const json_t *answer, const char *which, const char *user_id)
{
    return list_has(json_object_get(json_object_get(answer, "device_lists"), which), user_id);
}

static inline json_int_t keys_left(const json_t *answer)
{
    return json_integer_value(
        json_object_get(json_object_get(answer, "device_one_time_keys_count"), "signed_curve25519"));
}

/* An encrypted room of by, into which they invite the other, who joins. heap. */
static inline char *encrypted_room(const struct device *by, const struct device *with)
{
    char path[300];
    expect_json("POST", CLIENT "/createRoom", by,
                json_pack("{s:s, s:[s], s:[{s:s, s:s, s:{s:s}}]}", "preset", "private_chat", "invite", with->user_id,
                          "initial_state", "type", "m.room.encryption", "state_key", "", "content", "algorithm",
                          "m.megolm.v1.aes-sha2"),
                200, "");
    char *room = xstrdup(json_get_string(t.reply, "room_id"));
    snprintf(path, sizeof path, CLIENT "/rooms/%s/join", room);
    expect("POST", path, with, "{}", 200, "");
    return room;
}

#endif
