#include "tests/fuzz/whole_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client-api/pages/cookies.h"
#include "client-api/pages/draft.h"
#include "client-api/pages/form_token.h"
#include "client-api/pages/known_browser.h"
#include "client-api/pages/page.h"
#include "homeserver/accounts/contacts.h"
#include "homeserver/accounts/login.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/rendezvous.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/dispatch.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/request_context.h"
#include "homeserver/http/router.h"
#include "homeserver/http/uia.h"
#include "homeserver/mail/post.h"

#define WORDS_MAX 160
#define WORD_CHARS "abcdefghijklmnopqrstuvwxyz_"
#define TOKEN_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

struct world whole_world;
struct server whole_server;
char whole_code[8];

static struct router *router;
static struct request_spares spares;
static struct {
    const char *name;
    char *value;
    void (*make)(struct text *out);
} words[WORDS_MAX];
static size_t n_words;
static struct text last; /* the reply to the last request that was learnt from */
static bool keeping;     /* what is written stays */
static bool showing;     /* every reply: PARTA_FUZZ_SHOW=1 build-asan/tests/fuzz-pages INPUT says why it is refused */
static bool json_only;   /* of no page, only of APIs */
static int written;      /* jobs that the writer has done for this request */
static _Thread_local bool asking; /* this thread is the one that asks */

void must_hold(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

/* --- What stands still, and what is forgotten --- */

int64_t still_wall(void) __asm__("__wrap_clock_wall_ms");
int64_t still_mono(void) __asm__("__wrap_clock_mono_ms");
bool real_writer_run(struct writer *w, writer_job *job, void *arg, struct error *e) __asm__("__real_writer_run");
bool forgetful_writer_run(struct writer *w, writer_job *job, void *arg, struct error *e) __asm__("__wrap_writer_run");

int64_t still_wall(void)
{
    return WHOLE_NOW_MS;
}

int64_t still_mono(void)
{
    return WHOLE_NOW_MS;
}

struct forgotten {
    writer_job *job;
    void *arg;
    bool done;
};

static bool job_forgotten(struct tx *tx, void *arg, struct error *e)
{
    struct forgotten *f = arg;
    f->done = f->job(tx, f->arg, e);
    must(!db_failed(tx->db)); /* no input makes a statement fail */
    return false;
}

bool forgetful_writer_run(struct writer *w, writer_job *job, void *arg, struct error *e)
{
    struct forgotten f = {job, arg, false};
    if (keeping)
        return real_writer_run(w, job, arg, e);
    if (!asking) { /* a service's own thread, which would try again at once for ever: no walk were the same */
        usleep(100000);
        return false;
    }
    real_writer_run(w, job_forgotten, &f, e);
    if (f.done)
        *e = (struct error){0};
    written += f.done;
    return f.done;
}

/* --- The server --- */

static void stop(void)
{
    world_stop(&whole_world);
}

/* All arrive. */
static bool take_letter(void *post, const struct letter *letter, int64_t deadline_ms,
                        void (*done)(void *arg, bool delivered), void *arg)
{
    const char *at = letter->text;
    while (*at != '\0' && strspn(at, "0123456789") != 6)
        ++at;
    snprintf(whole_code, sizeof whole_code, "%.6s", at);
    done(arg, true);
    return true;
}

static void start_services(struct world *w)
{
    static const struct credential_kind *const CREDENTIALS[] = {&PAGE_CREDENTIAL, &SESSION_CREDENTIAL, NULL};
    w->contacts = contacts_create(&(struct contacts_settings){.config = w->config,
                                                              .writer = w->f.writer,
                                                              .offers = {[POST_MAIL] = true, [POST_SMS] = true},
                                                              .send = take_letter});
    w->accounts->key = &w->f.key;
    w->accounts->hooks.self = w->f.rooms;
    whole_server = (struct server){.credentials = CREDENTIALS,
                                   .config = w->config,
                                   .writer = w->f.writer,
                                   .names = w->f.names,
                                   .key = &w->f.key,
                                   .rooms = w->f.rooms,
                                   .accounts = w->accounts,
                                   .contacts = w->contacts,
                                   .sessions = sessions_create("school.example", 1000),
                                   .uia = uia_create(100),
                                   .pages = &PAGE_HOOKS};
}

void whole_start(const char *settings, const struct whole_tables *lists, size_t n)
{
    static const struct routes *all[256];
    size_t n_all = 0;
    keeping = true;
    world_start(&whole_world);
    atexit(stop);
    world_accounts(&whole_world, settings);
    start_services(&whole_world);
    for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < lists[i].n; ++k) {
            must(n_all < sizeof all / sizeof *all);
            all[n_all++] = lists[i].tables[k];
        }
    must((router = router_create(all, n_all)) != NULL);
    log_set_level(LOG_ERROR);
    showing = getenv("PARTA_FUZZ_SHOW") != NULL;
}

void whole_json_only(void)
{
    json_only = true;
}

/* --- Words --- */

void whole_word(const char *word, const char *value)
{
    must(n_words < WORDS_MAX && strspn(word, WORD_CHARS) == strlen(word));
    words[n_words].name = word;
    words[n_words++].value = xstrdup(value);
}

void whole_word_made(const char *word, void (*make)(struct text *out))
{
    whole_word(word, "");
    words[n_words - 1].make = make;
}

static bool add_word(struct text *out, const char *name, size_t len)
{
    for (size_t i = 0; i < n_words; ++i)
        if (strlen(words[i].name) == len && memcmp(words[i].name, name, len) == 0) {
            if (words[i].make != NULL)
                words[i].make(out);
            else
                text_adds(out, words[i].value);
            return true;
        }
    return false;
}

static size_t word_length(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && *at != '\0' && strchr(WORD_CHARS, *at) != NULL)
        ++at;
    return (size_t)(at - start);
}

/* form: what $form is; NULL: it stays. */
static void add_filled(struct text *out, const char *bytes, size_t len, const char *form)
{
    for (const char *at = bytes, *end = bytes + len, *sign; at < end; at = sign) {
        sign = memchr(at, '$', (size_t)(end - at));
        text_add(out, at, (size_t)((sign != NULL ? sign : end) - at));
        if (sign == NULL)
            return;
        size_t n = word_length(++sign, end);
        bool is_form = form != NULL && n == strlen("form") && memcmp(sign, "form", n) == 0;
        if (is_form)
            text_adds(out, form);
        if (is_form || add_word(out, sign, n))
            sign += n;
        else
            text_addc(out, '$');
    }
}

/* --- A request --- */

static void take_header(struct request_head *head, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL)
        return;
    size_t name = (size_t)(colon - line), skip = name + 1;
    while (skip < len && line[skip] == ' ')
        ++skip;
    const struct head_value value = {line + skip, len - skip};
    if (name == 13 && strncasecmp(line, "authorization", name) == 0)
        head->authorization = value;
    for (int i = 0; i < REQUEST_HEADER__COUNT; ++i)
        if (strlen(REQUEST_HEADER_NAMES[i]) == name && strncasecmp(line, REQUEST_HEADER_NAMES[i], name) == 0)
            head->headers[i] = value;
}

/* Borrows from bytes. false: it is no request. */
static bool take_head(const char *bytes, size_t len, struct request_head *head)
{
    const char *all = bytes + len, *end = memchr(bytes, '\n', len), *at;
    const char *space = end != NULL ? memchr(bytes, ' ', (size_t)(end - bytes)) : NULL;
    if (space == NULL || !method_from(bytes, (size_t)(space - bytes), &head->method) || space[1] != '/')
        return false;
    head->path = space + 1;
    head->path_len = strcspn(head->path, " \n");
    for (at = end + 1; at < all && *at != '\n'; at = end + 1) {
        end = memchr(at, '\n', (size_t)(all - at));
        if (end == NULL)
            end = all;
        take_header(head, at, (size_t)(end - at));
        if (end == all)
            return true;
    }
    if (at < all) {
        head->body = at + 1;
        head->body_len = (size_t)(all - at - 1);
    }
    return true;
}

/* As the page has it that the form stands on. */
static void add_form_token(struct text *out, const struct request_head *head)
{
    struct request r = {.server = &whole_server};
    char secret[COOKIE_BYTES] = "", *cookies = NULL, *host = NULL;
    const struct head_value *cookie = &head->headers[HEADER_COOKIE], *at = &head->headers[HEADER_HOST];
    char *path = xstrndup(head->path, strcspn(head->path, "? \n"));
    if (cookie->base != NULL)
        r.headers[HEADER_COOKIE] = cookies = xstrndup(cookie->base, cookie->len);
    if (at->base != NULL)
        r.headers[HEADER_HOST] = host = xstrndup(at->base, at->len);
    if (!page_cookie(&r, COOKIE_SESSION, secret))
        page_cookie(&r, COOKIE_VISIT, secret);
    form_token_add(out, &r, secret, path, WHOLE_NOW_MS + 60000);
    free(cookies);
    free(host);
    free(path);
}

static void serve(struct request_context *context)
{
    static const struct dispatch_limits LIMITS = {1 << 20};
    struct db *db = whole_world.f.db;
    enum dispatch next = dispatch_begin(context, &LIMITS);
    if (next == DISPATCH_IDENTIFY) {
        dispatch_identify(context, db);
        next = dispatch_identified(context);
    }
    struct request *r = &context->r;
    if (next == DISPATCH_WRITE || (next == DISPATCH_WORK && !dispatch_work(context, db)))
        dispatch_written(context, writer_run(whole_server.writer, r->written.kind->job, r->written.state, &r->error));
    if (next == DISPATCH_PARK || r->poll.again) /* nobody waits here: its time is up */
        dispatch_expire(context);
}

/* NULL: it is no request. *bytes: what the context borrows from. */
static struct request_context *ask(const char *input, size_t len, struct text *bytes)
{
    struct request_head head = {0};
    struct text filled = TEXT_INIT, form = TEXT_INIT;
    struct request_context *context = NULL;
    add_filled(&filled, input, len, NULL);
    if (filled.data != NULL && take_head(filled.data, filled.len, &head)) {
        add_form_token(&form, &head);
        add_filled(bytes, filled.data, filled.len, form.data);
        head = (struct request_head){0};
        must(bytes->data != NULL && take_head(bytes->data, bytes->len, &head));
        context = request_context_create(&spares, &whole_server, router, &head);
        strcpy(context->r.ip, "192.0.2.7");
        serve(context);
    }
    text_finish(&filled);
    text_finish(&form);
    return context;
}

/* --- What holds for every reply --- */

/* Behind "<": a tag as templates write them, whose values are quoted. */
static void check_tag(const char *at)
{
    static const char NAME[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:";
    must(strncasecmp(at, "script", 6) != 0 || strncmp(at, "script src=\"/parta/assets/", 26) == 0);
    at += *at == '/' || *at == '!';
    size_t n = strspn(at, NAME);
    must(n != 0);
    for (at += n; *at == ' ' || *at == '\n'; at += n) {
        at += strspn(at, " \n");
        n = strspn(at, NAME);
        must(n < 2 || strncasecmp(at, "on", 2) != 0);
        if (at[n] == '=') {
            size_t value = at[n + 1] == '"' ? strcspn(at + n + 2, "\"<>") : 0;
            must(at[n + 1] == '"' && at[n + 2 + value] == '"');
            n += value + 3;
        }
    }
    must(*at == '>' || (at[0] == '/' && at[1] == '>'));
}

static void check_html(const struct request *r)
{
    bool policy = false;
    for (size_t i = 0; i < r->reply.n_headers; ++i)
        policy = policy || strcmp(r->reply.headers[i].name, "content-security-policy") == 0;
    must(policy && (r->reply.body.len == 0 || strlen(r->reply.body.data) == r->reply.body.len));
    for (const char *at = r->reply.body.data; at != NULL && (at = strchr(at, '<')) != NULL; ++at)
        check_tag(at + 1);
}

static void check_header(const struct request *r, const char *name, const char *value)
{
    must(value[strcspn(value, "\r\n")] == '\0');
    if (strcmp(name, "set-cookie") == 0)
        must(strstr(value, "; HttpOnly; SameSite=Lax") != NULL && strlen(value) <= 4096);
    if (strcmp(name, "location") == 0)
        must(strncasecmp(value, "javascript:", 11) != 0 && strncasecmp(value, "data:", 5) != 0 &&
             strncmp(value, "//", 2) != 0 && *value != '\\');
}

/* By the plainest reading of RFC 6454: the address that is configured, or the one that was asked. */
static bool is_ours(const char *origin, const char *host)
{
    const char *authority = origin != NULL ? strstr(origin, "://") : NULL;
    return authority != NULL && (strcasecmp(origin, whole_server.config->public_baseurl) == 0 ||
                                 (host != NULL && strcasecmp(authority + 3, host) == 0));
}

/* What a browser sends on its own, and what another site has it send, does nothing. */
static void check_written(const struct request *r, bool gets_write)
{
    bool reads = r->method == HTTP_GET || r->method == HTTP_HEAD;
    must(written == 0 || !reads || gets_write);
    must(written == 0 || reads || (r->route->flags & ROUTE_HTML) == 0 ||
         is_ours(r->headers[HEADER_ORIGIN], r->headers[HEADER_HOST]));
}

/* Whether what ends at `end` names a field of a password. */
static bool is_secret_field(const char *asked, const char *end)
{
    static const char FIELD[] = "password=";
    const char *at = end - strlen(FIELD);
    if (at <= asked || memcmp(at, FIELD, strlen(FIELD)) != 0)
        return false;
    while (at > asked && strchr(WORD_CHARS, *at) != NULL)
        --at;
    return *at == '&' || *at == '\n';
}

/* What was typed as a password, and nowhere else, is not shown. */
static void check_secret(const char *asked, size_t len, const struct reply *reply)
{
    for (const char *at = asked, *end = asked + len; (at = memmem(at, (size_t)(end - at), "horse", 5)) != NULL; ++at)
        if (at - asked < 32 || !is_secret_field(asked, at - strlen("correct+")))
            return;
    must(reply->body.data == NULL || strstr(reply->body.data, WHOLE_PASSWORD) == NULL);
}

/* Client-Server API, "Standard error response"; no API of ours answers with anything but an object. */
static void check_json(const struct reply *reply)
{
    json_t *said = json_loadb(reply->body.data, reply->body.len, JSON_REJECT_DUPLICATES, NULL);
    must(json_is_object(said) || json_is_array(said));
    must(reply->status < 400 || reply->status == 401 || json_is_string(json_object_get(said, "errcode")) ||
         json_is_string(json_object_get(said, "error")));
    json_decref(said);
}

static void check(const struct request *r, bool gets_write)
{
    const struct reply *reply = &r->reply;
    must(reply->status == 0 || (reply->status >= 200 && reply->status < 600 && reply->status != 500)); /* 0: 200 */
    for (size_t i = 0; i < reply->n_headers; ++i)
        check_header(r, reply->headers[i].name, reply->headers[i].value);
    if (reply->type != NULL && strncmp(reply->type, "text/html", 9) == 0)
        check_html(r);
    if (json_only && reply->body.len != 0)
        check_json(reply);
    check_written(r, gets_write);
}

/* What is bounded for all would be full soon. */
static void forget_meetings(struct rendezvous **meetings)
{
    rendezvous_destroy(*meetings);
    *meetings = rendezvous_create();
}

void whole_ask(const uint8_t *input, size_t len, bool gets_write)
{
    struct text bytes = TEXT_INIT;
    keeping = false;
    asking = true;
    written = 0;
    struct request_context *context = ask((const char *)input, len, &bytes);
    if (context != NULL) {
        if (showing)
            fprintf(stderr, "%d %s\n", context->r.reply.status, context->r.reply.body.data);
        check(&context->r, gets_write);
        if (!json_only) /* there it is the input's, or a service's own words, however they are escaped */
            check_secret(bytes.data, bytes.len, &context->r.reply);
        request_context_destroy(context);
        forget_meetings(&whole_server.accounts->rendezvous);
        forget_meetings(&whole_server.accounts->rendezvous_bytes);
    }
    text_finish(&bytes);
}

/* --- What is there --- */

void whole_learn(const char *request, const char *mark, const char *word)
{
    struct text bytes = TEXT_INIT;
    if (request != NULL) {
        struct request_context *context = ask(request, strlen(request), &bytes);
        must(context != NULL);
        text_clear(&last);
        for (size_t i = 0; i < context->r.reply.n_headers; ++i)
            text_addf(&last, "%s: %s\n", context->r.reply.headers[i].name, context->r.reply.headers[i].value);
        text_add(&last, context->r.reply.body.data, context->r.reply.body.len);
        request_context_destroy(context);
        text_finish(&bytes);
    }
    if (word == NULL)
        return;
    const char *at = last.data != NULL ? strstr(last.data, mark) : NULL;
    if (at == NULL) {
        fprintf(stderr, "no %s in the reply:\n%s\n", mark, last.data);
        abort();
    }
    char *value = xstrndup(at + strlen(mark), strspn(at + strlen(mark), TOKEN_LETTERS));
    whole_word(word, value);
    free(value);
}

void whole_reply_has(const char *request, const char *mark, struct text *out)
{
    struct text bytes = TEXT_INIT;
    struct request_context *context = ask(request, strlen(request), &bytes);
    must(context != NULL && context->r.reply.body.data != NULL);
    const char *at = strstr(context->r.reply.body.data, mark);
    must(at != NULL);
    text_add(out, at + strlen(mark), strspn(at + strlen(mark), TOKEN_LETTERS));
    request_context_destroy(context);
    text_finish(&bytes);
}

struct page_person {
    user_no user;
    struct sign_in in, app;
    char *hash;
};

static bool act_sign_in(struct changing_records *c, void *arg)
{
    const struct page_person *p = arg;
    fixture_acts(c->tx);
    return users_set_password(c->tx, p->user, p->hash) && sign_in_write(c->tx, p->user, &p->in, c->e) &&
           sign_in_write(c->tx, p->user, &p->app, c->e);
}

/* word with an ending; it stays. */
static const char *ending(const char *word, const char *end)
{
    struct text out = TEXT_INIT;
    text_addf(&out, "%s_%s", word, end);
    return text_take(&out);
}

static void learn_browser(const char *word, user_no user)
{
    struct request r = {.server = &whole_server, .db = whole_world.f.db, .identity.user = user};
    struct text from = TEXT_INIT;
    form_from_add(&from, &r, "");
    const char *shown = strstr(from.data, "value=\"") + 7;
    char *whom = xstrndup(shown, strcspn(shown, " "));
    whole_word(ending(word, "from"), whom);
    free(whom);
    known_browser_remember(&r, user);
    const char *cookie = strstr(r.reply.headers[0].value, "parta-known=") + 12;
    char *known = xstrndup(cookie, strspn(cookie, TOKEN_LETTERS));
    whole_word(ending(word, "known"), known);
    free(known);
    text_finish(&from);
    reply_reset(&r.reply);
}

const char *whole_person(const char *word, user_no user)
{
    struct world *w = &whole_world;
    struct page_person p = {.user = user, .hash = password_hash(w->config, WHOLE_PASSWORD)};
    const struct device_wish page = {.page = true}, app = {.device_id = "DEVICE", .display_name = "<fuzz>"};
    sign_in_prepare(w->accounts, &page, &p.in);
    sign_in_prepare(w->accounts, &app, &p.app);
    must(world_run(w, 0, act_sign_in, &p, NULL));
    free(p.hash);
    whole_word(ending(word, "app"), p.app.access_token);
    whole_word(word, p.in.access_token);
    const char *session = words[n_words - 1].value;
    whole_word(ending(word, "id"), user_names_get(w->f.names, w->f.db, user));
    learn_browser(word, user);
    return session;
}

static bool act_bind(struct changing_records *c, void *arg)
{
    const user_no *user = arg;
    struct contact_address address;
    fixture_acts(c->tx);
    return contact_email("guardian@example.com", &address, c->e) &&
           contacts_bind(c->tx, *user, &address, 0, c->tx->now_ms, c->e);
}

void whole_guardian(void)
{
    struct world *w = &whole_world;
    user_no guardian =
        world_person(w, (struct world_person){"Galya", "Guardian", NULL, w->school, 0, 0, ROLE_GUARDIAN, 0});
    world_guardian(w, w->small, guardian);
    must(world_run(w, 0, act_bind, &guardian, NULL));
    whole_person("guardian", guardian);
}

const char *whole_next_answer(const char *at, const char *end, const char *letters)
{
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL)
        if (end - ++at >= 2 && at[0] == '%' && memchr(letters, at[1], strlen(letters)) != NULL)
            return at;
    return NULL;
}
