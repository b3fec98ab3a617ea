/* The HTTP layer as a whole: a real server on the loopback, a small route table, raw sockets as clients. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/accounts/sessions.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/http.h"
#include "homeserver/http/server.h"
#include "homeserver/http/uia.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/tokens.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/sync/hub.h"
#include "tests/unit/fixture.h"

#define HEADER_MS 700
#define IDLE_MS 2500
#define BODY_MAX 4096
#define RAW_MAX 300000
#define FILE_BYTES 300000

/* The server under test. One for most tests; some start another. */
struct world {
    struct fixture f;
    struct server server;
    struct http *http;
    char cert[128], key[128];
    user_no users[4];
    stream_pos pos; /* of the last change told to the hub */
};

static struct world *W;
static _Atomic int slow_running, slow_done, released;

enum { ACTIVE, ADMIN, LOCKED, PENDING };
static const char *const NAMES[] = {"active", "admin", "locked", "pending"};
static const enum account_state STATES[] = {ACCOUNT_ACTIVE, ACCOUNT_ACTIVE, ACCOUNT_LOCKED, ACCOUNT_PENDING};

/* ---- routes */

static bool get_echo(struct request *r)
{
    json_t *query = json_object();
    for (int i = 0; i < r->n_query; ++i)
        json_object_set_new(query, r->query[i].name, json_string(r->query[i].value));
    return reply_json(
        r, json_pack("{s:s, s:s, s:o, s:s}", "a", r->params[0], "b", r->params[1], "query", query, "ip", r->ip));
}

static bool post_body(struct request *r)
{
    return reply_json(r, json_incref(r->body));
}

static bool put_raw(struct request *r)
{
    int64_t sum = 0;
    for (size_t i = 0; i < r->raw_body_len; ++i)
        sum += (unsigned char)r->raw_body[i];
    return reply_json(r,
                      json_pack("{s:I, s:I, s:s}", "len", (json_int_t)r->raw_body_len, "sum", (json_int_t)sum, "type",
                                r->headers[HEADER_CONTENT_TYPE] != NULL ? r->headers[HEADER_CONTENT_TYPE] : ""));
}

static size_t raw_max(const struct server *server)
{
    return RAW_MAX;
}

/* Its bytes count upwards, so that each place has its own. */
static bool get_file(struct request *r)
{
    char path[160];
    int64_t size, said;
    if (!query_int(r, "size", FILE_BYTES, 0, INT64_MAX, &size) || !query_int(r, "said", size, 0, INT64_MAX, &said))
        return false;
    snprintf(path, sizeof path, "%s/file.XXXXXX", W->f.dir);
    int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(path);
    for (int64_t at = 0; at < size;) {
        char bytes[10000];
        size_t n = 0;
        for (; n < sizeof bytes && at < size; ++n, ++at)
            bytes[n] = (char)(at / 1000 + at);
        assert_int_equal(write(fd, bytes, n), n);
    }
    if (query_get(r, "cold") != NULL) { /* so that it has to be read from the disk */
        fsync(fd);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    }
    reply_header(r, "etag", "\"one\"");
    reply_header(r, "x-1", "1");
    reply_header(r, "x-2", "2");
    reply_header(r, "x-3", "3");
    reply_header(r, "x-4", "4");
    if (query_get(r, "refuse") != NULL) {
        reply_file(r, fd, said, "image/png");
        return refuse(r, ERROR_FORBIDDEN, NULL);
    }
    return reply_file(r, fd, said, "image/png");
}

static bool get_slow(struct request *r)
{
    ++slow_running;
    usleep(300000);
    ++slow_done;
    return reply_empty(r);
}

static _Atomic int written;

static bool write_job(struct tx *tx, void *state, struct error *e)
{
    ++written;
    return true;
}

static bool post_written(struct request *r)
{
    return reply_when_written(r, write_job, NULL, reply_empty);
}

/* Waits until the test lets it go. */
static _Atomic int held, let_go;

static bool get_held(struct request *r)
{
    ++held;
    for (int i = 0; !let_go && i < 8000; ++i)
        usleep(1000);
    --held;
    return reply_json(r, json_pack("{s:s}", "user", r->identity.user_id != NULL ? r->identity.user_id : ""));
}

static bool get_who(struct request *r)
{
    return reply_json(r, json_pack("{s:s, s:s}", "user", r->identity.user_id, "device", r->identity.device_id));
}

static bool get_maybe(struct request *r)
{
    return reply_json(r, json_pack("{s:b}", "signed_in", r->identity.user != 0));
}

static bool get_silent_failure(struct request *r)
{
    return false;
}

static bool get_broken_database(struct request *r)
{
    db_fail_after(r->db, 1);
    users_count(r->db);
    return reply_empty(r);
}

static bool get_big(struct request *r)
{
    struct text body = TEXT_INIT;
    text_addc(&body, '"');
    text_reserve(&body, 3000000);
    for (int i = 0; i < (query_get(r, "more") != NULL ? 2000000 : 300000); ++i)
        text_add(&body, "0123456789", 10);
    text_addc(&body, '"');
    reply_header(r, "x-more", "one\r\ntwo: three");
    return reply_text(r, &body);
}

static bool post_uia(struct request *r)
{
    static const struct uia_stage *const STAGES[] = {&UIA_DUMMY};
    static const struct uia_flow FLOWS[] = {{STAGES, 1}};
    struct uia_result result;
    if (!uia_pass(r, FLOWS, 1, NULL, &result))
        return false;
    return reply_json(r, json_incref(r->body));
}

static void release_state(void *state)
{
    ++released;
    free(state);
}

static void fill_park(struct request *r)
{
    int64_t since = 0, timeout = 30000;
    query_int(r, "since", 0, 0, INT64_MAX, &since);
    query_int(r, "timeout", 30000, 0, INT64_MAX, &timeout);
    r->poll.user = r->identity.user;
    r->poll.since = since;
    r->poll.deadline_ms = clock_mono_ms() + timeout;
    if (r->poll.state == NULL) {
        r->poll.state = xstrdup("state");
        r->poll.release = release_state;
    }
}

static bool wait_for_news(struct request *r)
{
    fill_park(r);
    return hub_last_change(r->server->hub, r->poll.user) <= r->poll.since;
}

static bool answer_news(struct request *r, const struct wake *wake)
{
    if (query_get(r, "worker") != NULL)
        return false;
    return reply_json(r, json_pack("{s:I, s:s}", "pos", (json_int_t)wake->pos, "by", "loop"));
}

static void expire_news(struct request *r)
{
    reply_json(r, json_pack("{s:b}", "expired", true));
}

static bool get_news(struct request *r)
{
    stream_pos pos = hub_last_change(r->server->hub, r->identity.user);
    fill_park(r);
    if (pos <= r->poll.since) {
        r->poll.again = true;
        return true;
    }
    return reply_json(r, json_pack("{s:I, s:s}", "pos", (json_int_t)pos, "by", "worker"));
}

static stream_pos change(int who);

/* Something changes after the handler has looked and before the loop has parked the request. */
static bool get_late_news(struct request *r)
{
    stream_pos pos = hub_last_change(r->server->hub, r->identity.user);
    fill_park(r);
    if (pos > r->poll.since)
        return reply_json(r, json_pack("{s:I}", "pos", (json_int_t)pos));
    change(ACTIVE);
    return r->poll.again = true;
}

static bool never_wait(struct request *r)
{
    return false;
}

/* A kind of credentials that only this test has: all that it takes is this struct and its row in the list. */
static bool shows_badge(const struct request *r)
{
    return r->token != NULL && strncmp(r->token, "badge:", 6) == 0;
}

static bool load_badge(struct request *r, struct db *db, struct error *e)
{
    for (int i = 0; i < 4; ++i)
        if (strcmp(r->token + 6, NAMES[i]) == 0) {
            r->identity.user = W->users[i];
            r->identity.name = r->identity.kept = xstrdup(r->token);
            r->identity.state = STATES[i];
            return true;
        }
    return error_set(e, ERROR_UNKNOWN_TOKEN, "This badge is nobody's.");
}

static const struct credential_kind BADGE_CREDENTIAL = {
    .name = "badge", .accepted = ROUTE_UNUSED, .shows = shows_badge, .load = load_badge};

static bool get_badge(struct request *r)
{
    return reply_json(r, json_pack("{s:s, s:s, s:b}", "kind", r->identity.kind->name, "name", r->identity.name,
                                   "has_device", r->identity.device != 0));
}

static const struct long_poll_hooks NEWS = {wait_for_news, answer_news, expire_news};
static bool always(struct request *r)
{
    return true;
}

static const struct long_poll_hooks COSTS = {never_wait, answer_news, expire_news, always};
static const struct long_poll_hooks NEWS_FROM_WORKER = {never_wait, answer_news, expire_news};

static const struct route TABLE[] = {
    {HTTP_GET, "/echo/{a}/{b}", get_echo, 0, RATE_NONE},
    {HTTP_GET, "/echo/{a}/", get_maybe, ROUTE_AUTH_OPTIONAL, RATE_NONE},
    {HTTP_POST, "/body", post_body, ROUTE_BODY, RATE_NONE},
    {HTTP_PUT, "/any", post_body, ROUTE_BODY | ROUTE_BODY_ANY, RATE_NONE},
    {HTTP_PUT, "/raw", put_raw, 0, RATE_NONE, .body_max = raw_max},
    {HTTP_PUT, "/raw/who", put_raw, ROUTE_AUTH | ROUTE_UNUSED, RATE_NONE, .body_max = raw_max},
    {HTTP_GET, "/file", get_file, 0, RATE_NONE},
    {HTTP_PUT, "/raw/file", get_file, 0, RATE_NONE, .body_max = raw_max},
    {HTTP_GET, "/slow", get_slow, 0, RATE_NONE},
    {HTTP_POST, "/hash", get_slow, ROUTE_HASH, RATE_NONE},
    {HTTP_POST, "/written", post_written, ROUTE_AUTH | ROUTE_BODY | ROUTE_PREPARES, RATE_NONE},
    {HTTP_GET, "/held", get_held, ROUTE_AUTH, RATE_NONE},
    {HTTP_GET, "/held/nobody", get_held, 0, RATE_NONE},
    {HTTP_GET, "/held/costs", get_held, ROUTE_AUTH, RATE_ROOM, .poll = &COSTS},
    {HTTP_GET, "/who", get_who, ROUTE_AUTH, RATE_NONE},
    {HTTP_GET, "/badge", get_badge, ROUTE_UNUSED, RATE_NONE},
    {HTTP_GET, "/badge/maybe", get_maybe, ROUTE_UNUSED | ROUTE_AUTH_OPTIONAL, RATE_NONE},
    {HTTP_GET, "/badge/news", get_news, ROUTE_UNUSED, RATE_NONE, NULL, &NEWS},
    {HTTP_GET, "/maybe", get_maybe, ROUTE_AUTH_OPTIONAL, RATE_NONE},
    {HTTP_POST, "/logout", get_who, ROUTE_AUTH | ROUTE_LOCKED_TOO, RATE_NONE},
    {HTTP_GET, "/limited", get_maybe, ROUTE_AUTH_OPTIONAL, RATE_READ},
    {HTTP_GET, "/silent", get_silent_failure, 0, RATE_NONE},
    {HTTP_GET, "/broken", get_broken_database, 0, RATE_NONE},
    {HTTP_GET, "/big", get_big, 0, RATE_NONE},
    {HTTP_GET, "/big/who", get_big, ROUTE_AUTH, RATE_NONE},
    {HTTP_POST, "/uia", post_uia, ROUTE_BODY, RATE_NONE},
    {HTTP_GET, "/news", get_news, ROUTE_AUTH, RATE_NONE, NULL, &NEWS},
    {HTTP_GET, "/late", get_late_news, ROUTE_AUTH, RATE_NONE, NULL, &NEWS_FROM_WORKER},
    {HTTP_GET, "/news2", get_news, ROUTE_AUTH, RATE_NONE, NULL, &NEWS_FROM_WORKER},
};
static const struct routes TABLE_ROUTES = ROUTES(TABLE);

/* ---- the world */

static bool people_job(struct tx *tx, void *arg, struct error *e)
{
    struct world *w = arg;
    fixture_acts(tx);
    for (int i = 0; i < 4; ++i) {
        unsigned char hash[TOKEN_HASH_BYTES];
        char token[32];
        snprintf(token, sizeof token, "token-%s", NAMES[i]);
        token_hash(token, hash);
        w->users[i] = users_insert(tx, NAMES[i], NULL, STATES[i], i == ADMIN);
        device_no device = devices_insert(tx, w->users[i], "DEVICE", NULL, NULL);
        if (device == 0 || !tokens_insert(tx, TOKEN_ACCESS, device, hash, NULL, 0))
            return false;
    }
    return true;
}

static void write_certificate(struct world *w, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, subject);
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    FILE *file = fopen(w->cert, "w");
    assert_non_null(file);
    PEM_write_X509(file, cert);
    fclose(file);
    file = fopen(w->key, "w");
    assert_non_null(file);
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static const struct routes *const TABLES[] = {&TABLE_ROUTES};

static struct http_settings settings_of(const struct world *w)
{
    static const struct http_listen LISTEN[] = {{"127.0.0.1", 0, false}, {"127.0.0.1", 0, true}};
    static const struct http_listen METRICS = {"127.0.0.1", 0, false};
    static const char *const PROXIES[] = {"127.0.0.0/8"};
    return (struct http_settings){.listen = LISTEN,
                                  .n_listen = 2,
                                  .tls_cert = w->cert,
                                  .tls_key = w->key,
                                  .loops = 2,
                                  .workers = 4,
                                  .hashers = 1,
                                  .hash_queue = 1,
                                  .body_max = BODY_MAX,
                                  .header_ms = HEADER_MS,
                                  .idle_ms = IDLE_MS,
                                  .body_ms = 1500,
                                  .stop_ms = 3000,
                                  .trusted_proxies = PROXIES,
                                  .n_trusted_proxies = 1,
                                  .db_path = w->f.path,
                                  .metrics = &METRICS};
}

static int set_up(void **state)
{
    static const struct credential_kind *const CREDENTIALS[] = {&BADGE_CREDENTIAL, &SESSION_CREDENTIAL, NULL};
    static const struct limit LIMITS[RATE__COUNT] = {[RATE_READ] = {.per_second = 0.5, .burst = 2}};
    struct world *w = xcalloc(1, sizeof *w);
    signal(SIGPIPE, SIG_IGN);
    fixture_start(&w->f);
    if (getenv("PARTA_TEST_VERBOSE") != NULL)
        log_set_level(LOG_INFO);
    snprintf(w->cert, sizeof w->cert, "%s/cert.pem", w->f.dir);
    snprintf(w->key, sizeof w->key, "%s/key.pem", w->f.dir);
    write_certificate(w, "first");
    struct error e = {0};
    assert_true(writer_run(w->f.writer, people_job, w, &e));
    w->pos = 1000;
    w->server.writer = w->f.writer;
    w->server.credentials = CREDENTIALS;
    w->server.sessions = sessions_create("school.example", 100);
    w->server.hub = hub_create(w->pos);
    hub_concern(w->server.hub, CHANGE_ACCOUNT_DATA, HUB_USER);
    w->server.limits = limits_create(LIMITS, 1000);
    w->server.uia = uia_create(100);
    w->server.metrics = metrics_create();
    writer_metrics(w->f.writer, w->server.metrics);
    struct http_settings settings = settings_of(w);
    w->http = http_start(&settings, &w->server, TABLES, 1);
    assert_non_null(w->http);
    *state = W = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    http_stop(w->http);
    http_destroy(w->http);
    hub_destroy(w->server.hub); /* after the loops that it knows */
    sessions_destroy(w->server.sessions);
    limits_destroy(w->server.limits);
    uia_destroy(w->server.uia);
    metrics_destroy(w->server.metrics);
    unlink(w->cert);
    unlink(w->key);
    fixture_stop(&w->f);
    free(w);
    return 0;
}

/* Tells the hub that something of the user's changed, as the writer would. */
static stream_pos change(int who)
{
    struct change c = {.kind = CHANGE_ACCOUNT_DATA, .pos = ++W->pos, .user = W->users[who]};
    hub_observe(W->server.hub, &c, 1);
    return c.pos;
}

/* ---- a client */

static int dial(int port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 8};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int dial_plain(void)
{
    return dial(http_port(W->http, 0));
}

static void say(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(int fd, const char *fmt, ...)
{
    char bytes[8192];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(bytes, sizeof bytes, fmt, ap);
    va_end(ap);
    assert_true(n < (int)sizeof bytes);
    assert_int_equal(send(fd, bytes, (size_t)n, 0), n);
}

struct answer {
    int status; /* 0: the server closed without an answer */
    char head[4096];
    char *body;
    size_t len;
    json_t *json; /* NULL: the body is none */
};

static void forget(struct answer *a)
{
    json_decref(a->json);
    free(a->body);
    memset(a, 0, sizeof *a);
}

static const char *answer_header(const struct answer *a, const char *name, char *out, size_t cap)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\r\n%s:", name);
    const char *at = strcasestr(a->head, wanted);
    if (at == NULL)
        return NULL;
    at += strlen(wanted);
    at += strspn(at, " ");
    snprintf(out, cap, "%.*s", (int)strcspn(at, "\r"), at);
    return out;
}

/* One answer off the wire, byte by byte so that what is pipelined behind it stays there. */
static bool hear_head(int fd, struct answer *a)
{
    size_t n = 0;
    memset(a, 0, sizeof *a);
    while (n < 4 || memcmp(a->head + n - 4, "\r\n\r\n", 4) != 0) {
        assert_true(n < sizeof a->head - 1);
        ssize_t got = recv(fd, a->head + n, 1, 0);
        if (got < 0)
            assert_true(errno == ECONNRESET); /* and not EAGAIN: the server keeps us waiting */
        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    a->status = atoi(a->head + strlen("HTTP/1.1 "));
    return true;
}

static void hear(int fd, struct answer *a, bool head_only)
{
    char text[32];
    if (!hear_head(fd, a) || head_only)
        return;
    const char *len = answer_header(a, "content-length", text, sizeof text);
    assert_non_null(len);
    a->len = strtoul(len, NULL, 10);
    a->body = xcalloc(1, a->len + 1);
    for (size_t n = 0; n < a->len;) {
        ssize_t got = recv(fd, a->body + n, a->len - n, 0);
        assert_true(got > 0);
        n += (size_t)got;
    }
    a->json = json_loadb(a->body, a->len, JSON_DECODE_ANY, NULL);
}

static void assert_answer(const struct answer *a, int status, const char *errcode)
{
    char later[24];
    const char *got = json_string_value(json_object_get(a->json, "errcode"));
    assert_int_equal(a->status, status);
    if (status == 429 || status == 503)
        assert_non_null(answer_header(a, "retry-after", later, sizeof later));
    if (errcode == NULL)
        assert_null(got);
    else
        assert_string_equal(got != NULL ? got : "(none)", errcode);
}

/* One request on a connection of its own. token may be NULL. */
static struct answer ask_on(int port, const char *method, const char *path, const char *token, const char *body)
{
    struct answer a;
    char auth[128] = "";
    int fd = dial(port);
    if (token != NULL)
        snprintf(auth, sizeof auth, "Authorization: Bearer %s\r\n", token);
    say(fd, "%s %s HTTP/1.1\r\nHost: x\r\n%s", method, path, auth);
    if (body != NULL)
        say(fd, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    else
        say(fd, "\r\n");
    hear(fd, &a, strcmp(method, "HEAD") == 0);
    close(fd);
    return a;
}

static struct answer ask(const char *method, const char *path, const char *token, const char *body)
{
    return ask_on(http_port(W->http, 0), method, path, token, body);
}

static const char *member(const struct answer *a, const char *key)
{
    const char *s = json_string_value(json_object_get(a->json, key));
    return s != NULL ? s : "(none)";
}

static int64_t number(const struct answer *a, const char *key)
{
    return json_integer_value(json_object_get(a->json, key));
}

/* Waits until the server closes; how long it took. */
static int64_t wait_for_close(int fd)
{
    char bytes[4096];
    int64_t begun_ms = clock_mono_ms();
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        ;
    if (got < 0)
        assert_true(errno == ECONNRESET);
    return clock_mono_ms() - begun_ms;
}

static size_t gauge_of(const char *name)
{
    struct answer a = ask_on(http_metrics_port(W->http), "GET", "/metrics", NULL, NULL);
    char line[128];
    assert_int_equal(a.status, 200);
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(a.body, line);
    assert_non_null(at);
    size_t n = strtoul(at + strlen(line), NULL, 10);
    forget(&a);
    return n;
}

static void wait_for_gauge(const char *name, size_t wanted)
{
    size_t got;
    for (int i = 0; (got = gauge_of(name)) != wanted && i < 3000; ++i)
        usleep(10000); /* also until the last asker's own connection is closed */
    assert_int_equal(got, wanted);
}

/* ---- tests */

/* Method, path, token, body → status, errcode. */
static void requests_are_answered(void **state)
{
    static const struct {
        const char *method, *path, *token, *body;
        int status;
        const char *errcode;
    } CASES[] = {
        {"GET", "/health", NULL, NULL, 200, NULL},
        {"GET", "/echo/1/2", NULL, NULL, 200, NULL},
        {"GET", "/echo/1/", NULL, NULL, 200, NULL},
        {"GET", "/echo/1", NULL, NULL, 404, "M_UNRECOGNIZED"},
        {"GET", "/echo//2", NULL, NULL, 404, "M_UNRECOGNIZED"},
        {"GET", "/nothing", NULL, NULL, 404, "M_UNRECOGNIZED"},
        {"GET", "/", NULL, NULL, 404, "M_UNRECOGNIZED"},
        {"GET", "http://x/health", NULL, NULL, 200, NULL},
        {"DELETE", "/echo/1/2", NULL, NULL, 405, "M_UNRECOGNIZED"},
        {"PATCH", "/echo/1/2", NULL, NULL, 405, "M_UNRECOGNIZED"},
        {"PATCH", "/nothing", NULL, NULL, 404, "M_UNRECOGNIZED"},
        {"GET", "/echo/%ff/2", NULL, NULL, 400, "M_INVALID_PARAM"},
        {"GET", "/echo/%00/2", NULL, NULL, 400, "M_INVALID_PARAM"},
        {"GET", "/echo/1/2?a=%ff", NULL, NULL, 400, "M_INVALID_PARAM"},
        {"POST", "/body", NULL, "{\"a\":1}", 200, NULL},
        {"POST", "/body", NULL, "", 200, NULL},
        {"POST", "/body", NULL, NULL, 200, NULL},
        {"POST", "/body", NULL, "[]", 400, "M_BAD_JSON"},
        {"PUT", "/any", NULL, "[]", 200, NULL},
        {"POST", "/body", NULL, "{", 400, "M_NOT_JSON"},
        {"GET", "/who", NULL, NULL, 401, "M_MISSING_TOKEN"},
        {"GET", "/who", "wrong", NULL, 401, "M_UNKNOWN_TOKEN"},
        {"GET", "/who", "token-active", NULL, 200, NULL},
        {"GET", "/who?access_token=token-active", NULL, NULL, 200, NULL},
        {"GET", "/who?access_token=wrong", NULL, NULL, 401, "M_UNKNOWN_TOKEN"},
        {"GET", "/who", "token-locked", NULL, 401, "M_USER_LOCKED"},
        {"GET", "/who", "token-locked", NULL, 401, "M_USER_LOCKED"}, /* from memory now */
        {"POST", "/logout", "token-locked", NULL, 200, NULL},
        {"GET", "/who", "token-pending", NULL, 403, "M_FORBIDDEN"},
        {"POST", "/logout", "token-pending", NULL, 200, NULL},
        {"GET", "/maybe", NULL, NULL, 200, NULL},
        {"GET", "/maybe", "wrong", NULL, 401, "M_UNKNOWN_TOKEN"},
        {"GET", "/badge", NULL, NULL, 401, "M_MISSING_TOKEN"},
        {"GET", "/badge", "badge:active", NULL, 200, NULL},
        {"GET", "/badge", "badge:nobody", NULL, 401, "M_UNKNOWN_TOKEN"},
        {"GET", "/badge", "badge:locked", NULL, 401, "M_USER_LOCKED"},
        {"GET", "/badge", "token-active", NULL, 401, "M_MISSING_TOKEN"}, /* this route knows no sessions */
        {"GET", "/who", "badge:active", NULL, 401, "M_UNKNOWN_TOKEN"},   /* and that one no badges */
        {"GET", "/badge/maybe", "badge:active", NULL, 200, NULL},
        {"GET", "/badge/maybe", "token-active", NULL, 200, NULL},
        {"GET", "/badge/maybe", NULL, NULL, 200, NULL},
        {"GET", "/badge/maybe", "badge:nobody", NULL, 401, "M_UNKNOWN_TOKEN"},
        {"GET", "/silent", NULL, NULL, 500, "M_UNKNOWN"},
        {"GET", "/broken", NULL, NULL, 500, "M_UNKNOWN"},
    };
    log_set_level(LOG_ERROR - 1); /* /silent and /broken are logged, as they should be */
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct answer a = ask(CASES[i].method, CASES[i].path, CASES[i].token, CASES[i].body);
        if (a.status != CASES[i].status)
            print_error("%s %s\n", CASES[i].method, CASES[i].path);
        assert_answer(&a, CASES[i].status, CASES[i].errcode);
        forget(&a);
    }
    log_set_level(LOG_ERROR);
}

static void handlers_see_what_was_sent(void **state)
{
    struct answer a = ask("GET", "/echo/a%2Fb/!x:%D1%8F?q=1+2&q=3&empty=&flag&%D1%8F=%26", NULL, NULL);
    json_t *query = json_object_get(a.json, "query");
    assert_answer(&a, 200, NULL);
    assert_string_equal(member(&a, "a"), "a/b");
    assert_string_equal(member(&a, "b"), "!x:\xd1\x8f");
    assert_string_equal(json_string_value(json_object_get(query, "empty")), "");
    assert_string_equal(json_string_value(json_object_get(query, "flag")), "");
    assert_string_equal(json_string_value(json_object_get(query, "\xd1\x8f")), "&");
    assert_string_equal(member(&a, "ip"), "127.0.0.1");
    forget(&a);
    a = ask("GET", "/who", "token-active", NULL);
    assert_string_equal(member(&a, "user"), "@active:school.example");
    assert_string_equal(member(&a, "device"), "DEVICE");
    forget(&a);
}

static void a_kind_of_credentials_is_one_row(void **state)
{
    struct answer a = ask("GET", "/badge", "badge:active", NULL);
    assert_answer(&a, 200, NULL);
    assert_string_equal(member(&a, "kind"), "badge");
    assert_string_equal(member(&a, "name"), "badge:active");
    assert_false(json_is_true(json_object_get(a.json, "has_device")));
    forget(&a);
    /* a poll like any other: what it waits for is the user's */
    int fd = dial_plain();
    stream_pos pos = W->pos;
    say(fd, "GET /badge/news?since=%lld HTTP/1.1\r\nAuthorization: Bearer badge:active\r\n\r\n", (long long)pos);
    wait_for_gauge("parta_http_parked", 1);
    change(ACTIVE);
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "pos"), pos + 1);
    forget(&a);
    close(fd);
}

static void a_trusted_proxy_says_who_asks(void **state)
{
    struct answer a;
    int fd = dial_plain();
    say(fd, "GET /echo/1/2 HTTP/1.1\r\nX-Forwarded-For: 203.0.113.9\r\n"
            "X-Forwarded-For: 198.51.100.7, 127.0.0.5\r\n\r\n");
    hear(fd, &a, false);
    assert_string_equal(member(&a, "ip"), "198.51.100.7"); /* what the first untrusted one claims is not looked at */
    forget(&a);
    close(fd);
}

static void a_locked_account_may_come_back(void **state)
{
    struct answer a = ask("GET", "/who", "token-locked", NULL);
    assert_answer(&a, 401, "M_USER_LOCKED");
    assert_true(json_is_true(json_object_get(a.json, "soft_logout")));
    forget(&a);
}

static void cors_is_everywhere(void **state)
{
    static const struct {
        const char *method, *path;
        int status;
    } CASES[] = {{"GET", "/health", 200},
                 {"GET", "/nothing", 404},
                 {"OPTIONS", "/who", 200},
                 {"OPTIONS", "/nothing", 200},
                 {"HEAD", "/health", 200}};
    char text[128];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct answer a = ask(CASES[i].method, CASES[i].path, NULL, NULL);
        assert_int_equal(a.status, CASES[i].status);
        assert_string_equal(answer_header(&a, "access-control-allow-origin", text, sizeof text), "*");
        assert_string_equal(answer_header(&a, "access-control-allow-methods", text, sizeof text),
                            "GET, POST, PUT, DELETE, OPTIONS");
        assert_string_equal(answer_header(&a, "access-control-allow-headers", text, sizeof text),
                            "X-Requested-With, Content-Type, Authorization, Idempotency-Key, If-Match, "
                            "Parta-Override-Reason");
        assert_string_equal(answer_header(&a, "access-control-expose-headers", text, sizeof text), "ETag");
        assert_null(answer_header(&a, "server", text, sizeof text));
        forget(&a);
    }
}

static void a_405_names_what_is_allowed(void **state)
{
    char text[64];
    struct answer a = ask("DELETE", "/body", NULL, NULL);
    assert_answer(&a, 405, "M_UNRECOGNIZED");
    assert_string_equal(answer_header(&a, "allow", text, sizeof text), "POST, OPTIONS");
    forget(&a);
}

static void head_has_no_body(void **state)
{
    struct answer a;
    char text[32];
    int fd = dial_plain();
    say(fd, "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\nGET /echo/1/2 HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, &a, true);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "content-length", text, sizeof text), "15");
    forget(&a);
    hear(fd, &a, false); /* the very next byte is the next answer's */
    assert_answer(&a, 200, NULL);
    assert_string_equal(member(&a, "a"), "1");
    forget(&a);
    close(fd);
}

static void connections_are_kept(void **state)
{
    struct answer a;
    char path[32];
    int fd = dial_plain();
    for (int i = 0; i < 50; ++i) {
        snprintf(path, sizeof path, "%d", i);
        say(fd, "GET /echo/%d/x HTTP/1.1\r\nHost: x\r\n\r\n", i);
        hear(fd, &a, false);
        assert_string_equal(member(&a, "a"), path);
        forget(&a);
    }
    for (int i = 0; i < 20; ++i) /* pipelined */
        say(fd, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{\"n\":%d}", i < 10 ? 7 : 8, i);
    for (int i = 0; i < 20; ++i) {
        hear(fd, &a, false);
        assert_int_equal(number(&a, "n"), i);
        forget(&a);
    }
    say(fd, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    hear(fd, &a, false);
    forget(&a);
    assert_true(wait_for_close(fd) < 1000);
    close(fd);
}

static void requests_may_come_in_pieces(void **state)
{
    static const char REQUEST[] = "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n";
    struct answer a;
    int fd = dial_plain();
    for (const char *c = REQUEST; *c != '\0'; ++c) {
        assert_int_equal(send(fd, c, 1, 0), 1);
        usleep(500);
    }
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "a"), 1);
    forget(&a);
    close(fd);
}

static void half_a_request_hurts_nobody(void **state)
{
    static const char *const HALVES[] = {
        "",
        "GET",
        "GET /health HTTP/1.1\r\nHo",
        "POST /body HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
        "POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    };
    for (size_t i = 0; i < sizeof HALVES / sizeof *HALVES; ++i) {
        int fd = dial_plain();
        say(fd, "%s", HALVES[i]);
        close(fd);
    }
    struct answer a = ask("GET", "/health", NULL, NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
}

static void slow_ones_are_cut_off(void **state)
{
    static const struct {
        const char *said;
        int least_ms, most_ms;
    } CASES[] = {
        {"GET /health HTTP/1.1\r\nHo", HEADER_MS - 100, HEADER_MS + 2500},
        {"POST /body HTTP/1.1\r\nContent-Length: 100\r\n\r\n{", 1400, 4500},
        {"", IDLE_MS - 1500, IDLE_MS + 2500},
    };
    int fds[3], handshake = dial(http_port(W->http, 1));
    int64_t begun_ms = clock_mono_ms();
    for (int i = 0; i < 3; ++i) {
        fds[i] = dial_plain();
        say(fds[i], "%s", CASES[i].said);
    }
    for (int i = 0; i < 3; ++i) {
        wait_for_close(fds[i]);
        int64_t took_ms = clock_mono_ms() - begun_ms;
        assert_in_range(took_ms, CASES[i].least_ms, CASES[i].most_ms);
        close(fds[i]);
    }
    assert_true(wait_for_close(handshake) < 1000);
    close(handshake);
}

/* However the requests fall between the sweeper's looks: a connection that is in use is not idle. */
static void a_connection_in_use_is_not_idle(void **state)
{
    enum { N = 12 };
    int fds[N];
    struct answer a;
    int64_t begun_ms = clock_mono_ms();
    for (int i = 0; i < N; ++i)
        fds[i] = dial_plain();
    for (int64_t turn = 0; clock_mono_ms() - begun_ms < IDLE_MS + 2500; ++turn) {
        for (int i = 0; i < N; ++i) { /* the last ones seldom, all of them well within the time */
            if (turn % (i + 1) != 0)
                continue;
            say(fds[i], i % 3 == 0   ? "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
                        : i % 3 == 1 ? "OPTIONS /who HTTP/1.1\r\nHost: x\r\n\r\n"
                                     : "GET /echo/1/2 HTTP/1.1\r\nHost: x\r\n\r\n");
            hear(fds[i], &a, false);
            assert_int_equal(a.status, 200);
            forget(&a);
        }
        usleep(70000);
    }
    for (int i = 0; i < N; ++i)
        close(fds[i]);
}

static void a_reader_that_stands_still_is_cut_off(void **state)
{
    int fd = dial_plain(), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    wait_for_gauge("parta_http_connections", 2);
    say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for_gauge("parta_http_connections", 2);
    int64_t begun_ms = clock_mono_ms();
    while (gauge_of("parta_http_connections") > 1 && clock_mono_ms() - begun_ms < 8000)
        usleep(50000);
    assert_in_range(clock_mono_ms() - begun_ms, IDLE_MS - 1500, 7500);
    close(fd);
}

/* A little now and then is not enough either. */
static void a_reader_that_trickles_is_cut_off(void **state)
{
    char bytes[3000];
    int fd = dial_plain(), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    int64_t begun_ms = clock_mono_ms();
    wait_for_gauge("parta_http_connections", 2);
    while (gauge_of("parta_http_connections") > 1 && clock_mono_ms() - begun_ms < 14000) {
        recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        usleep(300000);
    }
    assert_in_range(clock_mono_ms() - begun_ms, IDLE_MS - 1500, 12000);
    close(fd);
}

static void big_replies_arrive(void **state)
{
    char text[64];
    struct answer a = ask("GET", "/big", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_int_equal(json_string_length(a.json), 3000000);
    assert_string_equal(answer_header(&a, "x-more", text, sizeof text), "one  two: three"); /* no header of its own */
    forget(&a);
}

static struct answer put_bytes(const char *method, const char *path, size_t len)
{
    struct answer a;
    int fd = dial_plain();
    char *bytes = xcalloc(1, len + 1);
    memset(bytes, ' ', len);
    say(fd, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: %zu\r\n\r\n", method, path, len);
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, bytes + sent, len - sent, 0);
        if (n <= 0)
            break; /* refused before the end */
        sent += (size_t)n;
    }
    hear(fd, &a, false);
    free(bytes);
    close(fd);
    return a;
}

static void bodies_are_bounded(void **state)
{
    char text[64];
    struct answer a = put_bytes("POST", "/body", BODY_MAX + 1);
    assert_answer(&a, 413, "M_TOO_LARGE");
    forget(&a);
    a = put_bytes("PUT", "/raw", RAW_MAX);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "len"), RAW_MAX);
    assert_int_equal(number(&a, "sum"), RAW_MAX * ' ');
    assert_string_equal(member(&a, "type"), "a/b");
    forget(&a);
    a = put_bytes("PUT", "/raw", RAW_MAX + 1);
    assert_answer(&a, 413, "M_TOO_LARGE");
    forget(&a);
    /* far too large: libh2o refuses before the body, in our words */
    int fd = dial_plain();
    say(fd, "PUT /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
    hear(fd, &a, false);
    assert_answer(&a, 413, "M_TOO_LARGE");
    assert_string_equal(answer_header(&a, "access-control-allow-origin", text, sizeof text), "*");
    assert_string_equal(answer_header(&a, "content-type", text, sizeof text), "application/json");
    forget(&a);
    close(fd);
}

/* A second server with a hub of its own takes the first one's place for one test. */
struct aside {
    struct server server;
    struct http *first;
    struct sync_hub *hub;
};

static void begin_aside(struct aside *aside, const struct http_settings *settings)
{
    aside->server = W->server;
    aside->server.hub = hub_create(W->pos);
    aside->server.metrics = metrics_create();
    aside->hub = W->server.hub;
    aside->first = W->http;
    W->http = http_start(settings, &aside->server, TABLES, 1);
    assert_non_null(W->http);
    W->server.hub = aside->server.hub;
}

static void end_aside(struct aside *aside)
{
    http_destroy(W->http);
    hub_destroy(aside->server.hub);
    metrics_destroy(aside->server.metrics);
    W->http = aside->first;
    W->server.hub = aside->hub;
}

/* ---- nobody takes what belongs to all */

static void wait_for(_Atomic int *what, int wanted)
{
    for (int i = 0; *what != wanted && i < 30000; ++i)
        usleep(1000);
    assert_int_equal(*what, wanted);
}

/* No job is counted as running any more. */
static void wait_until_idle(void)
{
    static const char THREADS[] = "parta_pool{pool=\"workers\",what=\"threads\"}";
    wait_for_gauge("parta_pool{pool=\"workers\",what=\"idle\"}", gauge_of(THREADS));
}

static void say_get(int fd, const char *path, const char *token)
{
    say(fd, "GET %s HTTP/1.1\r\nAuthorization: Bearer %s\r\n\r\n", path, token);
}

/* One person asks for all that there is: four requests run, sixty-four wait, the others are told when to come back. All
 * the time others are served, and in the end everybody who was not refused has their answer. */
static void one_person_takes_what_is_theirs(void **state)
{
    enum { MANY = 80, RUN = 4, WAIT = 64 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[MANY], served = 0, refused = 0;
    settings.workers = 8;
    begin_aside(&aside, &settings);
    let_go = 0;
    a = ask("GET", "/who", "token-active", NULL); /* known from here on */
    forget(&a);
    wait_until_idle();
    for (int i = 0; i < MANY; ++i) {
        fds[i] = dial_plain();
        say_get(fds[i], "/held", "token-active");
    }
    wait_for(&held, RUN);
    for (int i = 0; i < 5; ++i) {
        a = ask("GET", "/who", "token-admin", NULL);
        assert_answer(&a, 200, NULL);
        forget(&a);
        a = ask("GET", "/maybe", NULL, NULL);
        assert_answer(&a, 200, NULL);
        forget(&a);
        assert_int_equal(held, RUN);
    }
    wait_for_gauge("parta_pool{pool=\"workers\",what=\"queued\"}", WAIT);
    let_go = 1;
    for (int i = 0; i < MANY; ++i) {
        hear(fds[i], &a, false);
        assert_answer(&a, a.status == 200 ? 200 : 429, a.status == 200 ? NULL : "M_LIMIT_EXCEEDED");
        ++*(a.status == 200 ? &served : &refused);
        forget(&a);
        close(fds[i]);
    }
    assert_int_equal(served, RUN + WAIT);
    assert_int_equal(refused, MANY - RUN - WAIT);
    wait_for_gauge("parta_http_principals", 0); /* nobody is left behind */
    end_aside(&aside);
}

/* What costs runs once a person; and those who have not said who they are take half of the workers at most. */
static void what_costs_runs_alone(void **state)
{
    enum { MANY = 6 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[2 * MANY];
    begin_aside(&aside, &settings); /* four workers */
    let_go = 0;
    a = ask("GET", "/who", "token-active", NULL);
    forget(&a);
    for (int i = 0; i < MANY; ++i) {
        fds[i] = dial_plain();
        say_get(fds[i], "/held/costs", "token-active");
        fds[MANY + i] = dial_plain();
        say_get(fds[MANY + i], "/held/nobody", "none");
    }
    wait_for(&held, 1 + 2);
    a = ask("GET", "/who", "token-active", NULL); /* what costs nothing does not wait for it */
    assert_answer(&a, 200, NULL);
    forget(&a);
    assert_int_equal(held, 1 + 2);
    let_go = 1;
    for (int i = 0; i < 2 * MANY; ++i) {
        hear(fds[i], &a, false);
        assert_answer(&a, 200, NULL);
        forget(&a);
        close(fds[i]);
    }
    end_aside(&aside);
}

static int say_news(const char *token)
{
    int fd = dial_plain();
    say(fd, "GET /news?since=%lld HTTP/1.1\r\nAuthorization: Bearer %s\r\n\r\n", (long long)W->pos, token);
    return fd;
}

static void expect_expired(int fd)
{
    struct answer a;
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_true(json_is_true(json_object_get(a.json, "expired")));
    forget(&a);
}

/* A newer poll of a device has the oldest answered, and never one that has just come; beyond that polls are refused, of
 * this device and of nobody else. */
static void polls_of_a_device_are_bounded(void **state)
{
    enum { FEW = 4, MOST = 16, MANY = 60 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[MANY], n = 0, refused = 0;
    settings.loops = 1;
    settings.idle_ms = 60000;
    begin_aside(&aside, &settings);
    hub_concern(aside.server.hub, CHANGE_ACCOUNT_DATA, HUB_USER);
    for (; n < FEW; ++n) {
        fds[n] = say_news("token-active");
        wait_for_gauge("parta_http_parked", (size_t)n + 1);
    }
    int64_t begun_ms = clock_mono_ms();
    while (clock_mono_ms() < begun_ms + 1100)
        usleep(10000);
    for (; n < 2 * FEW; ++n) {
        fds[n] = say_news("token-active");
        expect_expired(fds[n - FEW]);
        wait_for_gauge("parta_http_parked", FEW);
    }
    for (; n < MANY; ++n) /* faster than they grow old */
        fds[n] = say_news("token-active");
    int fd = say_news("token-admin");
    a = ask("GET", "/who", "token-active", NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
    assert_in_range(gauge_of("parta_http_parked"), FEW, MOST + 1);
    change(ACTIVE); /* what comes after it is answered at once */
    for (int i = FEW; i < MANY; ++i) {
        hear(fds[i], &a, false);
        refused += a.status == 429;
        assert_answer(&a, a.status == 429 ? 429 : 200, a.status == 429 ? "M_LIMIT_EXCEEDED" : NULL);
        forget(&a);
    }
    assert_in_range(refused, 1, MANY - FEW - FEW);
    wait_for_gauge("parta_http_parked", 1);
    close(fd);
    for (int i = 0; i < MANY; ++i)
        close(fds[i]);
    end_aside(&aside);
}

static int say_big(const char *token)
{
    int fd = dial_plain(), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say_get(fd, "/big/who?more", token);
    return fd;
}

/* Who does not read what they were told is told no more; others are, and small writes go on. */
static void replies_that_nobody_reads_are_bounded(void **state)
{
    enum { MANY = 20 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[MANY];
    settings.unread_max = 80u << 20; /* of one: ten MiB */
    settings.idle_ms = 60000;
    begin_aside(&aside, &settings);
    a = ask("GET", "/who", "token-active", NULL);
    forget(&a);
    fds[0] = say_big("token-active");
    wait_for_gauge("parta_http_unread_bytes", 20000002);
    for (int i = 1; i < MANY; ++i) {
        fds[i] = say_big("token-active");
        hear(fds[i], &a, false);
        assert_answer(&a, 429, "M_LIMIT_EXCEEDED");
        forget(&a);
    }
    assert_int_equal(gauge_of("parta_http_unread_bytes"), 20000002);
    a = ask("GET", "/big/who", "token-admin", NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
    a = ask("POST", "/written", "token-active", "{}");
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fds[0]);
    wait_for_gauge("parta_http_unread_bytes", 0);
    a = ask("GET", "/big/who", "token-active", NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
    for (int i = 1; i < MANY; ++i)
        close(fds[i]);
    end_aside(&aside);
}

/* Whoever is asked for who they are first is asked for in turn with others, and what they want is theirs afterwards. */
static void tokens_that_are_not_in_memory_are_looked_up_first(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[12];
    settings.workers = 8;
    begin_aside(&aside, &settings);
    sessions_destroy(aside.server.sessions);
    aside.server.sessions = W->server.sessions = sessions_create("school.example", 100);
    let_go = 0;
    written = 0;
    for (int i = 1; i <= 2; ++i) { /* looked up, and then known */
        a = ask("POST", "/written", "token-admin", "{}");
        assert_answer(&a, 200, NULL);
        assert_int_equal(written, i);
        forget(&a);
    }
    for (int i = 0; i < 12; ++i) {
        fds[i] = dial_plain();
        say_get(fds[i], "/held", i % 2 == 0 ? "token-active" : "wrong");
    }
    wait_for(&held, 4);
    for (int i = 1; i < 12; i += 2) {
        hear(fds[i], &a, false);
        assert_answer(&a, 401, "M_UNKNOWN_TOKEN");
        forget(&a);
    }
    let_go = 1;
    for (int i = 0; i < 12; i += 2) {
        hear(fds[i], &a, false);
        assert_answer(&a, 200, NULL);
        forget(&a);
    }
    for (int i = 0; i < 12; ++i)
        close(fds[i]);
    end_aside(&aside);
}

static void a_flood_for_a_small_route_is_cut_off(void **state)
{
    struct http_settings settings = settings_of(W);
    settings.body_ms = 60000;
    struct aside aside;
    begin_aside(&aside, &settings);
    char *bytes = xcalloc(1, 1u << 20);
    int fd = dial_plain();
    bool refused = false;
    say(fd, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n");
    for (int i = 0; i < 40 && !refused; ++i) { /* slowly, well within the time for bodies */
        refused = send(fd, bytes, 1u << 20, 0) < 0;
        usleep(100000);
    }
    assert_true(refused);
    close(fd);
    free(bytes);
    end_aside(&aside);
}

/* Of sockets, and of files without a name. */
static int count_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char target[256] = "";
        if (readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1) > 0)
            n += strncmp(target, "socket:", 7) == 0 || strstr(target, "(deleted)") != NULL;
    }
    closedir(dir);
    return n;
}

/* Once every connection is gone, and with it what its request held. */
static void wait_until_quiet(void)
{
    int n = -1;
    wait_for_gauge("parta_http_connections", 1);
    for (int i = 0; (n = count_descriptors()) > 3 * (2 + 1) && i < 3000; ++i) /* three listeners: ours and the loops' */
        usleep(10000);
    assert_int_equal(n, 3 * (2 + 1));
}

static void begin_put(int fd, const char *path, const char *token, size_t len, const char *more)
{
    say(fd, "PUT %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n%s\r\n", path, token, len,
        more);
}

static bool push(int fd, size_t len)
{
    char bytes[4096];
    memset(bytes, 'x', sizeof bytes);
    while (len > 0) {
        ssize_t n = send(fd, bytes, len < sizeof bytes ? len : sizeof bytes, 0);
        if (n <= 0)
            return false;
        len -= (size_t)n;
    }
    return true;
}

/* Not a byte of the body is sent: the head alone is answered. */
static void who_sends_a_large_body_is_asked_first(void **state)
{
    static const struct {
        const char *path, *token;
        size_t len;
        int status;
        const char *errcode;
    } CASES[] = {
        {"/raw/who", "wrong", 200000, 401, "M_UNKNOWN_TOKEN"},
        {"/raw/who", "badge:nobody", 200000, 401, "M_UNKNOWN_TOKEN"},
        {"/raw/who", "token-locked", 200000, 401, "M_USER_LOCKED"},
        {"/raw/who", "token-pending", 200000, 403, "M_FORBIDDEN"},
        {"/raw/who", "token-active", RAW_MAX + 1, 413, "M_TOO_LARGE"},
        {"/any", "token-active", 200000, 413, "M_TOO_LARGE"},
        {"/nothing", "token-active", 200000, 404, "M_UNRECOGNIZED"},
        {"/health", "token-active", 200000, 405, "M_UNRECOGNIZED"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        for (int waits = 0; waits < 2; ++waits) {
            struct answer a;
            char text[32];
            int fd = dial_plain();
            begin_put(fd, CASES[i].path, CASES[i].token, CASES[i].len, waits ? "Expect: 100-continue\r\n" : "");
            hear(fd, &a, false); /* and no 100 before it */
            assert_answer(&a, CASES[i].status, CASES[i].errcode);
            assert_string_equal(answer_header(&a, "connection", text, sizeof text), "close");
            assert_string_equal(answer_header(&a, "content-type", text, sizeof text), "application/json");
            assert_non_null(answer_header(&a, "access-control-allow-origin", text, sizeof text));
            forget(&a);
            close(fd);
        }
}

/* A client that does not listen before it has sent everything hears the answer all the same. */
static void a_refusal_arrives_although_all_was_sent(void **state)
{
    for (int i = 0; i < 10; ++i) {
        struct answer a;
        int fd = dial_plain();
        begin_put(fd, "/raw/who", i % 2 == 0 ? "wrong" : "badge:nobody", RAW_MAX, "");
        assert_true(push(fd, RAW_MAX));
        hear(fd, &a, false);
        assert_answer(&a, 401, "M_UNKNOWN_TOKEN");
        forget(&a);
        assert_true(wait_for_close(fd) < 1000);
        close(fd);
    }
    wait_until_quiet();
}

static void a_large_body_is_read_when_it_is_welcome(void **state)
{
    static const char *const TOKENS[] = {"token-active", "badge:active"}; /* known on the loop; looked up by a worker */
    for (int i = 0; i < 4; ++i) {
        struct answer a;
        int fd = dial_plain();
        begin_put(fd, "/raw/who", TOKENS[i % 2], RAW_MAX, i < 2 ? "Expect: 100-continue\r\n" : "");
        if (i < 2) {
            assert_true(hear_head(fd, &a));
            assert_int_equal(a.status, 100);
        }
        for (size_t sent = 0; sent < RAW_MAX; sent += 30000, usleep(1000))
            assert_true(push(fd, 30000));
        hear(fd, &a, false);
        assert_answer(&a, 200, NULL);
        assert_int_equal(number(&a, "len"), RAW_MAX);
        assert_int_equal(number(&a, "sum"), RAW_MAX * 'x');
        forget(&a);
        assert_true(wait_for_close(fd) < 1000);
        close(fd);
    }
    wait_until_quiet();
}

static void large_json_is_parsed_where_the_limit_is_high(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    settings.body_max = 5u << 20;
    begin_aside(&aside, &settings);
    size_t len = 4u << 20;
    char *body = xcalloc(1, len + 1);
    memset(body, ' ', len);
    memcpy(body, "{\"n\":7", 6);
    body[len - 1] = '}';
    struct answer a;
    int fd = dial_plain();
    say(fd, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", len);
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, body + sent, len - sent, 0);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "n"), 7);
    forget(&a);
    close(fd);
    free(body);
    end_aside(&aside);
}

static void large_bodies_have_places(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[3];
    settings.uploads = 3;
    settings.body_ms = 20000;
    begin_aside(&aside, &settings);
    for (int i = 0; i < 3; ++i) { /* two of one's, and another's */
        fds[i] = dial_plain();
        begin_put(fds[i], "/raw/who", i < 2 ? "token-active" : "token-admin", RAW_MAX, "Expect: 100-continue\r\n");
        assert_true(hear_head(fds[i], &a));
        assert_int_equal(a.status, 100);
    }
    int fd = dial_plain();
    begin_put(fd, "/raw/who", "badge:active", RAW_MAX, ""); /* the same person by another way */
    hear(fd, &a, false);
    assert_answer(&a, 429, "M_LIMIT_EXCEEDED");
    forget(&a);
    close(fd);
    fd = dial_plain();
    begin_put(fd, "/raw", "none", RAW_MAX, "");
    hear(fd, &a, false);
    assert_answer(&a, 503, "M_UNKNOWN");
    forget(&a);
    close(fd);
    close(fds[0]); /* leaves in the middle: its place is free again */
    wait_for_gauge("parta_http_connections", 3);
    a = put_bytes("PUT", "/raw", RAW_MAX);
    assert_answer(&a, 200, NULL);
    forget(&a);
    assert_true(push(fds[1], RAW_MAX));
    hear(fds[1], &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fds[1]);
    close(fds[2]);
    end_aside(&aside);
}

static void a_large_body_has_its_time(void **state)
{
    int fd = dial_plain();
    int64_t begun_ms = clock_mono_ms();
    begin_put(fd, "/raw", "none", RAW_MAX, "");
    push(fd, 100000);
    wait_for_close(fd);
    assert_in_range(clock_mono_ms() - begun_ms, 1000, 4500);
    close(fd);
    wait_until_quiet();
}

static void a_large_body_may_find_no_room(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    settings.spool_dir = "/nonexistent";
    begin_aside(&aside, &settings);
    log_set_level(LOG_ERROR - 1);
    struct answer a = put_bytes("PUT", "/raw", RAW_MAX);
    log_set_level(LOG_ERROR);
    assert_answer(&a, 503, "M_UNKNOWN");
    forget(&a);
    end_aside(&aside);
}

/* In chunks a body may not be larger than JSON: how long it will be is not known beforehand. */
static void chunks_are_for_small_bodies(void **state)
{
    struct answer a;
    int fd = dial_plain();
    say(fd, "PUT /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", BODY_MAX);
    assert_true(push(fd, BODY_MAX));
    say(fd, "\r\n0\r\n\r\n");
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "len"), BODY_MAX);
    forget(&a);
    close(fd);
    fd = dial_plain();
    say(fd, "PUT /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", RAW_MAX);
    assert_true(push(fd, RAW_MAX));
    hear(fd, &a, false);
    assert_answer(&a, 413, "M_TOO_LARGE");
    forget(&a);
    close(fd);
}

static void a_file_is_no_answer_to_a_large_body(void **state)
{
    struct answer a = put_bytes("PUT", "/raw/file", RAW_MAX);
    assert_answer(&a, 500, "M_UNKNOWN");
    forget(&a);
    wait_until_quiet();
}

static void assert_file_part(const struct answer *a, int64_t first)
{
    for (size_t i = 0; i < a->len; ++i)
        if (a->body[i] != (char)(((int64_t)i + first) / 1000 + (int64_t)i + first))
            fail_msg("byte %zu is wrong", i);
}

static void files_are_sent(void **state)
{
    static const struct {
        const char *query, *headers;
        int status;
        int64_t first, len;
        const char *content_range;
    } CASES[] = {
        {"", "", 200, 0, FILE_BYTES, NULL},
        {"?cold=1", "", 200, 0, FILE_BYTES, NULL},
        {"?size=0", "", 200, 0, 0, NULL},
        {"?size=1", "", 200, 0, 1, NULL},
        {"?size=65536", "", 200, 0, 65536, NULL},
        {"?size=5000000&cold=1", "", 200, 0, 5000000, NULL},
        {"", "Range: bytes=0-0\r\n", 206, 0, 1, "bytes 0-0/300000"},
        {"", "Range: bytes=100000-\r\n", 206, 100000, 200000, "bytes 100000-299999/300000"},
        {"?cold=1", "Range: bytes=-70000\r\n", 206, 230000, 70000, "bytes 230000-299999/300000"},
        {"", "Range: bytes=10-19\r\nIf-Range: \"one\"\r\n", 206, 10, 10, "bytes 10-19/300000"},
        {"", "Range: bytes=10-19\r\nIf-Range: \"two\"\r\n", 200, 0, FILE_BYTES, NULL},
        {"", "Range: bytes=1-2,5-6\r\n", 200, 0, FILE_BYTES, NULL},
        {"?size=10", "Range: bytes=10-\r\n", 416, 0, -1, "bytes */10"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct answer a;
        char text[64];
        int fd = dial_plain();
        for (int again = 0; again < 2; ++again) { /* the connection is kept */
            say(fd, "GET /file%s HTTP/1.1\r\nHost: x\r\n%s\r\n", CASES[i].query, CASES[i].headers);
            hear(fd, &a, false);
            if (a.status != CASES[i].status)
                print_error("%s %s\n", CASES[i].query, CASES[i].headers);
            assert_int_equal(a.status, CASES[i].status);
            assert_string_equal(answer_header(&a, "accept-ranges", text, sizeof text), "bytes");
            assert_string_equal(answer_header(&a, "etag", text, sizeof text), "\"one\"");
            assert_string_equal(answer_header(&a, "x-4", text, sizeof text), "4");
            assert_string_equal(answer_header(&a, "content-type", text, sizeof text),
                                a.status == 416 ? "application/json" : "image/png");
            const char *range = answer_header(&a, "content-range", text, sizeof text);
            assert_string_equal(range != NULL ? range : "none",
                                CASES[i].content_range != NULL ? CASES[i].content_range : "none");
            if (CASES[i].len >= 0) {
                assert_int_equal(a.len, CASES[i].len);
                assert_file_part(&a, CASES[i].first);
            }
            forget(&a);
        }
        close(fd);
    }
    wait_until_quiet();
}

static void head_of_a_file_has_its_length(void **state)
{
    struct answer a;
    char text[32];
    int fd = dial_plain();
    say(fd, "HEAD /file HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, &a, true);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "content-length", text, sizeof text), "300000");
    forget(&a);
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fd);
    a = ask("GET", "/file?refuse=1", NULL, NULL);
    assert_answer(&a, 403, "M_FORBIDDEN");
    forget(&a);
    wait_until_quiet();
}

/* Fewer bytes come than were promised: the connection is closed, and nothing else stands in their place. */
static void a_file_may_be_shorter_than_was_said(void **state)
{
    struct answer a;
    int fd = dial_plain();
    size_t got = 0;
    char bytes[4096];
    log_set_level(LOG_ERROR - 1);
    say(fd, "GET /file?size=100000&said=200000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(hear_head(fd, &a));
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) > 0;)
        got += (size_t)n;
    assert_int_equal(got, 100000);
    close(fd);
    wait_until_quiet();
    log_set_level(LOG_ERROR);
}

/* A client that reads nothing holds a piece of the file, not the file, until it leaves or its time is up. */
static void a_slow_reader_holds_one_piece(void **state)
{
    enum { N = 8, BYTES = 30 << 20 };
    int fds[N], small = 4096;
    size_t before = gauge_of("process_resident_memory_bytes");
    for (int i = 0; i < N; ++i) {
        struct answer a;
        fds[i] = dial_plain();
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        say(fds[i], "GET /file?size=%d HTTP/1.1\r\nHost: x\r\n\r\n", (int)BYTES);
        assert_true(hear_head(fds[i], &a));
    }
    assert_true(gauge_of("process_resident_memory_bytes") < before + BYTES);
    for (int i = 1; i < N; ++i)
        close(fds[i]);
    int64_t begun_ms = clock_mono_ms();
    while (gauge_of("parta_http_connections") > 1 && clock_mono_ms() - begun_ms < 8000)
        usleep(50000);
    assert_true(clock_mono_ms() - begun_ms < 7500);
    close(fds[0]);
    wait_until_quiet();
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *said;
        int status;
    } CASES[] = {
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400}, /* HTTP/2 is off */
        {"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"POST /body HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
        {"POST /body HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
        {"POST /body HTTP/1.1\r\nExpect: magic\r\nContent-Length: 2\r\n\r\n{}", 417},
        {"\x16\x03\x01 hello\r\n\r\n", 400},
        {"GET /health HTTP/1.1\r\nA : b\r\n\r\n", 400},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct answer a;
        int fd = dial_plain();
        say(fd, "%s", CASES[i].said);
        hear(fd, &a, false);
        if (a.status != CASES[i].status)
            print_error("%s", CASES[i].said);
        assert_int_equal(a.status, CASES[i].status);
        assert_true(wait_for_close(fd) < 1000);
        forget(&a);
        close(fd);
    }
}

static void an_upgrade_to_http2_is_ignored(void **state)
{
    struct answer a;
    int fd = dial_plain();
    say(fd, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n");
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fd);
}

static void odd_headers_do_no_harm(void **state)
{
    struct answer a;
    int fd = dial_plain();
    say(fd, "GET /echo/1/2 HTTP/1.1\r\nX-A: b\r\n folded\r\nAuthorization: Basic eDp5\r\n\r\n");
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fd);
    char *path = xcalloc(1, 40000);
    memset(path, 'a', 39999);
    fd = dial_plain();
    assert_int_equal(send(fd, "GET /", 5, 0), 5);
    assert_int_equal(send(fd, path, 39999, 0), 39999);
    say(fd, " HTTP/1.1\r\n\r\n");
    hear(fd, &a, false);
    assert_answer(&a, 414, "M_TOO_LARGE");
    forget(&a);
    free(path);
    close(fd);
}

static void too_many_requests_are_refused(void **state)
{
    char text[32];
    struct answer a;
    for (int i = 0; i < 2; ++i) {
        a = ask("GET", "/limited", "token-active", NULL);
        assert_answer(&a, 200, NULL);
        forget(&a);
    }
    a = ask("GET", "/limited", "token-active", NULL);
    assert_answer(&a, 429, "M_LIMIT_EXCEEDED");
    assert_in_range(number(&a, "retry_after_ms"), 1, 2001);
    assert_non_null(answer_header(&a, "retry-after", text, sizeof text));
    assert_in_range(atoi(text), 1, 3);
    forget(&a);
    a = ask("GET", "/limited", "token-admin", NULL); /* somebody else */
    assert_answer(&a, 200, NULL);
    forget(&a);
}

static void hashing_has_a_short_queue(void **state)
{
    struct answer a;
    int fds[6], refused = 0, served = 0;
    for (int i = 0; i < 6; ++i) {
        fds[i] = dial_plain();
        say(fds[i], "POST /hash HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    }
    for (int i = 0; i < 6; ++i) {
        hear(fds[i], &a, false);
        served += a.status == 200;
        refused += a.status == 429;
        forget(&a);
        close(fds[i]);
    }
    assert_int_equal(served + refused, 6);
    assert_in_range(served, 1, 3); /* one runs and one waits, if the first was taken before the second came */
    a = ask("GET", "/health", NULL, NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
}

static void authentication_takes_two_requests(void **state)
{
    char body[256];
    struct answer a = ask("POST", "/uia", NULL, "{\"x\":1}");
    assert_int_equal(a.status, 401);
    assert_null(json_object_get(a.json, "errcode"));
    snprintf(body, sizeof body, "{\"auth\":{\"type\":\"m.login.dummy\",\"session\":\"%s\"}}", member(&a, "session"));
    forget(&a);
    a = ask("POST", "/uia", NULL, body);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "x"), 1); /* remembered */
    forget(&a);
}

/* Opens a poll and waits until the server holds it. */
static int poll_for_news(const char *path, const char *query, size_t parked)
{
    int fd = dial_plain();
    say(fd, "GET %s?since=%lld&%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-active\r\n\r\n", path,
        (long long)W->pos, query);
    wait_for_gauge("parta_http_parked", parked);
    return fd;
}

static void know_the_token(void)
{
    struct answer a = ask("GET", "/who", "token-active", NULL);
    forget(&a);
}

static void a_poll_is_woken(void **state)
{
    static const struct {
        const char *path, *query, *by;
    } CASES[] = {{"/news", "", "loop"}, {"/news", "worker=1", "worker"}, {"/news2", "", "loop"}};
    know_the_token();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct answer a;
        int fd = poll_for_news(CASES[i].path, CASES[i].query, 1);
        change(ADMIN); /* not for us */
        stream_pos pos = change(ACTIVE);
        hear(fd, &a, false);
        assert_answer(&a, 200, NULL);
        assert_int_equal(number(&a, "pos"), pos);
        assert_string_equal(member(&a, "by"), CASES[i].by);
        forget(&a);
        /* the connection lives on, and what is new already is answered at once */
        say(fd, "GET /news?since=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-active\r\n\r\n");
        hear(fd, &a, false);
        assert_int_equal(number(&a, "pos"), pos);
        forget(&a);
        close(fd);
        wait_for_gauge("parta_http_parked", 0);
    }
}

static void no_change_falls_between(void **state)
{
    struct answer a;
    know_the_token();
    int fd = dial_plain();
    stream_pos pos = W->pos;
    say(fd, "GET /late?since=%lld HTTP/1.1\r\nAuthorization: Bearer token-active\r\n\r\n", (long long)pos);
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "pos"), pos + 1);
    forget(&a);
    close(fd);
}

static void many_polls_are_woken(void **state)
{
    enum { N = 60 }; /* of one person, and of no device */
    int fds[N];
    for (int i = 0; i < N; ++i) {
        fds[i] = dial_plain();
        say(fds[i], "GET /badge/news?since=%lld HTTP/1.1\r\nAuthorization: Bearer badge:active\r\n\r\n",
            (long long)W->pos);
        wait_for_gauge("parta_http_parked", (size_t)i + 1);
    }
    stream_pos pos = change(ACTIVE);
    for (int i = 0; i < N; ++i) {
        struct answer a;
        hear(fds[i], &a, false);
        assert_int_equal(number(&a, "pos"), pos);
        forget(&a);
        close(fds[i]);
    }
    wait_for_gauge("parta_http_parked", 0);
}

static void a_poll_expires(void **state)
{
    struct answer a;
    know_the_token();
    int64_t begun_ms = clock_mono_ms();
    int fd = dial_plain();
    say(fd, "GET /news?since=%lld&timeout=400 HTTP/1.1\r\nAuthorization: Bearer token-active\r\n\r\n",
        (long long)W->pos);
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_true(json_is_true(json_object_get(a.json, "expired")));
    assert_in_range(clock_mono_ms() - begun_ms, 390, 1500);
    forget(&a);
    say(fd, "GET /news?since=%lld&timeout=0 HTTP/1.1\r\nAuthorization: Bearer token-active\r\n\r\n", (long long)W->pos);
    hear(fd, &a, false);
    assert_true(json_is_true(json_object_get(a.json, "expired")));
    forget(&a);
    close(fd);
}

static void a_client_that_leaves_is_noticed(void **state)
{
    know_the_token();
    int before = released;
    int fd = poll_for_news("/news", "", 1);
    close(fd); /* FIN */
    wait_for_gauge("parta_http_parked", 0);
    struct linger reset = {.l_onoff = 1};
    fd = poll_for_news("/news", "", 1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd); /* RST */
    wait_for_gauge("parta_http_parked", 0);
    wait_for_gauge("parta_http_connections", 1); /* the one that asks */
    assert_int_equal(released, before + 2);
    change(ACTIVE); /* nobody is there */
    struct answer a = ask("GET", "/health", NULL, NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
}

static void a_client_may_leave_during_a_handler(void **state)
{
    int before = slow_done;
    for (int i = 0; i < 4; ++i) {
        int fd = dial_plain(), running = slow_running;
        say(fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
        while (slow_running == running)
            usleep(1000);
        close(fd);
    }
    while (slow_done < before + 4)
        usleep(1000);
    wait_for_gauge("parta_http_connections", 1);
}

static void a_signed_out_poll_gets_nothing(void **state)
{
    struct answer a;
    know_the_token();
    int fd = poll_for_news("/news", "", 1);
    struct change gone = {.kind = CHANGE_SESSION, .user = W->users[ACTIVE]};
    sessions_observe(W->server.sessions, &gone, 1);
    change(ACTIVE);
    hear(fd, &a, false); /* the token is still good on disk here: the worker finds it and answers */
    assert_answer(&a, 200, NULL);
    assert_string_equal(member(&a, "by"), "worker");
    forget(&a);
    close(fd);
}

static void the_server_stops_gracefully(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    begin_aside(&aside, &settings);
    know_the_token();
    int poll = poll_for_news("/news", "", 1), idle = dial_plain(), slow = dial_plain(), half = dial_plain();
    int handshake = dial(http_port(W->http, 1)), running = slow_running;
    say(half, "GET /he");
    say(slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    while (slow_running == running)
        usleep(1000);
    int64_t begun_ms = clock_mono_ms();
    http_stop(W->http);
    assert_true(clock_mono_ms() - begun_ms < 2000);
    hear(poll, &a, false);
    assert_answer(&a, 200, NULL);
    assert_true(json_is_true(json_object_get(a.json, "expired")));
    forget(&a);
    hear(slow, &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    int fds[] = {poll, idle, slow, half, handshake};
    for (int i = 0; i < 5; ++i) {
        assert_true(wait_for_close(fds[i]) < 500);
        close(fds[i]);
    }
    change(ACTIVE); /* a wake after the stop goes nowhere */
    end_aside(&aside);
}

static void a_stop_does_not_wait_forever(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    int small = 4096;
    settings.stop_ms = 500;
    begin_aside(&aside, &settings);
    int deaf = dial_plain(), body = dial_plain(), large = dial_plain();
    setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(deaf, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    say(body, "PUT /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx");
    begin_put(large, "/raw", "none", RAW_MAX, "");
    push(large, 100000);
    assert_int_equal(poll(&(struct pollfd){.fd = deaf, .events = POLLIN}, 1, 10000), 1); /* its reply has begun */
    int64_t begun_ms = clock_mono_ms();
    http_stop(W->http);
    assert_in_range(clock_mono_ms() - begun_ms, 400, 1500);
    end_aside(&aside);
    close(large);
    close(deaf);
    close(body);
}

static void connections_are_capped(void **state)
{
    struct http_settings settings = settings_of(W);
    settings.connections = 5;
    settings.loops = 1;
    struct aside aside;
    int fds[5];
    struct answer a;
    begin_aside(&aside, &settings);
    for (int i = 0; i < 5; ++i) {
        fds[i] = dial_plain();
        say(fds[i], "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        hear(fds[i], &a, false);
        assert_answer(&a, 200, NULL);
        forget(&a);
    }
    int late = dial_plain(); /* waits in the kernel's queue until one of the idle ones has to go */
    int64_t begun_ms = clock_mono_ms();
    say(late, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    close(fds[0]);
    hear(late, &a, false);
    assert_answer(&a, 200, NULL);
    assert_true(clock_mono_ms() - begun_ms > 5);
    forget(&a);
    for (int i = 1; i < 5; ++i)
        close(fds[i]);
    close(late);
    end_aside(&aside);
}

/* One handshake; the certificate's common name, "" if it failed. alpn: NULL: none offered. */
static void shake_hands(const char *alpn, size_t alpn_len, char name[64], struct answer *a)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int fd = dial(http_port(W->http, 1));
    name[0] = '\0';
    if (alpn != NULL)
        SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)alpn, (unsigned)alpn_len);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1) {
        static const char REQUEST[] = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
        X509 *cert = SSL_get1_peer_certificate(ssl);
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, 64);
        X509_free(cert);
        SSL_write(ssl, REQUEST, (int)strlen(REQUEST));
        int n = SSL_read(ssl, a->head, sizeof a->head - 1);
        a->status = n > 12 ? atoi(a->head + 9) : 0;
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
}

static void tls_is_spoken(void **state)
{
    static const struct {
        const char *alpn;
        size_t len;
        const char *name;
    } CASES[] = {
        {NULL, 0, "first"}, {"\x08http/1.1", 9, "first"}, {"\x02h2\x08http/1.1", 12, "first"}, {"\x02h2", 3, ""}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char name[64];
        struct answer a = {0};
        shake_hands(CASES[i].alpn, CASES[i].len, name, &a);
        assert_string_equal(name, CASES[i].name);
        assert_int_equal(a.status, CASES[i].name[0] != '\0' ? 200 : 0);
    }
}

/* What libh2o hands over is what TLS has decoded; of a refused one it is thrown away undecoded. */
static void large_bodies_come_over_tls(void **state)
{
    static const struct {
        const char *token, *status;
    } CASES[] = {{"token-active", "HTTP/1.1 200 "}, {"wrong", "HTTP/1.1 401 "}};
    char *body = xcalloc(1, RAW_MAX), head[256], answer[16] = "";
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        int fd = dial(http_port(W->http, 1));
        SSL *ssl = SSL_new(ctx);
        SSL_set_fd(ssl, fd);
        assert_int_equal(SSL_connect(ssl), 1);
        int len = snprintf(head, sizeof head,
                           "PUT /raw/who HTTP/1.1\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
                           CASES[i].token, RAW_MAX);
        assert_int_equal(SSL_write(ssl, head, len), len);
        assert_int_equal(SSL_write(ssl, body, RAW_MAX), RAW_MAX);
        assert_true(SSL_read(ssl, answer, 13) == 13);
        assert_memory_equal(answer, CASES[i].status, 13);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        close(fd);
    }
    free(body);
    wait_until_quiet();
}

static void certificates_are_read_again(void **state)
{
    char name[64];
    struct answer a = {0};
    int early = dial(http_port(W->http, 1)); /* accepted with the old certificate, but has not said a word yet */
    wait_for_gauge("parta_http_connections", 2);
    write_certificate(W, "second");
    assert_true(http_reload(W->http));
    *name = '\0';
    for (int i = 0; i < 500 && strcmp(name, "second") != 0; ++i) { /* each loop takes it in its turn */
        usleep(10000);
        shake_hands(NULL, 0, name, &a);
    }
    assert_string_equal(name, "second");
    say(early, "\x16\x03\x01"); /* libh2o makes its SSL now, of a context that nothing else holds any more */
    usleep(20000);
    close(early);
    FILE *file = fopen(W->cert, "w"); /* a broken file changes nothing */
    fclose(file);
    log_set_level(LOG_ERROR - 1);
    assert_false(http_reload(W->http));
    log_set_level(LOG_ERROR);
    shake_hands(NULL, 0, name, &a);
    assert_string_equal(name, "second");
    write_certificate(W, "first");
    assert_true(http_reload(W->http));
}

static void numbers_are_shown(void **state)
{
    struct answer a = ask("GET", "/echo/1/2", NULL, NULL);
    forget(&a);
    a = ask_on(http_metrics_port(W->http), "GET", "/metrics", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "parta_http_requests_total{method=\"GET\",route=\"/echo/{a}/{b}\",class=\"2xx\"} "));
    assert_non_null(strstr(a.body, "parta_http_request_duration_seconds_bucket{le=\"+Inf\"} "));
    assert_non_null(strstr(a.body, "parta_writer_groups_total "));
    assert_non_null(strstr(a.body, "process_resident_memory_bytes "));
    forget(&a);
    a = ask_on(http_metrics_port(W->http), "GET", "/health", NULL, NULL);
    assert_string_equal(member(&a, "status"), "ok");
    forget(&a);
    a = ask_on(http_metrics_port(W->http), "GET", "/echo/1/2", NULL, NULL);
    assert_answer(&a, 404, "M_UNRECOGNIZED");
    forget(&a);
    a = ask("GET", "/metrics", NULL, NULL);
    assert_answer(&a, 404, "M_UNRECOGNIZED");
    forget(&a);
}

static void bad_settings_are_refused(void **state)
{
    struct http_settings settings = settings_of(W);
    struct http_listen taken = {"127.0.0.1", 0, false};
    const char *proxy = "not-an-address";
    const struct route twice[] = {TABLE[0], TABLE[0]};
    const struct routes wrong = ROUTES(twice);
    const struct routes *tables[] = {&wrong};
    log_set_level(LOG_ERROR - 1);
    assert_null(http_start(&settings, &W->server, tables, 1));
    taken.port = http_port(W->http, 0);
    settings.listen = &taken;
    settings.n_listen = 1;
    assert_null(http_start(&settings, &W->server, TABLES, 1));
    settings = settings_of(W);
    settings.tls_key = "/nonexistent";
    assert_null(http_start(&settings, &W->server, TABLES, 1));
    settings = settings_of(W);
    settings.trusted_proxies = &proxy;
    assert_null(http_start(&settings, &W->server, TABLES, 1));
    log_set_level(LOG_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(handlers_see_what_was_sent),
        cmocka_unit_test(a_kind_of_credentials_is_one_row),
        cmocka_unit_test(a_trusted_proxy_says_who_asks),
        cmocka_unit_test(a_locked_account_may_come_back),
        cmocka_unit_test(cors_is_everywhere),
        cmocka_unit_test(a_405_names_what_is_allowed),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(requests_may_come_in_pieces),
        cmocka_unit_test(half_a_request_hurts_nobody),
        cmocka_unit_test(slow_ones_are_cut_off),
        cmocka_unit_test(a_connection_in_use_is_not_idle),
        cmocka_unit_test(a_reader_that_stands_still_is_cut_off),
        cmocka_unit_test(a_reader_that_trickles_is_cut_off),
        cmocka_unit_test(big_replies_arrive),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(one_person_takes_what_is_theirs),
        cmocka_unit_test(what_costs_runs_alone),
        cmocka_unit_test(polls_of_a_device_are_bounded),
        cmocka_unit_test(replies_that_nobody_reads_are_bounded),
        cmocka_unit_test(tokens_that_are_not_in_memory_are_looked_up_first),
        cmocka_unit_test(a_flood_for_a_small_route_is_cut_off),
        cmocka_unit_test(who_sends_a_large_body_is_asked_first),
        cmocka_unit_test(a_refusal_arrives_although_all_was_sent),
        cmocka_unit_test(a_large_body_is_read_when_it_is_welcome),
        cmocka_unit_test(large_json_is_parsed_where_the_limit_is_high),
        cmocka_unit_test(large_bodies_have_places),
        cmocka_unit_test(a_large_body_has_its_time),
        cmocka_unit_test(a_large_body_may_find_no_room),
        cmocka_unit_test(chunks_are_for_small_bodies),
        cmocka_unit_test(a_file_is_no_answer_to_a_large_body),
        cmocka_unit_test(files_are_sent),
        cmocka_unit_test(head_of_a_file_has_its_length),
        cmocka_unit_test(a_file_may_be_shorter_than_was_said),
        cmocka_unit_test(a_slow_reader_holds_one_piece),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(an_upgrade_to_http2_is_ignored),
        cmocka_unit_test(odd_headers_do_no_harm),
        cmocka_unit_test(too_many_requests_are_refused),
        cmocka_unit_test(hashing_has_a_short_queue),
        cmocka_unit_test(authentication_takes_two_requests),
        cmocka_unit_test(a_poll_is_woken),
        cmocka_unit_test(no_change_falls_between),
        cmocka_unit_test(many_polls_are_woken),
        cmocka_unit_test(a_poll_expires),
        cmocka_unit_test(a_client_that_leaves_is_noticed),
        cmocka_unit_test(a_client_may_leave_during_a_handler),
        cmocka_unit_test(a_signed_out_poll_gets_nothing),
        cmocka_unit_test(tls_is_spoken),
        cmocka_unit_test(large_bodies_come_over_tls),
        cmocka_unit_test(certificates_are_read_again),
        cmocka_unit_test(numbers_are_shown),
        cmocka_unit_test(bad_settings_are_refused),
        cmocka_unit_test(connections_are_capped),
        cmocka_unit_test(the_server_stops_gracefully),
        cmocka_unit_test(a_stop_does_not_wait_forever),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
