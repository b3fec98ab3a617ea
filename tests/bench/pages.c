#include "tests/bench/pages.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/percent.h"
#include "homeserver/base/text.h"
#include "tests/bench/report.h"
#include "tests/bench/school.h"

#define ORIGIN "https://bench.example"

enum { PUPILS = 30, WARM = 50, TIMES = 500, AT_ONCE = 16, SIGN_INS = 400, EVERY_US = 20000 };

struct desk {
    struct school *s;
    char user[128], password[64], link[64]; /* of the class's administrator; the token of a link into the class */
    char *cookies;                          /* heap: "name=value; name=value" of who is signed in */
    struct changelog *l;
};

static double ms(int64_t us)
{
    return (double)us / 1000;
}

/* --- A school, by the command line, while the server does not run --- */

static void configure(const struct subject *subject)
{
    FILE *f = fopen(subject->config, "w");
    fprintf(f,
            "server_name: bench.example\npublic_baseurl: " ORIGIN "\ndata_dir: %s/data\nlisten:\n"
            "  address: 127.0.0.1\n  port: %d\nlog:\n  level: warn\nregistration:\n  mode: token\n"
            "oauth:\n  enabled: true\nhttp:\n  trusted_proxies: [127.0.0.1]\nrate_limits:\n  read: off\n  write: off\n"
            "  login: off\n  account: off\n  registration: off\n",
            subject->dir, subject->port);
    fclose(f);
}

/* What parta prints first, up to a tab or the line's end. Exits on failure. */
static void parta(const struct subject *subject, char *out, size_t size, const char *words)
{
    char command[1024], line[1024] = "";
    snprintf(command, sizeof command, "'%.*s' --config '%s' %s", (int)strlen(subject->partad) - 1, subject->partad,
             subject->config, words);
    FILE *f = popen(command, "r"); /* NOLINT(cert-env33-c): the words are this file's own */
    if (f == NULL || fgets(line, sizeof line, f) == NULL)
        line[0] = '\0';
    if (f == NULL || pclose(f) != 0) {
        fprintf(stderr, "bench: %s failed\n", command);
        exit(1);
    }
    snprintf(out, size, "%.*s", (int)strcspn(line, "\t\n"), line);
}

/* A class of 30, its administrator, a link into it. */
static void make_class(struct desk *desk)
{
    const struct subject *subject = desk->s->subject;
    char nobody[256], words[256];
    parta(subject, nobody, sizeof nobody, "school create --id s1 'School'");
    parta(subject, nobody, sizeof nobody, "class create --id c1 s1 5A");
    for (int i = 0; i < PUPILS; ++i) {
        snprintf(words, sizeof words, "person create s1 pupil --class c1 --given Maria --family Pupil%d", i);
        parta(subject, nobody, sizeof nobody, words);
    }
    parta(subject, desk->user, sizeof desk->user, "person create s1 administrator --given Anna --family Orlova");
    snprintf(words, sizeof words, "user password '%s'", desk->user);
    parta(subject, desk->password, sizeof desk->password, words);
    parta(subject, desk->link, sizeof desk->link, "link create class --class c1 --role pupil --uses 30 | cut -f 2");
}

/* --- A browser --- */

struct page {
    int status;
    bool done;
    char *body;          /* heap */
    struct text cookies; /* of its own and those that were set before */
};

/* "set-cookie: name=value; …", of each. */
static void take_cookies(struct text *out, const char *head)
{
    for (const char *at = strstr(head, "set-cookie: "); at != NULL; at = strstr(at, "set-cookie: ")) {
        at += strlen("set-cookie: ");
        text_adds(out, out->len != 0 ? "; " : "");
        text_add(out, at, strcspn(at, ";\r"));
    }
}

static void on_page(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct page *page = arg;
    page->status = status;
    page->done = true;
    free(page->body);
    page->body = xstrndup(body, len);
    if (status != 0)
        take_cookies(&page->cookies, conn_head(conn));
}

static void add_headers(struct text *out, const char *cookies, bool form)
{
    text_adds(out, "accept-language: ru\r\n");
    if (cookies != NULL)
        text_addf(out, "cookie: %s\r\n", cookies);
    if (form)
        text_adds(out, "origin: " ORIGIN "\r\ncontent-type: application/x-www-form-urlencoded\r\n");
}

/* form: NULL: GET. */
static void send_page(struct conn *conn, const char *path, const char *cookies, const char *form, conn_done *done,
                      void *arg)
{
    struct text headers = TEXT_INIT;
    add_headers(&headers, cookies, form != NULL);
    conn_send_as(conn, form != NULL ? "POST" : "GET", path, headers.data, form, done, arg);
    text_finish(&headers);
}

/* The token of the page's form of that action. */
static void form_token(const char *html, const char *action, char *out, size_t size)
{
    char mark[128];
    snprintf(mark, sizeof mark, "action=\"%s\"", action);
    const char *at = strstr(html, mark);
    at = at != NULL ? strstr(at, "name=\"form\" value=\"") : NULL;
    if (at == NULL) {
        fprintf(stderr, "bench: no form for %s in:\n%s\n", action, html);
        exit(1);
    }
    at += strlen("name=\"form\" value=\"");
    snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
}

/* The form of the page, filled in. */
static void sign_in_form(const struct desk *desk, const char *html, struct text *out)
{
    char token[128];
    form_token(html, "/parta/sign-in", token, sizeof token);
    text_addf(out, "form=%s&next=%%2Fparta%%2Faccount&user=", token);
    text_add_percent(out, desk->user);
    text_adds(out, "&password=");
    text_add_percent(out, desk->password);
}

/* The cookies of somebody who has signed in. */
static void sign_in(struct desk *desk)
{
    struct school *s = desk->s;
    struct page page = {0};
    struct text form = TEXT_INIT;
    send_page(s->desk, "/parta/sign-in", NULL, NULL, on_page, &page);
    while (!page.done)
        client_run(s->client, 100000);
    sign_in_form(desk, page.body, &form);
    page.done = false;
    send_page(s->desk, "/parta/sign-in", page.cookies.data, form.data, on_page, &page);
    while (!page.done)
        client_run(s->client, 100000);
    if (page.status != 303) {
        fprintf(stderr, "bench: signing in: %d %s\n", page.status, page.body);
        exit(1);
    }
    text_finish(&form);
    free(page.body);
    desk->cookies = text_take(&page.cookies);
}

/* --- Pages, warm --- */

static void measure(struct desk *desk, const char *name, const char *path, bool signed_in, const char *has)
{
    struct page page = {0};
    int64_t cpu = 0;
    ledger_begin(desk->l);
    for (int i = 0; i < WARM + TIMES; ++i) {
        if (i == WARM)
            cpu = subject_cpu_us(desk->s->subject);
        page.done = false;
        int64_t start = now_us();
        send_page(desk->s->desk, path, signed_in ? desk->cookies : NULL, NULL, on_page, &page);
        while (!page.done)
            client_run(desk->s->client, 100000);
        if (i >= WARM)
            ledger_book(desk->l, now_us() - start);
        if (page.status != 200 || strstr(page.body, has) == NULL) {
            fprintf(stderr, "bench: %s: %d %s\n", path, page.status, page.body);
            exit(1);
        }
    }
    cpu = subject_cpu_us(desk->s->subject) - cpu;
    report("page", "p50 <= 2 ms",
           json_pack("{s:s, s:f, s:f, s:f, s:i}", "page", name, "p50_ms", ms(ledger_percentile(desk->l, 0.5)), "p99_ms",
                     ms(ledger_percentile(desk->l, 0.99)), "cpu_us", (double)cpu / TIMES, "bytes",
                     (int)strlen(page.body)));
    free(page.body);
    text_finish(&page.cookies);
}

/* The path of the page that asks whether a program may sign in. */
static void register_program(struct school *s, char *path, size_t size)
{
    static const char PROGRAM[] =
        "{\"client_name\":\"Bench\",\"client_uri\":\"https://app.example\",\"redirect_uris\":[\"https://app.example/"
        "\"],"
        "\"grant_types\":[\"authorization_code\",\"refresh_token\"],\"response_types\":[\"code\"],"
        "\"token_endpoint_auth_method\":\"none\",\"application_type\":\"web\"}";
    int status;
    char *answer = client_ask(s->desk, "POST", "/parta/oauth2/register", NULL, PROGRAM, &status);
    const char *id = strstr(answer, "\"client_id\":\"");
    if (id == NULL) {
        fprintf(stderr, "bench: a program: %d %s\n", status, answer);
        exit(1);
    }
    id += strlen("\"client_id\":\"");
    snprintf(path, size,
             "/parta/oauth2/authorize?client_id=%.*s&redirect_uri=https%%3A%%2F%%2Fapp.example%%2F&response_type=code"
             "&scope=urn%%3Amatrix%%3Aclient%%3Aapi%%3A%%2A%%20urn%%3Amatrix%%3Aclient%%3Adevice%%3ABENCHBENCH"
             "&state=bench&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
             (int)strcspn(id, "\""), id);
    free(answer);
}

/* --- The storm --- */

/* Somebody who opens the page, types, and does so again. */
struct visitor {
    const struct desk *desk;
    struct conn *conn;
    struct page page;
    bool typed;
    int64_t started;
    int *left, *done;
    struct changelog *l;
};

static void visit(struct visitor *v);

static void on_visit(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct visitor *v = arg;
    struct text form = TEXT_INIT;
    if (v->typed) {
        ledger_book(v->l, now_us() - v->started);
        *v->done += status == 303;
        visit(v);
        return;
    }
    on_page(conn, status, body, len, &v->page);
    sign_in_form(v->desk, v->page.body, &form);
    v->typed = true;
    v->started = now_us();
    send_page(conn, "/parta/sign-in", v->page.cookies.data, form.data, on_visit, v);
    text_finish(&form);
}

static void visit(struct visitor *v)
{
    if (*v->left == 0)
        return;
    *v->left -= 1;
    v->typed = false;
    text_clear(&v->page.cookies);
    send_page(v->conn, "/parta/sign-in", NULL, NULL, on_visit, v);
}

struct opening {
    struct changelog *l;
    int64_t due;
    int failed;
};

static void on_open(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct opening *o = arg;
    o->failed += status != 200;
    ledger_book(o->l, now_us() - o->due);
}

/* Opens the page on a schedule, whether or not the server keeps up with it, until that many have signed in. */
static void open_meanwhile(struct school *s, const struct changelog *sign_ins, int upto, struct opening *o)
{
    struct conn *conn = conn_open(s->client);
    int64_t start = now_us();
    o->due = start;
    while (sign_ins->n_latencies < upto && now_us() < start + 120000000) {
        int64_t now = now_us();
        if (!conn_busy(conn) && now >= o->due + EVERY_US) {
            o->due += EVERY_US;
            send_page(conn, "/parta/sign-in", NULL, NULL, on_open, o);
        }
        client_run(s->client, 500);
    }
    while (conn_busy(conn))
        client_run(s->client, 1000);
    conn_close(conn);
}

static void storm(const struct desk *desk)
{
    struct school *s = desk->s;
    struct visitor visitors[AT_ONCE];
    struct changelog *sign_ins = xcalloc(1, sizeof *sign_ins), *l = xcalloc(1, sizeof *l);
    struct opening o = {.l = l};
    int left = SIGN_INS, done = 0;
    int64_t start = now_us();
    for (int i = 0; i < AT_ONCE; ++i) {
        visitors[i] = (struct visitor){desk, .conn = conn_open(s->client), .left = &left, .done = &done, .l = sign_ins};
        visit(&visitors[i]);
    }
    open_meanwhile(s, sign_ins, SIGN_INS, &o);
    report("page_storm", "slows signing in, not the page",
           json_pack("{s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:i, s:i}", "at_once", AT_ONCE, "sign_ins",
                     (int)sign_ins->n_latencies, "signed_in", done, "per_second",
                     (double)done * 1000000 / (double)(now_us() - start), "sign_in_p50_ms",
                     ms(ledger_percentile(sign_ins, 0.5)), "sign_in_p99_ms", ms(ledger_percentile(sign_ins, 0.99)),
                     "page_p50_ms", ms(ledger_percentile(l, 0.5)), "page_p99_ms", ms(ledger_percentile(l, 0.99)),
                     "pages", (int)l->n_latencies, "pages_failed", o.failed));
    for (int i = 0; i < AT_ONCE; ++i) {
        conn_close(visitors[i].conn);
        free(visitors[i].page.body);
        text_finish(&visitors[i].page.cookies);
    }
    ledger_end(sign_ins);
    ledger_end(l);
}

void pages_warm(struct school *s)
{
    char path[1024];
    struct desk desk = {.s = s, .l = xcalloc(1, sizeof *desk.l)};
    conn_close(s->desk);
    subject_stop(s->subject, SIGTERM);
    configure(s->subject);
    make_class(&desk);
    subject_start(s->subject);
    s->desk = conn_open(s->client);
    sign_in(&desk);
    measure(&desk, "first", "/", false, "<main");
    measure(&desk, "sign_in", "/parta/sign-in", false, "name=\"password\"");
    snprintf(path, sizeof path, "/parta/join/%s", desk.link);
    measure(&desk, "join", path, false, "action=\"/parta/join\"");
    measure(&desk, "account", "/parta/account", true, desk.user);
    measure(&desk, "class", "/parta/class/c1", true, "Pupil29");
    register_program(s, path, sizeof path);
    measure(&desk, "consent", path, true, "name=\"decision\"");
    storm(&desk);
    ledger_end(desk.l);
    free(desk.cookies);
}
