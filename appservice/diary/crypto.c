#include "appservice/diary/crypto.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/crypto_private.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/keyfile.h"

#define NAMES_AT_ONCE 1000
#define TO_DEVICE_AT_ONCE 20
#define EPOCH_CHARS 8
#define MAKE_PAUSE_MS 60000 /* between two times that one-time keys are made, whatever counts the server says */

/* The user's own keys, by which clients know the device (Cross-signing). */
enum identity_key { MASTER, SELF_SIGNING, USER_SIGNING, IDENTITY_KEYS };
static const char *const USAGES[IDENTITY_KEYS] = {"master", "self_signing", "user_signing"};

struct identity {
    unsigned char public[IDENTITY_KEYS][32], secret[IDENTITY_KEYS][64];
    char name[IDENTITY_KEYS][RATCHET_KEY_CHARS + 1];
};

const char *crypto_news_name(enum crypto_news news)
{
    static const char *const NAMES[] = {"new_key",          "device_changed",   "device_refused",
                                        "too_many_devices", "identity_changed", "message_refused",
                                        "unreadable",       "replayed",         "no_keys"};
    return NAMES[news];
}

bool crypto_key_load(const char *path, unsigned char key[CRYPTO_KEY_BYTES], struct text *problem)
{
    struct signing_key file; /* its seed is what is kept: the form of file is the one that the server makes, too */
    if (!keyfile_load(path, NULL, &file, problem))
        return false;
    crypto_kdf_derive_from_key(key, CRYPTO_KEY_BYTES, 1, "diaryrow", file.secret);
    sodium_memzero(&file, sizeof file);
    return true;
}

const char *crypto_curve25519(const struct crypto *c)
{
    return c->me.curve25519;
}

const char *crypto_ed25519(const struct crypto *c)
{
    return c->me.ed25519;
}

/* --- Meta --- */

json_t *crypto_meta(struct crypto *c)
{
    json_t *meta = crypto_get_json(c, ROW_META, "");
    if (meta == NULL)
        c->failed = true; /* crypto_open made it */
    return meta;
}

static void put_meta(struct crypto *c, json_t *meta)
{
    if (meta != NULL)
        crypto_put_json(c, ROW_META, "", meta);
    json_decref(meta);
}

static void meta_flag(struct crypto *c, const char *flag, bool on)
{
    json_t *meta = crypto_meta(c);
    json_object_set_new(meta, flag, json_boolean(on));
    put_meta(c, meta);
}

int64_t crypto_next_number(struct crypto *c)
{
    json_t *meta = crypto_meta(c);
    int64_t number = json_get_int(meta, "number", 0) + 1;
    json_object_set_new(meta, "number", json_integer(number));
    put_meta(c, meta);
    return number;
}

/* --- Opening --- */

static bool make_account(struct crypto *c)
{
    struct text account = TEXT_INIT, seeds = TEXT_INIT;
    unsigned char seed[IDENTITY_KEYS * 32];
    json_t *meta = json_pack("{ssss}", "user_id", c->user_id, "device_id", c->device_id);
    randombytes_buf(seed, sizeof seed);
    text_reserve(&seeds, sizeof seed + 1);
    text_add(&seeds, (const char *)seed, sizeof seed);
    if (ratchet_account_create(&account)) {
        crypto_put(c, ROW_ACCOUNT, "", &account);
        crypto_put(c, ROW_IDENTITY, "", &seeds);
        put_meta(c, meta);
    } else {
        json_decref(meta);
        c->failed = true;
    }
    sodium_memzero(seed, sizeof seed);
    ratchet_wipe(&account);
    ratchet_wipe(&seeds);
    return !c->failed;
}

static void set_named(json_t *object, const char *algorithm, const char *name, json_t *value)
{
    struct text id = TEXT_INIT;
    text_addf(&id, "%s:%s", algorithm, name);
    json_object_set_new(object, id.data, value);
    text_finish(&id);
}

/* Made anew each time: what the account says of itself does not change. */
static bool make_device_keys(struct crypto *c)
{
    json_t *keys = json_object();
    json_t *object = json_pack("{sssss[ss]so}", "user_id", c->user_id, "device_id", c->device_id, "algorithms", OLM,
                               MEGOLM, "keys", keys);
    set_named(keys, "curve25519", c->device_id, json_string(c->me.curve25519));
    set_named(keys, "ed25519", c->device_id, json_string(c->me.ed25519));
    bool done = sign_by_device(c, &object, 1);
    text_clear(&c->device_keys);
    json_add_canonical(&c->device_keys, object);
    json_decref(object);
    return done;
}

/* What the account is, or why it cannot be used. */
static bool load(struct crypto *c, struct text *problem)
{
    struct text account = TEXT_INIT;
    int found = crypto_get(c, ROW_ACCOUNT, "", &account);
    if (found < 0)
        text_adds(problem, "The account cannot be read: the store fails, or the key is not its key.");
    else if (found == 0 && !make_account(c))
        text_adds(problem, "The account cannot be made.");
    json_t *meta = problem->len == 0 ? crypto_meta(c) : NULL;
    const char *user = json_get_string(meta, "user_id"), *device = json_get_string(meta, "device_id");
    if (problem->len == 0 &&
        (user == NULL || device == NULL || strcmp(user, c->user_id) != 0 || strcmp(device, c->device_id) != 0))
        text_addf(problem, "The account is that of %s, device %s.", user == NULL ? "nobody" : user,
                  device == NULL ? "none" : device);
    if (problem->len == 0 && (crypto_get(c, ROW_ACCOUNT, "", &account) != 1 ||
                              !ratchet_account_identity(&account, &c->me) || !make_device_keys(c)))
        text_adds(problem, "The account cannot be read.");
    json_decref(meta);
    ratchet_wipe(&account);
    return problem->len == 0;
}

struct crypto *crypto_open(const struct crypto_store *store, const unsigned char key[CRYPTO_KEY_BYTES],
                           const char *user_id, const char *device_id, const struct crypto_rules *rules,
                           struct text *problem)
{
    if (!crypto_id_good(user_id, '@') || !crypto_device_id_good(device_id)) {
        text_adds(problem, "That is no user id or no device id.");
        return NULL;
    }
    struct crypto *c = xcalloc(1, sizeof *c);
    c->store = *store;
    c->rules = rules == NULL ? (struct crypto_rules){0} : *rules;
    memcpy(c->key, key, sizeof c->key);
    sodium_mlock(c->key, sizeof c->key); /* best effort */
    c->user_id = xstrdup(user_id);
    c->device_id = xstrdup(device_id);
    c->wanted = json_object();
    c->told = json_object();
    crypto_enter(c);
    bool loaded = load(c, problem);
    c->failed = c->failed || !loaded;
    if (!crypto_leave(c)) {
        if (problem->len == 0)
            text_adds(problem, "The store fails.");
        crypto_close(c);
        return NULL;
    }
    return c;
}

void crypto_close(struct crypto *c)
{
    if (c == NULL)
        return;
    sodium_munlock(c->key, sizeof c->key); /* wipes it */
    json_decref(c->wanted);
    json_decref(c->told);
    text_finish(&c->device_keys);
    free(c->user_id);
    free(c->device_id);
    free(c);
}

static void drop_all(struct crypto *c, const char *kind)
{
    for (bool more = true; more && !c->failed;) {
        size_t i;
        json_t *name, *names = crypto_names(c, kind, "", NAMES_AT_ONCE);
        json_array_foreach(names, i, name)
            crypto_drop(c, kind, json_string_value(name));
        more = json_array_size(names) == NAMES_AT_ONCE;
        json_decref(names);
    }
}

bool crypto_restored(struct crypto *c)
{
    crypto_enter(c);
    drop_all(c, ROW_OLM);
    rooms_retire(c);
    drop_all(c, ROW_OUTBOX);
    json_t *users = crypto_names(c, ROW_USER, "", SIZE_MAX), *user;
    size_t i;
    json_array_foreach(users, i, user)
        user_mark_stale(c, json_string_value(user));
    json_decref(users);
    json_t *meta = crypto_meta(c);
    char epoch[EPOCH_CHARS + 1];
    random_name(epoch, EPOCH_CHARS);
    json_object_set_new(meta, "epoch", json_string(epoch)); /* the library counts its keys: these names were given */
    json_object_set_new(meta, "restored", json_true());
    json_object_del(meta, "fallback_ms");
    json_object_del(meta, "device_uploaded");
    json_object_del(meta, "identity_uploaded");
    json_object_del(meta, "signed");
    put_meta(c, meta);
    return crypto_leave(c);
}

/* --- Keys of the device --- */

static json_t *json_of(const struct text *text)
{
    struct error e;
    return text->len == 0 ? NULL : json_parse(text->data, text->len, &e);
}

/* Adds each of {"curve25519": {ID: KEY, …}} to keys, signed, under the id behind the epoch. */
static bool add_signed_keys(struct crypto *c, json_t *keys, const json_t *made, const char *epoch, bool fallback)
{
    const char *id;
    json_t *key, *curve = json_get_object(made, "curve25519");
    json_t **objects = xcalloc(json_object_size(curve) + 1, sizeof(json_t *));
    size_t n = 0;
    json_object_foreach(curve, id, key) {
        json_t *object = objects[n++] = json_pack("{sO}", "key", key);
        if (fallback)
            json_object_set_new(object, "fallback", json_true());
        struct text name = TEXT_INIT;
        text_addf(&name, "%s%s", epoch, id);
        set_named(keys, "signed_curve25519", name.data, object);
        text_finish(&name);
    }
    bool done = n == 0 || sign_by_device(c, objects, n);
    free(objects);
    return done;
}

/* Makes what is missing on the server, if nothing is waiting to be published. */
static void make_keys(struct crypto *c, struct text *account, json_t *meta, int64_t now_ms)
{
    bool restored = json_get_bool(meta, "restored", false);
    bool first = !json_get_bool(meta, "device_uploaded", false) && !restored;
    int64_t made = json_get_int(meta, "made_ms", 0), fallback = json_get_int(meta, "fallback_ms", 0);
    int64_t missing =
        first ? CRYPTO_ONE_TIME_WANTED : (c->counts_known ? CRYPTO_ONE_TIME_WANTED - c->one_time_count : 0);
    bool one_time = missing > 0 && (first || now_ms < made || now_ms - made >= MAKE_PAUSE_MS);
    bool new_fallback = ((first || restored) && fallback == 0) ||
                        (c->fallback_used && (now_ms < fallback || now_ms - fallback >= CRYPTO_FALLBACK_MS));
    bool forget = json_get_bool(meta, "fallback_before", false) && now_ms - fallback >= CRYPTO_FALLBACK_MS;
    if (!one_time && !new_fallback && !forget)
        return;
    if ((one_time && !ratchet_account_make_one_time(account, (size_t)missing)) ||
        (forget && !ratchet_account_forget_fallback(account)) ||
        (new_fallback && !ratchet_account_make_fallback(account)))
        c->failed = true;
    if (one_time)
        json_object_set_new(meta, "made_ms", json_integer(now_ms));
    if (forget || new_fallback)
        json_object_set_new(meta, "fallback_before", json_boolean(new_fallback && fallback != 0));
    if (new_fallback)
        json_object_set_new(meta, "fallback_ms", json_integer(now_ms == 0 ? 1 : now_ms));
    crypto_put(c, ROW_ACCOUNT, "", account);
    crypto_put_json(c, ROW_META, "", meta);
}

static bool has_keys(const json_t *made)
{
    return json_object_size(json_get_object(made, "curve25519")) > 0;
}

static json_t *keys_upload(struct crypto *c, int64_t now_ms)
{
    struct text account = TEXT_INIT, json = TEXT_INIT;
    json_t *meta = crypto_meta(c), *body = json_object(), *one_time = NULL, *fallback = NULL, *keys = json_object(),
           *fallback_keys = json_object();
    crypto_get(c, ROW_ACCOUNT, "", &account);
    for (int turn = 0; turn < 2 && !c->failed; ++turn) {
        json_decref(one_time);
        json_decref(fallback);
        one_time = ratchet_account_one_time(&account, &json) ? json_of(&json) : NULL;
        fallback = ratchet_account_fallback(&account, &json) ? json_of(&json) : NULL;
        if (has_keys(one_time) || has_keys(fallback))
            break; /* those that wait come first: marking as published knows no difference */
        if (turn == 0)
            make_keys(c, &account, meta, now_ms);
    }
    if (!json_get_bool(meta, "device_uploaded", false))
        json_object_set_new(body, "device_keys", json_of(&c->device_keys));
    const char *epoch = json_get_string(meta, "epoch");
    epoch = epoch != NULL ? epoch : "";
    if (!add_signed_keys(c, keys, one_time, epoch, false) || !add_signed_keys(c, fallback_keys, fallback, epoch, true))
        c->failed = true;
    if (json_object_size(keys) > 0)
        json_object_set(body, "one_time_keys", keys);
    if (json_object_size(fallback_keys) > 0)
        json_object_set(body, "fallback_keys", fallback_keys);
    ratchet_wipe(&account);
    text_finish(&json);
    json_decref(one_time);
    json_decref(fallback);
    json_decref(keys);
    json_decref(fallback_keys);
    json_decref(meta);
    if (json_object_size(body) > 0 && !c->failed)
        return json_pack("{ssso}", "kind", "keys_upload", "body", body);
    json_decref(body);
    return NULL;
}

static enum crypto_answer keys_uploaded(struct crypto *c, const json_t *body)
{
    struct text account = TEXT_INIT;
    if (json_get_object(body, "one_time_key_counts") == NULL)
        return CRYPTO_REFUSED;
    if (crypto_get(c, ROW_ACCOUNT, "", &account) == 1) {
        if (!ratchet_account_published(&account))
            c->failed = true;
        crypto_put(c, ROW_ACCOUNT, "", &account);
        meta_flag(c, "device_uploaded", true);
        meta_flag(c, "restored", false);
        c->fallback_used = false;
        crypto_counts(c, json_get_object(body, "one_time_key_counts"), NULL);
    }
    ratchet_wipe(&account);
    return CRYPTO_DONE;
}

void crypto_counts(struct crypto *c, const json_t *counts, const json_t *unused_fallback)
{
    if (json_is_object(counts)) {
        int64_t n = json_get_int(counts, "signed_curve25519", 0);
        c->one_time_count = n < 0 ? 0 : n;
        c->counts_known = true;
    }
    if (json_is_array(unused_fallback)) {
        size_t i;
        json_t *name;
        c->fallback_used = true;
        json_array_foreach(unused_fallback, i, name)
            if (json_is_string(name) && strcmp(json_string_value(name), "signed_curve25519") == 0)
                c->fallback_used = false;
    }
}

/* --- Cross-signing of the user that the bridge is --- */

static bool load_identity(struct crypto *c, struct identity *identity)
{
    struct text seeds = TEXT_INIT;
    bool good = crypto_get(c, ROW_IDENTITY, "", &seeds) == 1 && seeds.len == (size_t)IDENTITY_KEYS * 32;
    for (int i = 0; good && i < IDENTITY_KEYS; ++i) {
        crypto_sign_seed_keypair(identity->public[i], identity -> secret[i],
                                 (unsigned char *)seeds.data + (size_t)i * 32);
        sodium_bin2base64(identity->name[i], sizeof identity->name[i], identity->public[i], 32,
                          sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    }
    c->failed = c->failed || !good;
    ratchet_wipe(&seeds);
    return good;
}

static void sign_by(struct crypto *c, json_t *object, const struct identity *identity, enum identity_key with)
{
    unsigned char signature[SIGNATURE_BYTES];
    char text[RATCHET_SIGNATURE_CHARS + 1];
    struct text key_id = TEXT_INIT;
    char *bytes = signed_text(object);
    text_addf(&key_id, "ed25519:%s", identity->name[with]);
    crypto_sign_detached(signature, NULL, (const unsigned char *)bytes, strlen(bytes), identity->secret[with]);
    sodium_bin2base64(text, sizeof text, signature, sizeof signature, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    signature_put(object, c->user_id, key_id.data, text);
    text_finish(&key_id);
    free(bytes);
}

static json_t *identity_object(struct crypto *c, const struct identity *identity, enum identity_key which)
{
    json_t *keys = json_object();
    json_t *object = json_pack("{sss[s]so}", "user_id", c->user_id, "usage", USAGES[which], "keys", keys);
    set_named(keys, "ed25519", identity->name[which], json_string(identity->name[which]));
    if (which != MASTER)
        sign_by(c, object, identity, MASTER);
    else if (!sign_by_device(c, &object, 1))
        c->failed = true;
    return object;
}

static json_t *device_signing_upload(struct crypto *c)
{
    struct identity identity;
    json_t *body = NULL;
    if (load_identity(c, &identity))
        body = json_pack("{sososo}", "master_key", identity_object(c, &identity, MASTER), "self_signing_key",
                         identity_object(c, &identity, SELF_SIGNING), "user_signing_key",
                         identity_object(c, &identity, USER_SIGNING));
    sodium_memzero(&identity, sizeof identity);
    return body == NULL ? NULL : json_pack("{ssso}", "kind", "device_signing_upload", "body", body);
}

static json_t *signatures_upload(struct crypto *c)
{
    struct identity identity;
    json_t *keys = json_of(&c->device_keys), *body = json_object(), *of_user = json_object();
    if (load_identity(c, &identity))
        sign_by(c, keys, &identity, SELF_SIGNING);
    sodium_memzero(&identity, sizeof identity);
    json_object_set_new(of_user, c->device_id, keys);
    json_object_set_new(body, c->user_id, of_user);
    return json_pack("{ssso}", "kind", "signatures_upload", "body", body);
}

/* --- Requests --- */

static void append(json_t *requests, json_t *request)
{
    if (request != NULL)
        json_array_append_new(requests, request);
}

static void append_outbox(struct crypto *c, json_t *requests)
{
    json_t *names = crypto_names(c, ROW_OUTBOX, "", TO_DEVICE_AT_ONCE), *name;
    size_t i;
    json_array_foreach(names, i, name) {
        json_t *row = crypto_get_json(c, ROW_OUTBOX, json_string_value(name));
        if (row == NULL)
            continue;
        json_object_set_new(row, "kind", json_string("to_device"));
        json_object_set(row, "number", name);
        append(requests, row);
    }
    json_decref(names);
}

json_t *crypto_outgoing(struct crypto *c, int64_t now_ms)
{
    json_t *requests = json_array();
    crypto_enter(c);
    json_t *meta = crypto_meta(c);
    append(requests, keys_upload(c, now_ms));
    if (!json_get_bool(meta, "identity_uploaded", false))
        append(requests, device_signing_upload(c));
    if (!json_get_bool(meta, "signed", false))
        append(requests, signatures_upload(c));
    json_decref(meta);
    append(requests, devices_query(c));
    append(requests, sessions_claim(c));
    append_outbox(c, requests);
    if (crypto_leave(c))
        return requests;
    json_decref(requests);
    return NULL;
}

static enum crypto_answer take_answer(struct crypto *c, const json_t *request, const json_t *body, int64_t now_ms)
{
    const char *kind = json_get_string(request, "kind"), *number = json_get_string(request, "number");
    if (kind == NULL || !json_is_object(body))
        return CRYPTO_REFUSED;
    if (strcmp(kind, "keys_upload") == 0)
        return keys_uploaded(c, body);
    if (strcmp(kind, "keys_query") == 0) {
        enum crypto_answer answer = devices_answered(c, request, body);
        const char *user;
        json_t *asked;
        if (answer == CRYPTO_DONE)
            json_object_foreach(json_get_object(request, "stale"), user, asked)
                receive_held(c, user, now_ms);
        return answer;
    }
    if (strcmp(kind, "keys_claim") == 0)
        return sessions_answered(c, request, body, now_ms);
    if (strcmp(kind, "to_device") == 0 && number != NULL)
        crypto_drop(c, ROW_OUTBOX, number);
    else if (strcmp(kind, "device_signing_upload") == 0)
        meta_flag(c, "identity_uploaded", true);
    else if (strcmp(kind, "signatures_upload") == 0 && json_object_size(json_get_object(body, "failures")) == 0)
        meta_flag(c, "signed", true);
    else
        return CRYPTO_REFUSED;
    return CRYPTO_DONE;
}

enum crypto_answer crypto_answered(struct crypto *c, const json_t *request, const json_t *body, int64_t now_ms)
{
    crypto_enter(c);
    enum crypto_answer answer = take_answer(c, request, body, now_ms);
    return crypto_leave(c) ? answer : CRYPTO_FAILED;
}
