#include "homeserver/oidc/jose.h"

#include <cjose/cjose.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/words.h"

#define KID_BYTES_MAX 256
#define RSA_BYTES_MIN 256
#define RSA_BYTES_MAX 1024
#define RSA_EXPONENT_BYTES_MAX 8 /* a longer one costs, and says nothing more */
#define EC_BYTES 32              /* a coordinate of P-256, half a signature */

const char *const JWS_ALGORITHM_NAMES[JWS_ALGORITHM__COUNT] = {[JWS_RS256] = "RS256", [JWS_ES256] = "ES256"};

/* What a key of each algorithm is made of (RFC 7518, 6): kty, and the members that are numbers, with their bytes. */
static const struct key_kind {
    const char *kty, *crv;
    struct key_member {
        const char *name;
        size_t bytes_min, bytes_max;
    } members[2];
} KINDS[JWS_ALGORITHM__COUNT] = {
    [JWS_RS256] = {"RSA", NULL, {{"n", RSA_BYTES_MIN, RSA_BYTES_MAX}, {"e", 1, RSA_EXPONENT_BYTES_MAX}}},
    [JWS_ES256] = {"EC", "P-256", {{"x", EC_BYTES, EC_BYTES}, {"y", EC_BYTES, EC_BYTES}}},
};

struct jwk {
    enum jws_algorithm algorithm;
    char *kid; /* NULL: it has none */
    cjose_jwk_t *key;
    size_t bytes; /* of a signature by it */
};

struct jwk_set {
    struct jwk keys[JWK_SET_KEYS_MAX];
    size_t n;
};

/* Bytes of base64url without padding (RFC 7515, 2), strictly; −1: it is not, or is longer than cap. */
static int decode(const char *s, size_t len, unsigned char *out, size_t cap)
{
    size_t written;
    return sodium_base642bin(out, cap, s, len, NULL, &written, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0
               ? (int)written
               : -1;
}

/* --- Keys --- */

static bool is_word(const json_t *key, const char *name, const char *word, bool required)
{
    const json_t *value = json_object_get(key, name);
    const char *s = json_string_value(value);
    return value == NULL ? !required : s != NULL && strcmp(s, word) == 0;
}

/* The public part of it, as cjose wants it, made anew: nothing else that stands there gets to cjose. */
static json_t *public_part(const json_t *key, const struct key_kind *kind, size_t *first_bytes)
{
    unsigned char bytes[RSA_BYTES_MAX] = {0};
    json_t *part = json_pack("{s:s}", "kty", kind->kty);
    if (kind->crv != NULL)
        json_object_set_new(part, "crv", json_string(kind->crv));
    for (size_t i = 0; i < 2; ++i) {
        const struct key_member *member = &kind->members[i];
        const char *s = json_get_string(key, member->name);
        int n = s != NULL ? decode(s, strlen(s), bytes, sizeof bytes) : -1;
        /* A number has no zeros before it (RFC 7518, 2), so that its length is its size; a coordinate has all. */
        bool good = n >= (int)member->bytes_min && n <= (int)member->bytes_max && (kind->crv != NULL || bytes[0] != 0);
        /* An even RSA number, and the exponent 1, which would make any signature its own text, are no keys. */
        if (good && kind->crv == NULL)
            good = (bytes[n - 1] & 1) != 0 && (n > 1 || bytes[0] != 1);
        if (!good) {
            json_decref(part);
            return NULL;
        }
        if (i == 0)
            *first_bytes = (size_t)n;
        json_object_set_new(part, member->name, json_string(s));
    }
    return part;
}

/* false: it is of no use to us, which is no fault of the set's (RFC 7517, 5). */
static bool take_key(const json_t *key, struct jwk *out)
{
    const json_t *kid = json_object_get(key, "kid");
    const char *id = json_string_value(kid);
    for (int a = 0; a < JWS_ALGORITHM__COUNT; ++a) {
        const struct key_kind *kind = &KINDS[a];
        if (!is_word(key, "kty", kind->kty, true) || (kind->crv != NULL && !is_word(key, "crv", kind->crv, true)))
            continue;
        if (!is_word(key, "use", "sig", false) || !is_word(key, "alg", JWS_ALGORITHM_NAMES[a], false) ||
            (kid != NULL && (id == NULL || strlen(id) > KID_BYTES_MAX)))
            return false;
        json_t *part = public_part(key, kind, &out->bytes);
        cjose_err err;
        out->key = part != NULL ? cjose_jwk_import_json(part, &err) : NULL;
        json_decref(part);
        if (out->key == NULL)
            return false;
        out->algorithm = (enum jws_algorithm)a;
        out->kid = id != NULL ? xstrdup(id) : NULL;
        if (kind->crv != NULL)
            out->bytes = (size_t)2 * EC_BYTES;
        return true;
    }
    return false;
}

struct jwk_set *jwk_set_parse(const char *bytes, size_t len, struct text *problem)
{
    struct error e = {0};
    json_t *document = len <= JWK_SET_BYTES_MAX ? json_parse(bytes, len, &e) : NULL;
    json_t *keys = json_get_array(document, "keys");
    struct jwk_set *set = xcalloc(1, sizeof *set);
    for (size_t i = 0; i < json_array_size(keys) && i < JWK_SET_KEYS_MAX; ++i)
        if (take_key(json_array_get(keys, i), &set->keys[set->n]))
            ++set->n;
    if (set->n == 0) {
        text_fail(problem, keys == NULL ? "it is no set of keys (RFC 7517, 5)"
                                        : "it has no key for RS256 (2048 bits or more) or ES256");
        jwk_set_free(set);
        set = NULL;
    }
    json_decref(document);
    return set;
}

void jwk_set_free(struct jwk_set *set)
{
    for (size_t i = 0; set != NULL && i < set->n; ++i) {
        cjose_jwk_release(set->keys[i].key);
        free(set->keys[i].kid);
    }
    free(set);
}

size_t jwk_set_count(const struct jwk_set *set)
{
    return set->n;
}

/* --- Signatures --- */

/* The parts of header.payload.signature, each base64url through and through: cjose decodes them again, and what its
 * decoder does not expect, as a '=' in the middle, ends the process by an assertion. */
struct parts {
    const char *at[3];
    size_t len[3];
};

static bool split(const char *token, size_t len, struct parts *out)
{
    unsigned char bytes[JWS_BYTES_MAX];
    const char *from = token, *end = token + len;
    for (int i = 0; i < 3; ++i) {
        const char *dot = i < 2 ? memchr(from, '.', (size_t)(end - from)) : end;
        if (dot == NULL || dot == from || decode(from, (size_t)(dot - from), bytes, sizeof bytes) < 0)
            return false;
        out->at[i] = from;
        out->len[i] = (size_t)(dot - from);
        from = dot + 1;
    }
    return true;
}

/* The JSON object that a part is; NULL: it is none, or says something twice. */
static json_t *part_json(const struct parts *parts, int which)
{
    unsigned char bytes[JWS_BYTES_MAX];
    struct error e = {0};
    int n = decode(parts->at[which], parts->len[which], bytes, sizeof bytes);
    json_t *value = n > 0 ? json_parse((const char *)bytes, (size_t)n, &e) : NULL;
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

/* A key that the token names must be there; where it names none, which of two it were would be a guess. */
static const struct jwk *key_for(const struct jwk_set *set, enum jws_algorithm algorithm, const char *kid)
{
    const struct jwk *found = NULL;
    for (size_t i = 0; i < set->n; ++i) {
        const struct jwk *key = &set->keys[i];
        if (key->algorithm != algorithm || (kid != NULL && (key->kid == NULL || strcmp(key->kid, kid) != 0)))
            continue;
        if (found != NULL)
            return NULL;
        found = key;
    }
    return found;
}

static bool signature_holds(const struct jwk *key, const struct parts *parts, const char *token, size_t len)
{
    unsigned char signature[RSA_BYTES_MAX];
    cjose_err err;
    if (decode(parts->at[2], parts->len[2], signature, sizeof signature) != (int)key->bytes)
        return false;
    cjose_jws_t *jws = cjose_jws_import(token, len, &err);
    bool holds = jws != NULL && cjose_jws_verify(jws, key->key, &err);
    cjose_jws_release(jws);
    return holds;
}

static enum jws_fault verify(const struct jwk_set *set, unsigned algorithms, const json_t *header,
                             const struct parts *parts, const char *token, size_t len)
{
    const json_t *kid = json_object_get(header, "kid");
    int algorithm = WORD_FIND(JWS_ALGORITHM_NAMES, json_get_string(header, "alg"));
    if (json_object_get(header, "crit") != NULL || (kid != NULL && !json_is_string(kid)))
        return JWS_MALFORMED;
    if (algorithm < 0 || (algorithms & 1U << algorithm) == 0)
        return JWS_ALGORITHM;
    const struct jwk *key = key_for(set, (enum jws_algorithm)algorithm, json_string_value(kid));
    if (key == NULL)
        return JWS_UNKNOWN_KEY;
    return signature_holds(key, parts, token, len) ? JWS_GOOD : JWS_SIGNATURE;
}

enum jws_fault jws_verify(const struct jwk_set *set, unsigned algorithms, const char *token, size_t len,
                          json_t **payload)
{
    struct parts parts;
    *payload = NULL;
    if (len > JWS_BYTES_MAX || !split(token, len, &parts))
        return JWS_MALFORMED;
    json_t *header = part_json(&parts, 0);
    enum jws_fault fault = header != NULL ? verify(set, algorithms, header, &parts, token, len) : JWS_MALFORMED;
    json_decref(header);
    /* What was signed is read only now: nobody else's text is. */
    if (fault == JWS_GOOD && (*payload = part_json(&parts, 1)) == NULL)
        fault = JWS_MALFORMED;
    return fault;
}
