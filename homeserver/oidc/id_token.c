#include "homeserver/oidc/id_token.h"

#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"

const char *const ID_TOKEN_FAULTS[ID_TOKEN_FAULT__COUNT] = {
    [ID_TOKEN_GOOD] = "good",
    [ID_TOKEN_MALFORMED] = "not a token",
    [ID_TOKEN_ALGORITHM] = "an algorithm that is not allowed",
    [ID_TOKEN_UNKNOWN_KEY] = "a key that the provider does not name",
    [ID_TOKEN_SIGNATURE] = "a signature that does not hold",
    [ID_TOKEN_ISSUER] = "another issuer",
    [ID_TOKEN_AUDIENCE] = "another audience",
    [ID_TOKEN_AUTHORIZED_PARTY] = "another authorized party",
    [ID_TOKEN_NONCE] = "another nonce",
    [ID_TOKEN_EXPIRED] = "expired",
    [ID_TOKEN_ISSUED_AT] = "made too long ago, or in the future",
    [ID_TOKEN_SUBJECT] = "no subject",
    [ID_TOKEN_AUTH_TIME] = "it does not say that they have signed in anew (auth_time)",
};

static bool is(const json_t *value, const char *expected)
{
    const char *s = json_string_value(value);
    return s != NULL && strcmp(s, expected) == 0;
}

/* One audience: others, whom we do not know, could show the same token here (Core, 3.1.3.7, 3). */
static bool audience_is(const json_t *claims, const char *client_id)
{
    const json_t *aud = json_object_get(claims, "aud");
    return json_is_array(aud) ? json_array_size(aud) == 1 && is(json_array_get(aud, 0), client_id) : is(aud, client_id);
}

static bool nonce_is(const json_t *claims, const char *nonce)
{
    const char *said = json_get_string(claims, "nonce");
    return said != NULL && strlen(said) == strlen(nonce) && bytes_equal(said, nonce, strlen(nonce));
}

/* A NumericDate (RFC 7519, 2), whole seconds of it. −1: it is none. */
static int64_t numeric_date(const json_t *value)
{
    double at = json_is_number(value) ? json_number_value(value) : -1;
    return at >= 0 && at <= (double)JSON_INT_MAX ? (int64_t)at : -1;
}

static enum id_token_fault check_times(const json_t *claims, int64_t now_s)
{
    const json_t *nbf = json_object_get(claims, "nbf");
    int64_t exp = numeric_date(json_object_get(claims, "exp")), iat = numeric_date(json_object_get(claims, "iat"));
    if (exp < 0 || now_s >= exp + ID_TOKEN_SKEW_S)
        return ID_TOKEN_EXPIRED;
    if (iat < 0 || iat > now_s + ID_TOKEN_SKEW_S || iat < now_s - ID_TOKEN_AGE_MAX_S - ID_TOKEN_SKEW_S || iat > exp)
        return ID_TOKEN_ISSUED_AT;
    int64_t from = numeric_date(nbf);
    return nbf == NULL || (from >= 0 && from <= now_s + ID_TOKEN_SKEW_S) ? ID_TOKEN_GOOD : ID_TOKEN_ISSUED_AT;
}

int64_t id_token_auth_time(const json_t *claims, int64_t now_s)
{
    int64_t at = numeric_date(json_object_get(claims, "auth_time"));
    return at <= now_s + ID_TOKEN_SKEW_S ? at : -1;
}

static bool has_subject(const json_t *claims)
{
    const char *sub = json_get_string(claims, "sub");
    size_t len = sub != NULL ? strlen(sub) : 0;
    for (size_t i = 0; i < len; ++i)
        if (sub[i] <= ' ' || sub[i] > '~')
            return false;
    return len > 0 && len <= ID_TOKEN_SUBJECT_BYTES_MAX;
}

static enum id_token_fault check_claims(const json_t *claims, const struct id_token_wanted *wanted)
{
    const json_t *azp = json_object_get(claims, "azp");
    if (!is(json_object_get(claims, "iss"), wanted->issuer))
        return ID_TOKEN_ISSUER;
    if (!audience_is(claims, wanted->client_id))
        return ID_TOKEN_AUDIENCE;
    if (azp != NULL && !is(azp, wanted->client_id))
        return ID_TOKEN_AUTHORIZED_PARTY;
    if (!nonce_is(claims, wanted->nonce))
        return ID_TOKEN_NONCE;
    enum id_token_fault fault = check_times(claims, wanted->now_s);
    if (fault == ID_TOKEN_GOOD && wanted->since_s != 0 &&
        id_token_auth_time(claims, wanted->now_s) < wanted->since_s - ID_TOKEN_SKEW_S)
        return ID_TOKEN_AUTH_TIME;
    return fault != ID_TOKEN_GOOD || has_subject(claims) ? fault : ID_TOKEN_SUBJECT;
}

enum id_token_fault id_token_read(const struct jwk_set *keys, const struct id_token_wanted *wanted, const char *token,
                                  size_t len, json_t **claims)
{
    static const enum id_token_fault OF_JWS[] = {[JWS_GOOD] = ID_TOKEN_GOOD,
                                                 [JWS_MALFORMED] = ID_TOKEN_MALFORMED,
                                                 [JWS_ALGORITHM] = ID_TOKEN_ALGORITHM,
                                                 [JWS_UNKNOWN_KEY] = ID_TOKEN_UNKNOWN_KEY,
                                                 [JWS_SIGNATURE] = ID_TOKEN_SIGNATURE};
    enum id_token_fault fault = OF_JWS[jws_verify(keys, wanted->algorithms, token, len, claims)];
    if (fault == ID_TOKEN_GOOD && (fault = check_claims(*claims, wanted)) != ID_TOKEN_GOOD) {
        json_decref(*claims);
        *claims = NULL;
    }
    return fault;
}
