#include "client-api/pages/page.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "client-api/pages/draft.h"
#include "client-api/pages/form_token.h"
#include "client-api/pages/language.h"
#include "client-api/pages/page_private.h"
#include "homeserver/accounts/login.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/form.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/policies.h"

#define FORM_LIFETIME_MS (2 * HOUR_MS)
#define POLICY                                                                                                         \
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; "                 \
    "frame-ancestors 'none'; form-action 'self'"

char *page_who(const struct request *r)
{
    struct text who = TEXT_INIT;
    char *name = r->identity.user != 0 ? profiles_get_string(r->db, r->identity.user, "displayname") : NULL;
    if (name != NULL && *name != '\0')
        text_addf(&who, "%s (%s)", name, r->identity.user_id);
    else if (r->identity.user_id != NULL)
        text_adds(&who, r->identity.user_id);
    free(name);
    return text_take(&who);
}

size_t page_body_max(const struct server *server)
{
    return PAGE_BODY_MAX;
}

/* --- Dates --- */

static void put_date(struct page *page, int year, int month, int day)
{
    const char *name = word_in((enum word)(WORD_MONTH_01 + month - 1), page->language);
    text_addf(&page->out, "%d %s %d", day, name, year);
}

void put_day(struct page *page, school_day day)
{
    if (day == DAY_EVER || day == DAY_NEVER)
        text_adds(&page->out, "—");
    else
        put_date(page, day / 10000, day / 100 % 100, day % 100);
}

/* Of somebody of several schools, the first's; of nobody, what a school has that has said nothing. */
static int zone_of(struct page *page)
{
    struct request *r = page->r;
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    school_no school = 0;
    int n = 0;
    if (page->zone_minutes != ZONE_UNKNOWN)
        return page->zone_minutes;
    if (r->db != NULL && r->identity.user != 0)
        school_schools_of(r->db, r->identity.user, &school, 1, &n);
    if (n > 0)
        policies_in_force(r->db, school, &policy);
    return page->zone_minutes = policy.quiet.utc_offset_minutes;
}

void put_time(struct page *page, int64_t ms)
{
    struct tm at;
    int zone = ms == 0 ? 0 : zone_of(page), minutes = abs(zone);
    time_t seconds = (time_t)(ms / 1000 + (int64_t)zone * 60);
    if (ms == 0 || gmtime_r(&seconds, &at) == NULL) {
        text_adds(&page->out, "—");
        return;
    }
    text_addf(&page->out, "<time datetime=\"%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d\">", at.tm_year + 1900,
              at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec, zone < 0 ? '-' : '+', minutes / 60,
              minutes % 60);
    put_date(page, at.tm_year + 1900, at.tm_mon + 1, at.tm_mday);
    text_addf(&page->out, ", %02d:%02d</time>", at.tm_hour, at.tm_min);
}

/* --- Forms --- */

/* What forms are bound to: the session, or the visit, which begins with the first form that is shown. */
void put_form_token(struct page *page, const char *path)
{
    struct request *r = page->r;
    if (page->secret[0] == '\0' &&
        !page_cookie(r, r->identity.user != 0 ? COOKIE_SESSION : COOKIE_VISIT, page->secret)) {
        random_name(page->secret, TOKEN_CHARS);
        page_set_cookie(r, COOKIE_VISIT, page->secret, 0);
    }
    text_adds(&page->out, "<input type=\"hidden\" name=\"" FORM_TOKEN_FIELD "\" value=\"");
    form_token_add(&page->out, r, page->secret, path, clock_wall_ms() + FORM_LIFETIME_MS);
    text_adds(&page->out, "\">");
    form_from_add(&page->out, r, page->here);
}

void put_typed(struct page *page, const char *field, const char *otherwise)
{
    const char *typed = json_get_string(page->typed, field);
    put_text(&page->out, typed != NULL ? typed : otherwise);
}

void put_ticked(struct page *page, const char *field, const char *value)
{
    const char *typed = json_get_string(page->typed, field);
    text_adds(&page->out, typed != NULL && strcmp(typed, value) == 0 ? " checked" : "");
}

/* --- Answers --- */

static void add_headers(struct request *r)
{
    static const struct {
        const char *name, *value;
    } HEADERS[] = {{"content-security-policy", POLICY},
                   {"x-content-type-options", "nosniff"},
                   {"x-frame-options", "DENY"},
                   {"referrer-policy", "same-origin"}, /* with "no-referrer" browsers name no Origin for forms */
                   {"cross-origin-opener-policy", "same-origin"},
                   {"cross-origin-resource-policy", "same-origin"},
                   {"cache-control", "no-store"},
                   {"vary", "Cookie, Accept-Language"}};
    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; ++i)
        reply_header(r, HEADERS[i].name, HEADERS[i].value);
    if (r->server->config->tls.port != 0)
        reply_header(r, "strict-transport-security", "max-age=31536000");
}

/* What was done, as the address says after a form was taken: "?done=password". */
static enum word notice(struct request *r)
{
    char key[64];
    const char *done = r->method == HTTP_GET ? query_get(r, "done") : NULL;
    if (done == NULL || strlen(done) > 32)
        return WORD_NONE;
    snprintf(key, sizeof key, "done.%s", done);
    return word_named(key);
}

/* The address that was asked for, to come back to it; of what answers a form, where that form stood. */
static void put_here(struct text *out, const struct request *r)
{
    bool asked = r->method == HTTP_GET || r->method == HTTP_HEAD;
    char sign = '?';
    text_adds(out, asked ? r->path : form_from_page(r->body));
    for (int i = 0; asked && i < r->n_query; ++i) {
        if (strcmp(r->query[i].name, "done") == 0) /* it is said once */
            continue;
        text_add_pair(out, sign, r->query[i].name, r->query[i].value);
        sign = '&';
    }
}

bool page_reply(struct request *r, enum word title, page_writer *write, const void *view)
{
    struct text here = TEXT_INIT;
    put_here(&here, r);
    json_t *draft = draft_here(r);
    struct page page = {
        .r = r, .language = page_language(r), .here = here.data, .zone_minutes = ZONE_UNKNOWN, .typed = draft};
    if (draft == NULL)
        page.typed = r->body;
    write(&page, view);
    struct text content = page.out;
    page.out = TEXT_INIT;
    const char *done = word_in(notice(r), page.language);
    html_layout(&page, &(struct layout_view){.title = title,
                                             .content = &content,
                                             .error = page_error_in(&r->error, page.language),
                                             .done = done,
                                             .signed_in = r->identity.user != 0,
                                             .here = here.data});
    text_finish(&content);
    text_finish(&here);
    json_decref(draft);
    if (r->error.code != ERROR_NONE)
        reply_status(r, error_status(&r->error));
    r->error = (struct error){0}; /* it is said */
    r->reply.type = "text/html; charset=utf-8";
    add_headers(r);
    return reply_text(r, &page.out);
}

bool page_go(struct request *r, const char *path)
{
    struct text nothing = TEXT_INIT;
    text_adds(&nothing, "");
    reply_header(r, "location", path_is_local(path) ? path : "/parta/account");
    add_headers(r);
    r->reply.type = "text/html; charset=utf-8";
    reply_status(r, 303);
    return reply_text(r, &nothing);
}

const char *form_text(const struct request *r, const char *field)
{
    const char *value = json_get_string(r->body, field);
    return value != NULL ? value : "";
}

/* Scheme and authority of a web address, the scheme alone of another. */
void page_may_lead_to(struct request *r, const char *address)
{
    struct text policy = TEXT_INIT;
    const char *colon = strchr(address, ':');
    bool web = strncasecmp(address, "https://", 8) == 0 || strncasecmp(address, "http://", 7) == 0;
    size_t len = colon == NULL ? 0
                 : web         ? (size_t)(colon - address) + 3 + strcspn(colon + 3, "/?#")
                               : (size_t)(colon - address) + 1;
    bool plain = len != 0;
    for (size_t i = 0; i < len; ++i)
        plain = plain && (isalnum((unsigned char)address[i]) || strchr("+-.:/[]", address[i]) != NULL);
    text_adds(&policy, POLICY " ");
    text_add(&policy, address, plain ? len : 0);
    reply_header(r, "content-security-policy", policy.data);
    text_finish(&policy);
}

/* --- What is refused --- */

/* What a form brings that was sent when its session was over. NULL: it is none, or another site's. */
static json_t *form_sent(const struct request *r)
{
    struct error ignored;
    bool posted = r->method == HTTP_POST && r->raw_body != NULL &&
                  origin_is_ours(r->headers[HEADER_ORIGIN], r->server->config->public_baseurl, r->headers[HEADER_HOST]);
    return posted ? form_parse(r->headers[HEADER_CONTENT_TYPE], r->raw_body, r->raw_body_len, &ignored) : NULL;
}

/* Back to where it stood, by way of signing in, with what was typed. */
static void go_to_sign_in(struct request *r)
{
    struct text to = TEXT_INIT, here = TEXT_INIT;
    const char *prompt = query_get(r, "prompt");
    bool create = prompt != NULL && strcmp(prompt, "create") == 0; /* OAuth: they have no account yet */
    const char *said = query_get(r, "done");                       /* of what ended one's own session, too */
    json_t *body = form_sent(r);
    if (body != NULL)
        said = draft_keep(r, body, &here) ? "kept" : "over";
    else
        put_here(&here, r);
    text_adds(&to, create ? "/parta/sign-up?next=" : "/parta/sign-in?next=");
    put_url_piece(&to, here.data);
    if (said != NULL) {
        text_adds(&to, "&done=");
        put_url_piece(&to, said);
    }
    page_go(r, to.data);
    json_decref(body);
    text_finish(&here);
    text_finish(&to);
}

static bool is_secret(const char *name)
{
    for (const struct page_field *field = PAGE_FIELDS; field->name != NULL; ++field)
        if (field->secret && strcmp(field->name, name) == 0)
            return true;
    return strstr(name, "password") != NULL;
}

/* Nothing that was typed is lost, but for secrets, which are asked for once more. */
static void show_again(struct request *r)
{
    struct again_fields fields[FORM_FIELDS_MAX];
    size_t n = 0;
    const char *name;
    json_t *value;
    json_object_foreach(r->body, name, value) {
        bool secret = is_secret(name), password = strstr(name, "password") != NULL;
        if (n < FORM_FIELDS_MAX && strcmp(name, FORM_FROM_FIELD) != 0)
            fields[n++] = (struct again_fields){.name = name,
                                                .value = secret ? "" : json_string_value(value),
                                                .password = password,
                                                .code = secret && !password};
    }
    html_again(r, &(struct again_view){.address = r->path, .fields = fields, .fields_n = n});
}

static void say_refused(struct request *r)
{
    char seconds[24];
    if (r->error.retry_after_ms > 0) {
        snprintf(seconds, sizeof seconds, "%lld", (long long)(r->error.retry_after_ms + 999) / 1000);
        reply_header(r, "retry-after", seconds);
    }
    html_refused(r, &(struct refused_view){0});
}

static void refused(struct request *r)
{
    enum error_code code = r->error.code;
    if (code == ERROR_MISSING_TOKEN || code == ERROR_UNKNOWN_TOKEN) {
        go_to_sign_in(r);
    } else if (form_is_old(r) && !form_from_them(r, r->body)) { /* C5: it would be done in another's name */
        page_refuse(r, ERROR_FORBIDDEN, WORD_ERROR_OTHER_PERSON);
        say_refused(r);
    } else if (form_is_old(r)) {
        page_refuse(r, ERROR_FORBIDDEN, WORD_ERROR_OLD_FORM);
        show_again(r);
    } else {
        say_refused(r);
    }
}

/* A form that is taken has brought along what was kept of it. */
static bool form_is_taken(struct request *r)
{
    if (!form_taken(r))
        return false;
    draft_forget(r, r->body);
    return true;
}

const struct page_hooks PAGE_HOOKS = {.form_taken = form_is_taken, .refused = refused};
