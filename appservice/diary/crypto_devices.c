/* Whose devices there are: answers of /keys/query, taken only as far as they are signed. */
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/crypto_private.h"
#include "homeserver/base/json.h"

json_t *user_row(struct crypto *c, const char *user)
{
    return crypto_get_json(c, ROW_USER, user);
}

bool user_stale(const json_t *row)
{
    return json_get_int(row, "stale", 1) != 0;
}

/* Finds those that are stale without reading them all. */
static void put_marker(struct crypto *c, const char *user)
{
    static const struct text NOTHING = {"", 0, 0};
    crypto_put(c, ROW_STALE, user, &NOTHING);
}

void user_track(struct crypto *c, const char *user)
{
    json_t *row = user_row(c, user);
    if (row == NULL && strcmp(user, c->user_id) != 0) {
        row = json_pack("{sis{}}", "stale", 1, "devices");
        crypto_put_json(c, ROW_USER, user, row);
        put_marker(c, user);
    }
    json_decref(row);
}

/* Counts, so that what was asked before the last change does not settle it. */
void user_mark_stale(struct crypto *c, const char *user)
{
    json_t *row = user_row(c, user);
    if (row != NULL) {
        json_object_set_new(row, "stale", json_integer(json_get_int(row, "stale", 0) + 1));
        crypto_put_json(c, ROW_USER, user, row);
        put_marker(c, user);
    }
    json_decref(row);
}

struct device device_of(const char *id, const json_t *entry)
{
    return (struct device){id, json_get_string(entry, "c"), json_get_string(entry, "e"),
                           json_get_bool(entry, "x", true), json_get_bool(entry, "s", false)};
}

bool device_find(const json_t *row, const char *curve25519, struct device *device)
{
    const char *id;
    json_t *entry;
    json_object_foreach(json_get_object(row, "devices"), id, entry) {
        *device = device_of(id, entry);
        if (!device->refused && strcmp(device->curve25519, curve25519) == 0)
            return true;
    }
    return false;
}

const char *device_withheld(const struct crypto *c, const json_t *row, const struct device *device)
{
    const char *master = json_get_string(row, "master"), *pinned = json_get_string(row, "pinned");
    if (device->refused)
        return "m.blacklisted";
    if (c->rules.pin_identities && pinned != NULL && (master == NULL || strcmp(master, pinned) != 0))
        return "m.unverified";
    return c->rules.signed_only && master != NULL && !device->cross_signed ? "m.unverified" : NULL;
}

/* --- Asking --- */

json_t *devices_query(struct crypto *c)
{
    json_t *users = crypto_names(c, ROW_STALE, "", CRYPTO_REQUEST_USERS), *user, *asked = json_object(),
           *stale = json_object();
    size_t i;
    json_array_foreach(users, i, user) {
        json_t *row = user_row(c, json_string_value(user));
        json_object_set_new(asked, json_string_value(user), json_array());
        json_object_set_new(stale, json_string_value(user), json_integer(json_get_int(row, "stale", 1)));
        json_decref(row);
    }
    json_decref(users);
    if (json_object_size(asked) > 0)
        return json_pack("{sss{sosi}so}", "kind", "keys_query", "body", "device_keys", asked, "timeout", 10000, "stale",
                         stale);
    json_decref(asked);
    json_decref(stale);
    return NULL;
}

json_t *crypto_query(struct crypto *c, const json_t *users)
{
    json_t *user, *asked = json_object(), *stale = json_object(), *request = NULL;
    size_t i;
    crypto_enter(c);
    json_array_foreach(users, i, user) {
        json_t *row = crypto_id_good(json_string_value(user), '@') ? user_row(c, json_string_value(user)) : NULL;
        if (row != NULL) {
            json_object_set_new(asked, json_string_value(user), json_array());
            json_object_set_new(stale, json_string_value(user), json_integer(json_get_int(row, "stale", 1)));
        }
        json_decref(row);
    }
    if (crypto_leave(c) && json_object_size(asked) > 0)
        request = json_pack("{sss{sOsi}sO}", "kind", "keys_query", "body", "device_keys", asked, "timeout", 10000,
                            "stale", stale);
    json_decref(asked);
    json_decref(stale);
    return request;
}

/* --- Reading an answer --- */

/* The key that an object of device keys has of this algorithm; NULL: none. */
static const char *key_of(const json_t *keys, const char *algorithm, const char *name)
{
    struct text id = TEXT_INIT;
    text_addf(&id, "%s:%s", algorithm, name);
    const char *key = json_get_string(json_get_object(keys, "keys"), id.data);
    text_finish(&id);
    return key;
}

static bool has_word(const json_t *array, const char *word)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), word) == 0)
            return true;
    return false;
}

static bool is(const json_t *object, const char *member, const char *value)
{
    const char *is = json_get_string(object, member);
    return is != NULL && strcmp(is, value) == 0;
}

/* Whether the object is the keys of this device, signed by itself; *speaks: of those that can be spoken with. */
static bool device_keys_good(const json_t *keys, const char *user, const char *id, bool *speaks)
{
    struct text key_id = TEXT_INIT;
    const char *curve = key_of(keys, "curve25519", id), *ed = key_of(keys, "ed25519", id);
    text_addf(&key_id, "ed25519:%s", id);
    bool good = crypto_device_id_good(id) && is(keys, "user_id", user) && is(keys, "device_id", id) &&
                signed_by(keys, user, key_id.data, ed);
    const json_t *algorithms = json_get_array(keys, "algorithms");
    *speaks = good && has_word(algorithms, OLM) && has_word(algorithms, MEGOLM);
    text_finish(&key_id);
    return good && (!*speaks || ratchet_curve_key_good(curve));
}

/* The one key of a cross-signing key of this user and usage, signed by the master (NULL: it is
 * the master). Borrowed. */
static const char *cross_key(const json_t *object, const char *user, const char *usage, const char *master)
{
    const char *name = NULL;
    json_t *value, *keys = json_get_object(object, "keys");
    if (!is(object, "user_id", user) || !has_word(json_get_array(object, "usage"), usage) ||
        json_object_size(keys) != 1)
        return NULL;
    json_object_foreach(keys, name, value) {
        const char *key = json_string_value(value);
        if (key == NULL || strncmp(name, "ed25519:", 8) != 0 || strcmp(name + 8, key) != 0 ||
            strlen(key) != RATCHET_KEY_CHARS)
            return NULL;
        struct text by = TEXT_INIT;
        text_addf(&by, "ed25519:%s", master == NULL ? "" : master);
        bool good = master == NULL || signed_by(object, user, by.data, master);
        text_finish(&by);
        return good ? key : NULL;
    }
    return NULL;
}

/* The user's cross-signing keys as the answer has them; pinned stays what it was when the first was seen. */
static void take_identity(struct crypto *c, const char *user, json_t *row, const json_t *body)
{
    const char *master = cross_key(json_get_object(json_get_object(body, "master_keys"), user), user, "master", NULL);
    const char *signing = master == NULL ? NULL
                                         : cross_key(json_get_object(json_get_object(body, "self_signing_keys"), user),
                                                     user, "self_signing", master);
    const char *before = json_get_string(row, "master"), *pinned = json_get_string(row, "pinned");
    if (before != NULL && (master == NULL || strcmp(master, before) != 0) && pinned != NULL)
        crypto_tell(c, CRYPTO_IDENTITY_CHANGED, user, NULL, NULL);
    if (master == NULL)
        json_object_del(row, "master");
    else if (before == NULL || strcmp(master, before) != 0)
        json_object_set_new(row, "master", json_string(master));
    if (signing == NULL)
        json_object_del(row, "self_signing");
    else
        json_object_set_new(row, "self_signing", json_string(signing));
    if (pinned == NULL && master != NULL)
        json_object_set_new(row, "pinned", json_string(master));
}

/* What is kept of a device; NULL: nothing. before: what was kept of it. */
static json_t *device_entry(struct crypto *c, const char *user, const char *id, const json_t *keys,
                            const json_t *before, const char *self_signing)
{
    bool speaks;
    struct text by = TEXT_INIT;
    if (!device_keys_good(keys, user, id, &speaks)) {
        crypto_tell(c, CRYPTO_DEVICE_REFUSED, user, crypto_device_id_good(id) ? id : NULL, NULL);
        return NULL;
    }
    if (!speaks)
        return NULL;
    const char *curve = key_of(keys, "curve25519", id), *ed = key_of(keys, "ed25519", id);
    if (before != NULL && (!is(before, "c", curve) || !is(before, "e", ed))) {
        json_t *refused = json_deep_copy(before);
        crypto_tell(c, CRYPTO_DEVICE_CHANGED, user, id, NULL);
        json_object_set_new(refused, "x", json_true());
        return refused;
    }
    text_addf(&by, "ed25519:%s", self_signing == NULL ? "" : self_signing);
    bool cross = self_signing != NULL && signed_by(keys, user, by.data, self_signing);
    bool refused = before != NULL && json_get_bool(before, "x", false);
    text_finish(&by);
    return json_pack("{sssssbsb}", "c", curve, "e", ed, "s", cross, "x", refused);
}

static bool curve_taken(const struct crypto *c, json_t *devices, const char *curve)
{
    const char *id;
    json_t *entry;
    json_object_foreach(devices, id, entry)
        if (is(entry, "c", curve))
            return true;
    return strcmp(curve, c->me.curve25519) == 0;
}

/* Sessions with devices that are no more go with them. */
static void drop_gone(struct crypto *c, const char *user, const json_t *before, const json_t *devices)
{
    const char *id;
    json_t *entry;
    json_object_foreach((json_t *)(uintptr_t)before, id, entry) {
        const char *curve = json_get_string(entry, "c");
        if (json_object_get(devices, id) == NULL && curve != NULL) {
            char *name = crypto_name(user, curve, NULL);
            crypto_drop(c, ROW_OLM, name);
            free(name);
        }
    }
}

static void take_devices(struct crypto *c, const char *user, json_t *row, const json_t *body)
{
    const char *id, *signing = json_get_string(row, "self_signing");
    json_t *keys, *devices = json_object(), *before = json_get_object(row, "devices");
    json_t *given = json_get_object(json_get_object(body, "device_keys"), user);
    json_object_foreach(given, id, keys) {
        if (json_object_size(devices) == CRYPTO_DEVICES_MAX) {
            crypto_tell(c, CRYPTO_TOO_MANY_DEVICES, user, NULL, NULL);
            break;
        }
        json_t *entry = device_entry(c, user, id, keys, json_get_object(before, id), signing);
        if (entry != NULL && curve_taken(c, devices, json_get_string(entry, "c"))) {
            crypto_tell(c, CRYPTO_DEVICE_REFUSED, user, id, NULL);
            json_decref(entry);
        } else if (entry != NULL) {
            json_object_set_new(devices, id, entry);
        }
    }
    drop_gone(c, user, before, devices);
    json_object_set_new(row, "devices", devices);
}

enum crypto_answer devices_answered(struct crypto *c, const json_t *request, const json_t *body)
{
    const char *user;
    json_t *stale;
    if (json_get_object(body, "device_keys") == NULL)
        return CRYPTO_REFUSED;
    json_object_foreach(json_get_object(request, "stale"), user, stale) {
        json_t *row = user_row(c, user), *before = json_deep_copy(row);
        if (row != NULL) {
            take_identity(c, user, row, body);
            take_devices(c, user, row, body);
            bool settled = json_get_int(row, "stale", 0) == json_integer_value(stale);
            if (settled)
                json_object_set_new(row, "stale", json_integer(0));
            if (!json_equal(row, before)) {
                crypto_put_json(c, ROW_USER, user, row);
                if (settled)
                    crypto_drop(c, ROW_STALE, user);
            }
        }
        json_decref(row);
        json_decref(before);
    }
    return CRYPTO_DONE;
}

/* --- Lists --- */

static void forget_user(struct crypto *c, const char *user)
{
    json_t *row = user_row(c, user), *none = json_object();
    drop_gone(c, user, json_get_object(row, "devices"), none);
    crypto_drop(c, ROW_USER, user);
    crypto_drop(c, ROW_STALE, user);
    json_decref(none);
    json_decref(row);
}

bool crypto_device_lists(struct crypto *c, const json_t *changed, const json_t *left)
{
    size_t i;
    json_t *user;
    crypto_enter(c);
    json_array_foreach(changed, i, user)
        if (crypto_id_good(json_string_value(user), '@'))
            user_mark_stale(c, json_string_value(user));
    json_array_foreach(left, i, user)
        if (crypto_id_good(json_string_value(user), '@'))
            forget_user(c, json_string_value(user));
    return crypto_leave(c);
}

bool crypto_accept_identity(struct crypto *c, const char *user)
{
    crypto_enter(c);
    json_t *row = crypto_id_good(user, '@') ? user_row(c, user) : NULL;
    if (row != NULL && json_get_string(row, "master") != NULL)
        json_object_set(row, "pinned", json_object_get(row, "master"));
    else
        json_object_del(row, "pinned");
    if (row != NULL)
        crypto_put_json(c, ROW_USER, user, row);
    bool found = row != NULL;
    json_decref(row);
    return crypto_leave(c) && found;
}
