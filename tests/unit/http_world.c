#include "tests/unit/http_world.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
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

struct world *W;
_Atomic int slow_running, slow_done, released;

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

_Atomic int written;

static bool write_job(struct tx *tx, void *state, struct error *e)
{
    ++written;
    return true;
}

static bool post_written(struct request *r)
{
    static const struct write_kind KIND = {write_job, reply_empty};
    return reply_when_written(r, &KIND, NULL);
}

/* Waits until the test lets it go. */
_Atomic int held, let_go;

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

static bool answer_news(struct request *r, struct wake *wake)
{
    if (query_get(r, "worker") != NULL)
        return false;
    if (query_get(r, "big") != NULL)
        return get_big(r);
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
    if (query_get(r, "big") != NULL)
        return get_big(r);
    return reply_json(r, json_pack("{s:I, s:s}", "pos", (json_int_t)pos, "by", "worker"));
}

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

void write_certificate(struct world *w, const char *name)
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

const struct routes *const HTTP_WORLD_TABLES[1] = {&TABLE_ROUTES};

struct http_settings settings_of(const struct world *w)
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

int http_world_start(void **state)
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
    w->http = http_start(&settings, &w->server, HTTP_WORLD_TABLES, 1);
    assert_non_null(w->http);
    *state = W = w;
    return 0;
}

int http_world_stop(void **state)
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

stream_pos change(int who)
{
    struct change c = {.kind = CHANGE_ACCOUNT_DATA, .pos = ++W->pos, .user = W->users[who]};
    hub_observe(W->server.hub, &c, 1);
    return c.pos;
}

/* ---- a client */

int dial_from(int host, int port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl((INADDR_LOOPBACK & ~0xffu) | (unsigned)host)}};
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

int dial(int port)
{
    return dial_from(1, port);
}

int dial_plain(void)
{
    return dial(http_port(W->http, 0));
}

void say(int fd, const char *fmt, ...)
{
    char bytes[8192];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(bytes, sizeof bytes, fmt, ap);
    va_end(ap);
    assert_true(n < (int)sizeof bytes);
    assert_int_equal(send(fd, bytes, (size_t)n, 0), n);
}

void forget(struct answer *a)
{
    json_decref(a->json);
    free(a->body);
    memset(a, 0, sizeof *a);
}

const char *answer_header(const struct answer *a, const char *name, char *out, size_t cap)
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

bool hear_head(int fd, struct answer *a)
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

void hear(int fd, struct answer *a, bool head_only)
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

void assert_answer(const struct answer *a, int status, const char *errcode)
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

struct answer ask_on(int port, const char *method, const char *path, const char *token, const char *body)
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

struct answer ask(const char *method, const char *path, const char *token, const char *body)
{
    return ask_on(http_port(W->http, 0), method, path, token, body);
}

const char *member(const struct answer *a, const char *key)
{
    const char *s = json_string_value(json_object_get(a->json, key));
    return s != NULL ? s : "(none)";
}

int64_t number(const struct answer *a, const char *key)
{
    return json_integer_value(json_object_get(a->json, key));
}

int64_t wait_for_close(int fd)
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

size_t gauge_of(const char *name)
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

void wait_for_gauge(const char *name, size_t wanted)
{
    size_t got;
    for (int i = 0; (got = gauge_of(name)) != wanted && i < 3000; ++i)
        usleep(10000); /* also until the last asker's own connection is closed */
    assert_int_equal(got, wanted);
}

void begin_aside(struct aside *aside, const struct http_settings *settings)
{
    aside->server = W->server;
    aside->server.hub = hub_create(W->pos);
    aside->server.metrics = metrics_create();
    aside->hub = W->server.hub;
    aside->first = W->http;
    W->http = http_start(settings, &aside->server, HTTP_WORLD_TABLES, 1);
    assert_non_null(W->http);
    W->server.hub = aside->server.hub;
}

void end_aside(struct aside *aside)
{
    http_destroy(W->http);
    hub_destroy(aside->server.hub);
    metrics_destroy(aside->server.metrics);
    W->http = aside->first;
    W->server.hub = aside->hub;
}

void say_get(int fd, const char *path, const char *token)
{
    say(fd, "GET %s HTTP/1.1\r\nAuthorization: Bearer %s\r\n\r\n", path, token);
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

void wait_until_quiet(void)
{
    int n = -1;
    wait_for_gauge("parta_http_connections", 1);
    for (int i = 0; (n = count_descriptors()) > 3 * (2 + 1) && i < 3000; ++i) /* three listeners: ours and the loops' */
        usleep(10000);
    assert_int_equal(n, 3 * (2 + 1));
}

void begin_put(int fd, const char *path, const char *token, size_t len, const char *more)
{
    say(fd, "PUT %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n%s\r\n", path, token, len,
        more);
}

bool push(int fd, size_t len)
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

int poll_for_news(const char *path, const char *query, size_t parked)
{
    int fd = dial_plain();
    say(fd, "GET %s?since=%lld&%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-active\r\n\r\n", path,
        (long long)W->pos, query);
    wait_for_gauge("parta_http_parked", parked);
    return fd;
}

void know_the_token(void)
{
    struct answer a = ask("GET", "/who", "token-active", NULL);
    forget(&a);
}
