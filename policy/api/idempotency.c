#include "policy/api/idempotency.h"

#include <sodium.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/http/router.h"
#include "homeserver/store/bounds.h"

#define KEY_MIN 16
#define KEY_MAX 64

static bool key_valid(const char *key)
{
    size_t len = 0;
    while (key[len] > ' ' && key[len] < 0x7f)
        ++len;
    return key[len] == '\0' && len >= KEY_MIN && len <= KEY_MAX;
}

static void hash_field(crypto_generichash_state *state, const char *field)
{
    const char *bytes = field != NULL ? field : "";
    crypto_generichash_update(state, (const unsigned char *)bytes, strlen(bytes) + 1);
}

/* label: so that the same key gives several secrets. */
static void hash_begin(crypto_generichash_state *state, const char *key, const char *label)
{
    crypto_generichash_init(state, (const unsigned char *)key, strlen(key), 32);
    hash_field(state, label);
}

static void derive(const char *key, const char *label, unsigned char out[32])
{
    crypto_generichash_state state;
    hash_begin(&state, key, label);
    crypto_generichash_final(&state, out, 32);
}

static void hash_request(const struct request *r, const char *key, unsigned char out[32])
{
    crypto_generichash_state state;
    hash_begin(&state, key, "request");
    hash_field(&state, method_name(r->method));
    hash_field(&state, r->path);
    for (int i = 0; i < r->n_query; ++i) {
        hash_field(&state, r->query[i].name);
        hash_field(&state, r->query[i].value);
    }
    hash_field(&state, "");
    hash_field(&state, r->headers[HEADER_IF_MATCH]);
    hash_field(&state, r->headers[HEADER_OVERRIDE_REASON]);
    crypto_generichash_update(&state, (const unsigned char *)r->raw_body, r->raw_body_len);
    crypto_generichash_final(&state, out, 32);
}

bool idempotent_begin(struct request *r, const char *caller, struct idempotent *out)
{
    const char *key = r->headers[HEADER_IDEMPOTENCY_KEY];
    *out = (struct idempotent){0};
    if (key == NULL)
        return true;
    if (!key_valid(key))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "Idempotency-Key",
                                "An Idempotency-Key is 16 to 64 visible ASCII characters, a UUID say.");
    out->caller = caller;
    derive(key, "name", out->key_hash);
    derive(key, "seal", out->seal);
    hash_request(r, key, out->request_hash);
    return true;
}

/* sealed: a nonce, then the box */
static bool open_sealed(const struct idempotent *once, const unsigned char *sealed, size_t len, struct text *out)
{
    const size_t extra = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    if (len < extra)
        return false;
    text_reserve(out, len - extra + 1);
    if (crypto_secretbox_open_easy((unsigned char *)out->data, sealed + crypto_secretbox_NONCEBYTES,
                                   len - crypto_secretbox_NONCEBYTES, sealed, once->seal) != 0)
        return false;
    out->len = len - extra;
    out->data[out->len] = '\0';
    return true;
}

bool idempotent_find(struct db *db, const struct idempotent *once, bool *done, struct idempotent_reply *reply,
                     struct error *e)
{
    struct idempotency_row row;
    bool good = true;
    *done = false;
    if (once->caller == NULL)
        return true;
    struct stmt *q = idempotency_find(db, once->caller, once->key_hash);
    if (idempotency_next(q, &row)) {
        good = bytes_equal(row.request_hash, once->request_hash, sizeof once->request_hash) &&
               open_sealed(once, row.reply, row.reply_len, &reply->body);
        reply->status = row.status;
        reply->version = row.version;
        *done = good;
    }
    stmt_end(q);
    if (!good)
        return error_set(e, ERROR_CONFLICT, "This Idempotency-Key has served another request.");
    bool person = once->caller[0] == '@'; /* a roster's script may have as many as it needs for a day */
    if (*done || !person)
        return true;
    if (idempotency_count(db, once->caller) >= IDEMPOTENCY_PER_PERSON)
        return bound_refuse(e, "idempotency_keys", IDEMPOTENCY_PER_PERSON);
    return idempotency_bytes(db, once->caller) < IDEMPOTENCY_BYTES_PER_PERSON ||
           bound_refuse(e, "idempotency_bytes", IDEMPOTENCY_BYTES_PER_PERSON);
}

bool idempotent_keep(struct tx *tx, const struct idempotent *once, const struct idempotent_reply *reply)
{
    if (once->caller == NULL)
        return true;
    struct idempotency_row row = {.caller = once->caller,
                                  .key_hash = once->key_hash,
                                  .request_hash = once->request_hash,
                                  .status = reply->status,
                                  .version = reply->version};
    row.reply_len = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + reply->body.len;
    unsigned char *sealed = xcalloc(1, row.reply_len);
    randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, (const unsigned char *)reply->body.data,
                          reply->body.len, sealed, once->seal);
    row.reply = sealed;
    bool kept = idempotency_insert(tx, &row);
    free(sealed);
    return kept;
}
