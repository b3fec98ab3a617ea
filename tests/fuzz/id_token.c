/* What providers say of who signs in: sets of keys ('k'), tokens against keys of ours ('t'), claims as if they were
 * signed ('c', behind a signature that is made here). What is taken has a subject, and is nobody else's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjose/cjose.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/oidc/id_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* An EC key, private part and all: what it signs is taken. */
static const char KEY[] =
    "{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"Q6ShXYPJ0DR7l1QcW8OD9GODH5dbP5GbrH8-pWhRLEI\",\"y\":"
    "\"2xP7_bd__0QX6PO6ndP3QgXKjhPISn630do7q1L-2Kg\",\"d\":\"5pnOTvMFvzF3E229NafNQdMrdv9F11Ber4IVbnSTHi8\"}";
static const char SET[] =
    "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"Q6ShXYPJ0DR7l1QcW8OD9GODH5dbP5GbrH8-pWhRLEI\","
    "\"y\":\"2xP7_bd__0QX6PO6ndP3QgXKjhPISn630do7q1L-2Kg\"}]}";

static const struct id_token_wanted WANTED = {"https://diary.example", "parta", "n0nce", JWS_ALGORITHMS_ALL,
                                              1800000000};

static cjose_jwk_t *key;
static struct jwk_set *set;

static void start(void)
{
    struct text problem = TEXT_INIT;
    cjose_err err;
    must(crypto_start());
    must((key = cjose_jwk_import(KEY, sizeof KEY - 1, &err)) != NULL);
    must((set = jwk_set_parse(SET, sizeof SET - 1, &problem)) != NULL);
}

static void check_set(const char *text, size_t len)
{
    struct text problem = TEXT_INIT;
    struct jwk_set *read = jwk_set_parse(text, len, &problem);
    must((read == NULL) == (problem.len != 0));
    must(read == NULL || (jwk_set_count(read) > 0 && jwk_set_count(read) <= JWK_SET_KEYS_MAX));
    jwk_set_free(read);
    text_finish(&problem);
}

static void check_token(const char *text, size_t len)
{
    json_t *claims;
    enum id_token_fault fault = id_token_read(set, &WANTED, text, len, &claims);
    must((fault == ID_TOKEN_GOOD) == (claims != NULL));
    if (claims != NULL) {
        const char *sub = json_get_string(claims, "sub");
        must(sub != NULL && *sub != '\0' && strlen(sub) <= ID_TOKEN_SUBJECT_BYTES_MAX && text_is_line(sub));
        must(strcmp(json_get_string(claims, "iss"), WANTED.issuer) == 0);
    }
    json_decref(claims);
}

static void check_claims(const char *text, size_t len)
{
    cjose_err err;
    const char *compact;
    cjose_header_t *header = cjose_header_new(&err);
    cjose_header_set(header, "alg", "ES256", &err);
    cjose_jws_t *jws = cjose_jws_sign(key, header, (const uint8_t *)text, len, &err);
    if (jws != NULL && cjose_jws_export(jws, &compact, &err))
        check_token(compact, strlen(compact));
    cjose_jws_release(jws);
    cjose_header_release(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (set == NULL)
        start();
    if (len == 0)
        return 0;
    const char *text = (const char *)bytes + 1;
    switch (bytes[0]) {
    case 'k': check_set(text, len - 1); break;
    case 't': check_token(text, len - 1); break;
    case 'c': check_claims(text, len - 1); break;
    default: break;
    }
    return 0;
}
