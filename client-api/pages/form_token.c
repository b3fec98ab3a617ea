#include "client-api/pages/form_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client-api/pages/cookies.h"
#include "client-api/pages/language.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

#define MAC_BYTES 16

static const char OLD[] = "org.parta.form"; /* the error's field, by which form_is_old knows it */

static void mac(const struct request *r, const char *secret, const char *path, int64_t until_ms,
                unsigned char out[MAC_BYTES])
{
    char signed_text[512];
    int len = snprintf(signed_text, sizeof signed_text, "%lld %s %s", (long long)until_ms, secret, path);
    size_t n = (size_t)len < sizeof signed_text ? (size_t)len : sizeof signed_text - 1;
    server_mac(r->server->key, KEY_FORM_TOKENS, signed_text, n, out, MAC_BYTES);
}

void form_token_add(struct text *out, const struct request *r, const char *secret, const char *path, int64_t until_ms)
{
    unsigned char made[MAC_BYTES];
    mac(r, secret, path, until_ms, made);
    text_addf(out, "%lld.", (long long)until_ms);
    text_add_base64url(out, made, sizeof made);
}

bool origin_is_ours(const char *origin, const char *baseurl, const char *host)
{
    if (origin == NULL)
        return false;
    const char *authority = strstr(origin, "://");
    if (authority == NULL) /* "null" */
        return false;
    if (host != NULL && strcasecmp(authority + 3, host) == 0)
        return true;
    const char *start = baseurl != NULL ? strstr(baseurl, "://") : NULL;
    size_t len = start != NULL ? (size_t)(start - baseurl) + 3 + strcspn(start + 3, "/") : 0;
    return len != 0 && strlen(origin) == len && strncasecmp(origin, baseurl, len) == 0;
}

static bool token_holds(const struct request *r, const char *token)
{
    char secret[COOKIE_BYTES];
    char *end;
    unsigned char shown[MAC_BYTES], made[MAC_BYTES];
    if (!page_cookie(r, r->identity.user != 0 ? COOKIE_SESSION : COOKIE_VISIT, secret) || token[0] < '1' ||
        token[0] > '9')
        return false;
    long long until_ms = strtoll(token, &end, 10);
    if (*end != '.' || base64_decode(end + 1, strlen(end + 1), shown, sizeof shown) != MAC_BYTES)
        return false;
    mac(r, secret, r->path, until_ms, made);
    return bytes_equal(shown, made, sizeof made) && until_ms > clock_wall_ms();
}

bool form_taken(struct request *r)
{
    const char *token = json_string_value(json_object_get(r->body, FORM_TOKEN_FIELD));
    if (!origin_is_ours(r->headers[HEADER_ORIGIN], r->server->config->public_baseurl, r->headers[HEADER_HOST]))
        return page_refuse(r, ERROR_FORBIDDEN, WORD_ERROR_ELSEWHERE);
    bool holds = token != NULL && token_holds(r, token);
    json_object_del(r->body, FORM_TOKEN_FIELD);
    return holds || error_set_field(&r->error, ERROR_FORBIDDEN, NULL, OLD, "old");
}

bool form_is_old(const struct request *r)
{
    return r->error.field == OLD;
}
