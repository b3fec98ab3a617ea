/* Olm sessions with devices, and the messages that wait to be sent through them. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/crypto_private.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"

#define TXN_CHARS 32

/* --- Rows --- */

void olm_row_get(struct crypto *c, const char *user, const char *curve25519, struct olm_row *row)
{
    struct text plain = TEXT_INIT;
    char *name = crypto_name(user, curve25519, NULL);
    *row = (struct olm_row){0};
    if (crypto_get(c, ROW_OLM, name, &plain) == 1) {
        struct parts parts = parts_of(&plain);
        row->unwedged_ms = parts_int(&parts);
        row->no_key_ms = parts_int(&parts);
        while (parts_more(&parts) && row->n < CRYPTO_SESSIONS_MAX) {
            struct olm_session *session = &row->all[row->n++];
            session->used_ms = parts_int(&parts);
            parts_bytes(&parts, &session->pickle);
        }
        c->failed = c->failed || !parts.good;
    }
    ratchet_wipe(&plain);
    free(name);
}

void olm_row_finish(struct olm_row *row)
{
    for (size_t i = 0; i < row->n; ++i)
        ratchet_wipe(&row->all[i].pickle);
    row->n = 0;
}

/* The one that received last comes first ("If a client has multiple sessions established with another device"). */
static int by_use(const void *a, const void *b)
{
    int64_t x = ((const struct olm_session *)a)->used_ms, y = ((const struct olm_session *)b)->used_ms;
    return x < y ? 1 : x > y ? -1 : 0;
}

void olm_row_put(struct crypto *c, const char *user, const char *curve25519, struct olm_row *row)
{
    struct text plain = TEXT_INIT;
    size_t bytes = 16;
    qsort(row->all, row->n, sizeof *row->all, by_use);
    while (row->n > CRYPTO_SESSIONS_MAX)
        ratchet_wipe(&row->all[--row->n].pickle);
    for (size_t i = 0; i < row->n; ++i)
        bytes += 16 + row->all[i].pickle.len;
    text_reserve(&plain, bytes + 1);
    parts_add_int(&plain, row->unwedged_ms);
    parts_add_int(&plain, row->no_key_ms);
    for (size_t i = 0; i < row->n; ++i) {
        parts_add_int(&plain, row->all[i].used_ms);
        parts_add(&plain, row->all[i].pickle.data, row->all[i].pickle.len);
    }
    char *name = crypto_name(user, curve25519, NULL);
    crypto_put(c, ROW_OLM, name, &plain);
    ratchet_wipe(&plain);
    free(name);
}

/* --- Claiming --- */

void session_want(struct crypto *c, const char *user, const char *device, bool dummy)
{
    json_t *devices = json_get_object(c->wanted, user);
    if (devices == NULL)
        json_object_set_new(c->wanted, user, devices = json_object());
    json_object_set_new(devices, device, json_boolean(dummy || json_get_bool(devices, device, false)));
}

json_t *sessions_claim(struct crypto *c)
{
    const char *user, *device;
    json_t *devices, *dummy, *keys = json_object();
    size_t n = 0;
    json_object_foreach(c->wanted, user, devices) {
        json_t *of_user = json_object();
        json_object_foreach(devices, device, dummy)
            if (n++ < CRYPTO_REQUEST_USERS)
                json_object_set_new(of_user, device, json_string("signed_curve25519"));
        if (json_object_size(of_user) > 0)
            json_object_set(keys, user, of_user);
        json_decref(of_user);
    }
    if (json_object_size(keys) > 0)
        return json_pack("{sss{sosi}}", "kind", "keys_claim", "body", "one_time_keys", keys, "timeout", 10000);
    json_decref(keys);
    return NULL;
}

/* The one-time key of the answer, signed by the device. NULL: none. Borrowed. */
static const char *claimed_key(const json_t *answer, const char *user, const struct device *device)
{
    const char *id;
    struct text by = TEXT_INIT;
    json_t *object, *given = json_get_object(json_get_object(answer, user), device->id);
    const char *key = NULL;
    text_addf(&by, "ed25519:%s", device->id);
    json_object_foreach(given, id, object)
        if (key == NULL && strncmp(id, "signed_curve25519:", 18) == 0 &&
            signed_by(object, user, by.data, device->ed25519))
            key = json_get_string(object, "key");
    text_finish(&by);
    return ratchet_curve_key_good(key) ? key : NULL;
}

static void begin_session(struct crypto *c, const char *user, const struct device *device, const char *one_time,
                          bool dummy, int64_t now_ms, struct outgoing *dummies)
{
    struct text account = TEXT_INIT, session = TEXT_INIT;
    struct olm_row row;
    olm_row_get(c, user, device->curve25519, &row);
    bool begun = one_time != NULL && crypto_get(c, ROW_ACCOUNT, "", &account) == 1 &&
                 ratchet_session_outbound(&account, device->curve25519, one_time, &session);
    if (!begun) {
        crypto_tell(c, CRYPTO_NO_KEYS, user, device->id, NULL);
        row.no_key_ms = now_ms;
    } else {
        int64_t newest = row.n > 0 && row.all[0].used_ms >= now_ms ? row.all[0].used_ms + 1 : now_ms;
        row.all[row.n++] = (struct olm_session){newest, session};
        row.no_key_ms = 0;
    }
    olm_row_put(c, user, device->curve25519, &row);
    if (dummy && begun) {
        struct text nothing = TEXT_INIT;
        text_adds(&nothing, "{}");
        outgoing_add(c, dummies, user, device->id, session_encrypt(c, user, device, "m.dummy", &nothing));
        text_finish(&nothing);
    }
    olm_row_finish(&row);
    ratchet_wipe(&account);
}

enum crypto_answer sessions_answered(struct crypto *c, const json_t *request, const json_t *body, int64_t now_ms)
{
    const char *user, *id;
    json_t *devices, *algorithm, *answer = json_get_object(body, "one_time_keys");
    struct outgoing dummies = {"m.room.encrypted", json_object(), 0};
    json_object_foreach(json_get_object(json_get_object(request, "body"), "one_time_keys"), user, devices) {
        json_t *row = answer == NULL ? NULL : user_row(c, user), *wanted = json_get_object(c->wanted, user);
        json_object_foreach(devices, id, algorithm) {
            json_t *entry = json_get_object(json_get_object(row, "devices"), id);
            struct device device = device_of(id, entry);
            if (entry != NULL && !device.refused)
                begin_session(c, user, &device, claimed_key(answer, user, &device), json_get_bool(wanted, id, false),
                              now_ms, &dummies);
            if (answer != NULL)
                json_object_del(wanted, id);
        }
        if (wanted != NULL && json_object_size(wanted) == 0)
            json_object_del(c->wanted, user);
        json_decref(row);
    }
    outgoing_finish(c, &dummies);
    return answer == NULL ? CRYPTO_REFUSED : CRYPTO_DONE;
}

/* --- Encrypting --- */

static void add_payload(struct text *payload, const struct crypto *c, const char *user, const struct device *device,
                        const char *type, const struct text *content)
{
    text_reserve(payload, content->len + c->device_keys.len + 2048); /* so that no copy is left behind */
    text_adds(payload, "{\"content\":");
    text_add(payload, content->data, content->len);
    text_addf(payload, ",\"keys\":{\"ed25519\":\"%s\"},\"recipient\":", c->me.ed25519);
    text_add_json(payload, user);
    text_addf(payload, ",\"recipient_keys\":{\"ed25519\":\"%s\"},\"sender\":", device->ed25519);
    text_add_json(payload, c->user_id);
    text_adds(payload, ",\"sender_device_keys\":");
    text_add(payload, c->device_keys.data, c->device_keys.len);
    text_adds(payload, ",\"type\":");
    text_add_json(payload, type);
    text_addc(payload, '}');
}

json_t *session_encrypt(struct crypto *c, const char *user, const struct device *device, const char *type,
                        const struct text *content)
{
    struct olm_row row;
    struct text payload = TEXT_INIT, message = TEXT_INIT;
    json_t *result = NULL;
    int kind = 0;
    olm_row_get(c, user, device->curve25519, &row);
    add_payload(&payload, c, user, device, type, content);
    if (row.n > 0 && !c->failed) {
        if (ratchet_encrypt(&row.all[0].pickle, payload.data, payload.len, &kind, &message)) {
            olm_row_put(c, user, device->curve25519, &row);
            result = json_pack("{sssss{s{siss}}}", "algorithm", OLM, "sender_key", c->me.curve25519, "ciphertext",
                               device->curve25519, "type", kind, "body", message.data);
        } else {
            c->failed = true; /* our own row, our own message */
        }
    }
    ratchet_wipe(&payload);
    text_finish(&message);
    olm_row_finish(&row);
    return result;
}

/* --- The outbox --- */

static void put_out(struct crypto *c, struct outgoing *out)
{
    char txn[TXN_CHARS + 1], number[24];
    if (out->n == 0)
        return;
    random_name(txn, TXN_CHARS);
    snprintf(number, sizeof number, "%020lld", (long long)crypto_next_number(c));
    json_t *row = json_pack("{sssss{sO}}", "event_type", out->type, "txn_id", txn, "body", "messages", out->messages);
    crypto_put_json(c, ROW_OUTBOX, number, row);
    json_decref(row);
    json_object_clear(out->messages);
    out->n = 0;
}

void outgoing_add(struct crypto *c, struct outgoing *out, const char *user, const char *device, json_t *content)
{
    if (content == NULL)
        return;
    json_t *of_user = json_get_object(out->messages, user);
    if (of_user == NULL)
        json_object_set_new(out->messages, user, of_user = json_object());
    json_object_set_new(of_user, device, content);
    if (++out->n == CRYPTO_OUTBOX_DEVICES)
        put_out(c, out);
}

void outgoing_finish(struct crypto *c, struct outgoing *out)
{
    put_out(c, out);
    json_decref(out->messages);
    out->messages = NULL;
}
