#include "client-api/pages/cookies.h"

#include <string.h>
#include <strings.h>

#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

#define SECURE_PREFIX "__Host-"
#define WORD_CHARS "-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char *const NAMES[] = {
    [COOKIE_SESSION] = SECURE_PREFIX "parta-session",   [COOKIE_VISIT] = SECURE_PREFIX "parta-visit",
    [COOKIE_LANGUAGE] = SECURE_PREFIX "parta-language", [COOKIE_KNOWN] = SECURE_PREFIX "parta-known",
    [COOKIE_DRAFT] = SECURE_PREFIX "parta-draft",       [COOKIE_DRAFT_2] = SECURE_PREFIX "parta-draft-2",
    [COOKIE_DRAFT_3] = SECURE_PREFIX "parta-draft-3",   [COOKIE_DRAFT_4] = SECURE_PREFIX "parta-draft-4"};
_Static_assert(COOKIE_DRAFT_4 - COOKIE_DRAFT + 1 == DRAFTS_MAX, "one cookie for each draft");

bool cookie_find(const char *header, const char *name, char *out, size_t out_bytes)
{
    size_t name_len = strlen(name);
    while (header != NULL && *header != '\0') {
        header += strspn(header, "; \t");
        size_t len = strcspn(header, ";");
        if (len > name_len && strncmp(header, name, name_len) == 0 && header[name_len] == '=') {
            const char *value = header + name_len + 1;
            size_t n = strspn(value, WORD_CHARS);
            if (n == 0 || n >= out_bytes || (value[n] != ';' && value[n] != '\0'))
                return false;
            memcpy(out, value, n);
            out[n] = '\0';
            return true;
        }
        header += len;
    }
    return false;
}

bool page_is_loopback(const struct request *r)
{
    return r->headers[HEADER_HOST] != NULL && host_is_loopback(r->headers[HEADER_HOST]);
}

/* Where nothing is said of the address, TLS is taken for granted, but not on the machine itself. */
bool page_is_secure(const struct request *r)
{
    const struct config *config = r->server->config;
    const char *url = config->public_baseurl;
    return config->tls.port != 0 || (url != NULL ? strncasecmp(url, "https://", 8) == 0 : !page_is_loopback(r));
}

static const char *name_of(const struct request *r, enum page_cookie which)
{
    return NAMES[which] + (page_is_secure(r) ? 0 : sizeof SECURE_PREFIX - 1);
}

bool page_cookie(const struct request *r, enum page_cookie which, char out[COOKIE_BYTES])
{
    return cookie_find(r->headers[HEADER_COOKIE], name_of(r, which), out, COOKIE_BYTES);
}

bool page_cookie_long(const struct request *r, enum page_cookie which, char out[COOKIE_LONG_BYTES])
{
    return cookie_find(r->headers[HEADER_COOKIE], name_of(r, which), out, COOKIE_LONG_BYTES);
}

void page_set_cookie(struct request *r, enum page_cookie which, const char *value, int64_t lifetime_s)
{
    struct text cookie = TEXT_INIT;
    text_addf(&cookie, "%s=%s; Path=/; HttpOnly; SameSite=Lax%s", name_of(r, which), value,
              page_is_secure(r) ? "; Secure" : "");
    if (lifetime_s != 0)
        text_addf(&cookie, "; Max-Age=%lld", lifetime_s > 0 ? (long long)lifetime_s : 0LL);
    reply_header(r, "set-cookie", cookie.data);
    text_finish(&cookie);
}
