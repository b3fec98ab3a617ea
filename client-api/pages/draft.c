#include "client-api/pages/draft.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-api/pages/cookies.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/html.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

#define LIFETIME_S (60 * 60)
#define WHOM_BYTES 9
#define WHOM_CHARS 12 /* of base64url */
#define SEALED_MAX (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + DRAFT_BYTES_MAX)

_Static_assert(SERVER_KEY_BYTES == crypto_secretbox_KEYBYTES, "a draft is sealed under a key of the server's");

/* Nobody else can say it of them, and it says nothing. "-" for nobody. */
static void whom(const struct request *r, user_no user, struct text *out)
{
    unsigned char mac[crypto_generichash_BYTES_MIN];
    if (user == 0) {
        text_addc(out, '-');
        return;
    }
    server_mac(r->server->key, KEY_FORM_SUBJECTS, &user, sizeof user, mac, sizeof mac);
    text_add_base64url(out, mac, WHOM_BYTES);
}

void form_from_add(struct text *out, const struct request *r, const char *here)
{
    struct text shown = TEXT_INIT;
    whom(r, r->identity.user, &shown);
    text_addf(out, "<input type=\"hidden\" name=\"" FORM_FROM_FIELD "\" value=\"%s ", shown.data);
    put_text(out, here);
    text_adds(out, "\">");
    text_finish(&shown);
}

const char *form_from_page(const json_t *body)
{
    const char *from = json_get_string(body, FORM_FROM_FIELD), *space = from != NULL ? strchr(from, ' ') : NULL;
    return space != NULL && path_is_local(space + 1) ? space + 1 : "/parta/account";
}

/* Whom the form was shown to is me. */
static bool is_me(const struct request *r, const char *from, size_t len)
{
    struct text me = TEXT_INIT;
    whom(r, r->identity.user, &me);
    bool same = me.len == len && bytes_equal(me.data, from, len);
    text_finish(&me);
    return same;
}

bool form_from_them(const struct request *r, const json_t *body)
{
    const char *from = json_get_string(body, FORM_FROM_FIELD);
    size_t len = from != NULL ? strcspn(from, " ") : 0;
    return len == 0 || from[0] == '-' || is_me(r, from, len);
}

/* The fields that are typed and no secret; NULL: there is none. */
static json_t *typed_of(const json_t *body)
{
    json_t *typed = json_object();
    for (const struct page_field *field = PAGE_FIELDS; field->name != NULL; ++field) {
        const char *value = field->secret ? NULL : json_get_string(body, field->name);
        if (value != NULL && *value != '\0')
            json_object_set_new(typed, field->name, json_string(value));
    }
    if (json_object_size(typed) != 0)
        return typed;
    json_decref(typed);
    return NULL;
}

static void seal(const struct request *r, const char *plain, size_t len, struct text *out)
{
    unsigned char sealed[SEALED_MAX], key[SERVER_KEY_BYTES];
    server_key(r->server->key, KEY_FORM_DRAFTS, key);
    randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, (const unsigned char *)plain, len, sealed, key);
    text_add_base64url(out, sealed, crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + len);
    sodium_memzero(key, sizeof key);
}

bool draft_keep(struct request *r, const json_t *body)
{
    const char *from = json_get_string(body, FORM_FROM_FIELD);
    json_t *typed = from != NULL && from[0] != '-' ? typed_of(body) : NULL;
    if (typed == NULL)
        return false;
    struct text sealed = TEXT_INIT;
    json_t *draft = json_pack("{s:s, s:I, s:o}", "from", from, "until", (json_int_t)clock_wall_ms() / 1000 + LIFETIME_S,
                              "typed", typed);
    char *plain = json_dumps(draft, JSON_COMPACT);
    bool fits = plain != NULL && strlen(plain) <= DRAFT_BYTES_MAX;
    if (fits) {
        seal(r, plain, strlen(plain), &sealed);
        page_set_cookie(r, COOKIE_DRAFT, sealed.data, LIFETIME_S);
    }
    free(plain);
    json_decref(draft);
    text_finish(&sealed);
    return fits;
}

/* What the cookie says. NULL: nothing that this server has said. */
static json_t *opened(const struct request *r)
{
    enum { EXTRA = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES };
    char cookie[COOKIE_LONG_BYTES];
    unsigned char sealed[SEALED_MAX], plain[DRAFT_BYTES_MAX], key[SERVER_KEY_BYTES];
    struct error ignored;
    if (!page_cookie_long(r, COOKIE_DRAFT, cookie))
        return NULL;
    int len = base64_decode(cookie, strlen(cookie), sealed, sizeof sealed);
    if (len <= EXTRA)
        return NULL;
    server_key(r->server->key, KEY_FORM_DRAFTS, key);
    bool ours = crypto_secretbox_open_easy(plain, sealed + crypto_secretbox_NONCEBYTES,
                                           (size_t)len - crypto_secretbox_NONCEBYTES, sealed, key) == 0;
    sodium_memzero(key, sizeof key);
    return ours ? json_parse((const char *)plain, (size_t)len - EXTRA, &ignored) : NULL;
}

json_t *draft_here(const struct request *r)
{
    if (r->method != HTTP_GET || r->identity.user == 0)
        return NULL;
    json_t *draft = opened(r);
    const char *from = json_get_string(draft, "from"), *page = form_from_page(draft);
    size_t path = strcspn(page, "?");
    bool here = from != NULL && is_me(r, from, strcspn(from, " ")) && strlen(r->path) == path &&
                strncmp(r->path, page, path) == 0 &&
                json_integer_value(json_object_get(draft, "until")) > clock_wall_ms() / 1000;
    json_t *typed = here ? json_incref(json_object_get(draft, "typed")) : NULL;
    json_decref(draft);
    return typed;
}

void draft_forget(struct request *r, const json_t *body)
{
    json_t *draft = opened(r);
    if (draft != NULL && strcmp(form_from_page(draft), form_from_page(body)) == 0)
        page_set_cookie(r, COOKIE_DRAFT, "", -1);
    json_decref(draft);
}
