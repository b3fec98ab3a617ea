#include "homeserver/keys/signatures.h"

#include <stdio.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"

bool key_decode(const char *base64, unsigned char out[KEY_BYTES])
{
    unsigned char bytes[KEY_BYTES + 1];
    struct text again = TEXT_INIT;
    if (base64 == NULL || strlen(base64) != KEY_TEXT_BYTES - 1 ||
        base64_decode(base64, KEY_TEXT_BYTES - 1, bytes, sizeof bytes) != KEY_BYTES)
        return false;
    /* One key has one name: neither the other alphabet nor bits left over are another way to write it. */
    text_add_base64(&again, bytes, KEY_BYTES);
    bool one = again.len == KEY_TEXT_BYTES - 1 && memcmp(again.data, base64, again.len) == 0;
    text_finish(&again);
    if (out != NULL)
        memcpy(out, bytes, KEY_BYTES);
    return one;
}

bool signed_bytes(struct text *out, const json_t *object, struct error *e)
{
    if (!json_is_object(object))
        return error_set(e, ERROR_BAD_JSON, "A key is an object.");
    json_t *copy = json_copy((json_t *)object);
    json_object_del(copy, "signatures");
    json_object_del(copy, "unsigned");
    bool good = json_is_canonical_value(copy);
    if (good)
        json_add_canonical(out, copy);
    json_decref(copy);
    if (!good)
        return error_set(e, ERROR_BAD_JSON, "A key that is signed has neither reals nor integers beyond 2^53 - 1.");
    return out->len <= KEY_OBJECT_BYTES_MAX || error_set(e, ERROR_TOO_LARGE, "A key is too large.");
}

const char *signature_in(const json_t *object, const char *user_id, const char *key_id)
{
    return json_get_string(json_get_object(json_get_object(object, "signatures"), user_id), key_id);
}

bool signature_good(const char *signature, const char *key, const char *bytes, size_t len)
{
    unsigned char public[KEY_BYTES], sig[SIGNATURE_BYTES];
    return signature != NULL && key_decode(key, public) &&
           base64_decode(signature, strlen(signature), sig, sizeof sig) == SIGNATURE_BYTES &&
           signature_verify(public, bytes, len, sig);
}

const char *signature_by(const json_t *object, const struct text *bytes, const char *user_id, const char *key_id,
                         const char *key)
{
    const char *signature = signature_in(object, user_id, key_id);
    return signature_good(signature, key, bytes->data, bytes->len) ? signature : NULL;
}

bool key_id_make(char *out, const char *algorithm, const char *name)
{
    int n = snprintf(out, KEY_ID_BYTES_MAX + 1, "%s:%s", algorithm, name);
    return n > 0 && n <= KEY_ID_BYTES_MAX;
}
