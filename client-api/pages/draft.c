#include "client-api/pages/draft.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-api/pages/cookies.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/form_token.h"
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

/* Somebody's may begin with a dash, too. */
static bool is_nobody(const char *from, size_t len)
{
    return len == 0 || (len == 1 && from[0] == '-');
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
    return is_nobody(from, len) || is_me(r, from, len);
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

/* --- One draft --- */

/* A draft as the browser keeps it: {"from", "form", "to", "until", "typed"}. "form" is the token of the form, which no
 * other has, be it the same in another tab. */
struct draft {
    json_t *said;  /* NULL: there is none, or nothing that this server has said */
    size_t sealed; /* characters */
};

static json_t *open_sealed(const struct request *r, const char *cookie)
{
    enum { EXTRA = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES };
    unsigned char sealed[SEALED_MAX], plain[DRAFT_BYTES_MAX], key[SERVER_KEY_BYTES];
    struct error ignored;
    int len = base64_decode(cookie, strlen(cookie), sealed, sizeof sealed);
    if (len <= EXTRA)
        return NULL;
    server_key(r->server->key, KEY_FORM_DRAFTS, key);
    bool ours = crypto_secretbox_open_easy(plain, sealed + crypto_secretbox_NONCEBYTES,
                                           (size_t)len - crypto_secretbox_NONCEBYTES, sealed, key) == 0;
    sodium_memzero(key, sizeof key);
    return ours ? json_parse((const char *)plain, (size_t)len - EXTRA, &ignored) : NULL;
}

/* To the millisecond: drafts of tabs that are sent one behind the other have an order. */
static int64_t until_ms(const struct draft *draft)
{
    return json_integer_value(json_object_get(draft->said, "until"));
}

static bool says(const struct draft *draft, const char *key, const char *value)
{
    const char *said = json_get_string(draft->said, key);
    return said != NULL && strcmp(said, value) == 0;
}

/* --- All of a browser's --- */

struct drafts {
    struct draft at[DRAFTS_MAX];
};

static void open_all(const struct request *r, struct drafts *out)
{
    char cookie[COOKIE_LONG_BYTES];
    for (int i = 0; i < DRAFTS_MAX; ++i) {
        bool there = page_cookie_long(r, (enum page_cookie)(COOKIE_DRAFT + i), cookie);
        out->at[i] = (struct draft){there ? open_sealed(r, cookie) : NULL, there ? strlen(cookie) : 0};
    }
}

static void close_all(struct drafts *drafts)
{
    for (int i = 0; i < DRAFTS_MAX; ++i)
        json_decref(drafts->at[i].said);
}

static void drop(struct request *r, struct drafts *drafts, int i)
{
    json_decref(drafts->at[i].said);
    drafts->at[i] = (struct draft){0};
    page_set_cookie(r, (enum page_cookie)(COOKIE_DRAFT + i), "", -1);
}

static int oldest(const struct drafts *drafts, int but)
{
    int found = -1;
    for (int i = 0; i < DRAFTS_MAX; ++i)
        if (i != but && drafts->at[i].sealed != 0 &&
            (found < 0 || until_ms(&drafts->at[i]) < until_ms(&drafts->at[found])))
            found = i;
    return found;
}

/* Where a draft of that form goes: in place of its own, where there is none, or of the oldest. Two that are sent at
 * once do not know of each other: each begins to look where its token says. */
static int place_for(const struct drafts *drafts, const char *form)
{
    size_t len = strlen(form);
    int first = len != 0 ? (unsigned char)form[len - 1] % DRAFTS_MAX : 0;
    for (int i = 0; i < DRAFTS_MAX; ++i)
        if (says(&drafts->at[i], "form", form))
            return i;
    for (int i = 0; i < DRAFTS_MAX; ++i)
        if (drafts->at[(first + i) % DRAFTS_MAX].sealed == 0)
            return (first + i) % DRAFTS_MAX;
    return oldest(drafts, -1);
}

/* The number of the draft's cookie, from 1 on. */
static int put(struct request *r, const char *form, const struct text *sealed)
{
    struct drafts drafts;
    size_t all = sealed->len;
    open_all(r, &drafts);
    int place = place_for(&drafts, form);
    for (int i = 0; i < DRAFTS_MAX; ++i)
        all += i != place ? drafts.at[i].sealed : 0;
    for (int i; all > DRAFTS_SEALED_MAX && (i = oldest(&drafts, place)) >= 0;) {
        all -= drafts.at[i].sealed;
        drop(r, &drafts, i);
    }
    close_all(&drafts);
    page_set_cookie(r, (enum page_cookie)(COOKIE_DRAFT + place), sealed->data, LIFETIME_S);
    return place + 1;
}

/* 0: it is too much. */
static int keep(struct request *r, const char *from, const char *form, json_t *typed)
{
    int number = 0;
    struct text sealed = TEXT_INIT;
    int64_t end_ms = clock_wall_ms() + LIFETIME_S * INT64_C(1000);
    json_t *draft = json_pack("{s:s, s:s, s:s, s:I, s:o}", "from", from, "form", form, "to", r->path, "until",
                              (json_int_t)end_ms, "typed", typed);
    char *plain = json_dumps(draft, JSON_COMPACT);
    if (plain != NULL && strlen(plain) <= DRAFT_BYTES_MAX) {
        seal(r, plain, strlen(plain), &sealed);
        number = put(r, form, &sealed);
    }
    free(plain);
    json_decref(draft);
    text_finish(&sealed);
    return number;
}

/* Where a page's address names a draft: the digit. NULL: it names none. */
static const char *named_at(const char *page)
{
    for (const char *at = strchr(page, '?'); at != NULL; at = strchr(at, '&'))
        if (strncmp(++at, DRAFT_QUERY "=", sizeof DRAFT_QUERY) == 0)
            return at + sizeof DRAFT_QUERY;
    return NULL;
}

bool draft_keep(struct request *r, const json_t *body, struct text *back)
{
    const char *from = json_get_string(body, FORM_FROM_FIELD), *form = json_get_string(body, FORM_TOKEN_FIELD);
    const char *page = form_from_page(body), *named = named_at(page);
    json_t *typed = from != NULL && !is_nobody(from, strcspn(from, " ")) ? typed_of(body) : NULL;
    int number = typed != NULL ? keep(r, from, form != NULL ? form : "", typed) : 0;
    if (number == 0)
        text_adds(back, page);
    else if (named != NULL)
        text_addf(back, "%.*s%d%s", (int)(named - page), page, number, *named != '\0' ? named + 1 : "");
    else
        text_addf(back, "%s%c" DRAFT_QUERY "=%d", page, strchr(page, '?') != NULL ? '&' : '?', number);
    return number != 0;
}

/* --- Back at the form --- */

static bool is_for(const struct request *r, const struct draft *draft)
{
    const char *from = json_get_string(draft->said, "from"), *page = form_from_page(draft->said);
    size_t path = strcspn(page, "?");
    return from != NULL && is_me(r, from, strcspn(from, " ")) && strlen(r->path) == path &&
           strncmp(r->path, page, path) == 0 && until_ms(draft) > clock_wall_ms();
}

json_t *draft_here(struct request *r)
{
    struct drafts drafts;
    json_t *typed = NULL;
    if (r->method != HTTP_GET || r->identity.user == 0)
        return NULL;
    const char *named = query_get(r, DRAFT_QUERY);
    int place = named != NULL && strlen(named) == 1 ? named[0] - '1' : -1, i;
    open_all(r, &drafts);
    for (int n = 0; n < DRAFTS_MAX && (i = oldest(&drafts, -1)) >= 0; ++n) {
        struct draft *draft = &drafts.at[i];
        draft->sealed = 0; /* looked at */
        if ((place >= 0 && i != place) || !is_for(r, draft))
            continue;
        typed = typed != NULL ? typed : json_object();
        json_object_update(typed, json_object_get(draft->said, "typed"));
    }
    close_all(&drafts);
    return typed;
}

void draft_forget(struct request *r, const json_t *body)
{
    struct drafts drafts;
    const char *page = form_from_page(body), *named = named_at(page);
    size_t path = strcspn(page, "?");
    open_all(r, &drafts);
    for (int i = 0; i < DRAFTS_MAX; ++i) {
        const char *stood = form_from_page(drafts.at[i].said);
        if (says(&drafts.at[i], "to", r->path) && (named == NULL || *named == '1' + i) && strcspn(stood, "?") == path &&
            strncmp(stood, page, path) == 0)
            drop(r, &drafts, i);
    }
    close_all(&drafts);
}
