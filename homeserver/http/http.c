#include "homeserver/http/http.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/http/h2o_setup.h"
#include "homeserver/http/health.h"
#include "homeserver/http/listener.h"
#include "homeserver/http/loop.h"
#include "homeserver/http/loop_private.h"
#include "homeserver/http/principals.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/request_metrics.h"
#include "homeserver/http/router.h"
#include "homeserver/http/server.h"
#include "homeserver/http/tls.h"
#include "homeserver/http/uploads.h"
#include "homeserver/sync/hub.h"

#define LOOPS_MAX 16
#define IN_MEMORY_BYTES (1u << 20) /* of a body; a longer one lies in a file while it arrives */
#define WORKERS_KEPT 2             /* that stay when nothing is to do */
#define WORKER_IDLE_MS 30000
#define HASHER_IDLE_MS 10000
#define DESCRIPTORS_MAX (1u << 20)
#define OTHER_DESCRIPTORS 256 /* files, listeners, loops, outgoing requests, bodies that are thrown away */

struct http {
    struct http_settings settings; /* numbers only; pointers are copied below or not kept */
    struct loop_env env;
    struct server *server;
    const struct routes **tables; /* the caller's and ours */
    size_t n_tables;
    struct loop *loops[LOOPS_MAX];
    int n_loops;
    struct loop_listener listeners[LOOP_LISTENERS_MAX];
    int ports[LOOP_LISTENERS_MAX];
    size_t n_listeners; /* the metrics listener last */
    int metrics_port;
    char *tls_cert, *tls_key;
    bool has_db, stopped;
};

static bool get_health(struct request *r)
{
    int status;
    const char *text = health_text(r->server, &status);
    return reply_json(r, json_loads(text, 0, NULL)) && reply_status(r, status);
}

static const struct route OWN[] = {
    {HTTP_GET, "/health", get_health, ROUTE_ON_LOOP, RATE_NONE, NULL, NULL},
};
static const struct routes OWN_ROUTES = ROUTES(OWN);

static void default_int(int *value, int otherwise)
{
    if (*value <= 0)
        *value = otherwise;
}

static void default_size(size_t *value, size_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

/* As many descriptors as this process may have. */
static size_t descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 1024;
    rlim_t soft = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) /* a hard limit beyond what the kernel gives */
        files.rlim_cur = soft;
    return files.rlim_cur < DESCRIPTORS_MAX ? files.rlim_cur : DESCRIPTORS_MAX;
}

/* Each worker's database has three, and so may what it reads or writes besides. */
static void fit_connections(struct http_settings *s)
{
    size_t n = descriptors(), others = OTHER_DESCRIPTORS + 6 * (size_t)s->workers + s->uploads;
    size_t fitting = admission_fitting(n, others);
    if (s->connections > fitting)
        log_warn("http",
                 "http.connections_max is %zu, and there are %zu file descriptors, of which others need %zu: %zu "
                 "connections it is. Raise the limit of open files (LimitNOFILE)",
                 s->connections, n, others, fitting);
    if (s->connections == 0 || s->connections > fitting)
        s->connections = fitting;
}

/* Those that this process may use: a container or taskset may have left it few of many. */
static int cores(void)
{
    cpu_set_t mine;
    if (sched_getaffinity(0, sizeof mine, &mine) == 0)
        return CPU_COUNT(&mine) < 64 ? CPU_COUNT(&mine) : 64;
    return 64; /* more than the set holds */
}

int http_workers(int setting)
{
    int n = cores();
    default_int(&setting, 4 * n > 8 ? 4 * n : 8);
    return setting;
}

static void put_defaults(struct http_settings *s)
{
    int n = cores();
    default_int(&s->loops, n < 4 ? n : 4);
    s->workers = http_workers(s->workers);
    default_int(&s->hashers, n);
    default_size(&s->hash_queue, 512);
    default_size(&s->unread_max, 256u << 20);
    default_size(&s->body_max, 1u << 20);
    default_size(&s->uploads, 64);
    default_size(&s->uploads_of_one, 2);
    default_int(&s->header_ms, 10000);
    default_int(&s->body_ms, 600000);
    default_int(&s->idle_ms, 75000);
    default_int(&s->stop_ms, 10000);
    if (s->loops > LOOPS_MAX)
        s->loops = LOOPS_MAX;
    fit_connections(s);
}

static void run_job(void *self, struct pool_job *job, struct db *db)
{
    struct http *http = self;
    struct request_context *context = REQUEST_OF_JOB(job);
    struct request *r = &context->r;
    if (context->work != WORK_HANDLE && context->work != WORK_IDENTIFY) {
        loop_run(context);
        return;
    }
    if (db == NULL && http->has_db) { /* db_open has logged why */
        refuse(r, ERROR_UNAVAILABLE, NULL);
        reply_error(r);
    } else if (context->work == WORK_IDENTIFY) {
        dispatch_identify(context, db);
    } else if (context->job.kind != POOL_LIGHT && !principal_has_room(context->principal)) {
        dispatch_unread(context);
    } else if (!dispatch_work(context, db)) {
        loop_write(context);
        return; /* the request may be gone already */
    }
    request_context_keep(context, 1); /* before the next job of the same one begins */
    loop_return(context);
}

static void job_done(void *self, struct pool_share *share)
{
    principal_unref(share->owner);
}

/* The workers' queue needs no bound: each principal's is bounded, and so are the connections. */
static void make_pools(struct http *http, const char *db_path)
{
    const struct http_settings *s = &http->settings;
    struct pool_settings settings = {.name = "http-worker",
                                     .max = s->workers,
                                     .keep = WORKERS_KEPT,
                                     .heavy = s->workers > 3 ? s->workers * 3 / 4 : 1,
                                     .idle_ms = WORKER_IDLE_MS,
                                     .db_path = db_path,
                                     .db_options = s->db_options,
                                     .run = run_job,
                                     .done = job_done,
                                     .self = http};
    http->env.principals = principals_create(s->workers, s->unread_max);
    http->env.workers = pool_create(&settings);
    settings.name = "http-hasher";
    settings.max = s->hashers;
    settings.keep = settings.heavy = 0;
    settings.queue = s->hash_queue;
    settings.idle_ms = HASHER_IDLE_MS;
    http->env.hashers = pool_create(&settings);
}

static int64_t open_connections(void *self)
{
    const struct http *http = self;
    return (int64_t)http->env.connections;
}

static int64_t connections_max(void *self)
{
    const struct http *http = self;
    return (int64_t)http->env.bounds.max;
}

static int64_t refused_connections(void *self)
{
    const struct http *http = self;
    return atomic_load(&http->env.refused);
}

static int64_t parked_requests(void *self)
{
    const struct http *http = self;
    size_t n = 0;
    for (int i = 0; i < http->n_loops; ++i)
        n += loop_parked(http->loops[i]);
    return (int64_t)n;
}

static int64_t count_principals(void *self)
{
    const struct http *http = self;
    return (int64_t)principals_count(http->env.principals);
}

static int64_t unread_bytes(void *self)
{
    const struct http *http = self;
    return (int64_t)principals_unread(http->env.principals);
}

static void pools(void *self, const struct metric *metric, struct text *out)
{
    const struct http *http = self;
    struct {
        const char *name;
        struct pool_state now;
    } both[] = {{"workers", pool_state(http->env.workers)}, {"hashers", pool_state(http->env.hashers)}};
    for (size_t i = 0; i < sizeof both / sizeof *both; ++i)
        text_addf(out,
                  "%1$s{pool=\"%2$s\",what=\"threads\"} %3$d\n%1$s{pool=\"%2$s\",what=\"idle\"} %4$d\n"
                  "%1$s{pool=\"%2$s\",what=\"queued\"} %5$zu\n",
                  metric->name, both[i].name, both[i].now.threads, both[i].now.idle, both[i].now.queued);
}

static const struct metric METRICS[] = {
    {"parta_http_connections", "Open connections.", METRIC_GAUGE, open_connections, NULL},
    {"parta_http_connections_max", "As many may be open: the setting, or what the file descriptors allow.",
     METRIC_GAUGE, connections_max, NULL},
    {"parta_http_connections_refused_total", "Closed at once: their address has as many as one may.", METRIC_COUNTER,
     refused_connections, NULL},
    {"parta_http_parked", "Requests that wait for news.", METRIC_GAUGE, parked_requests, NULL},
    {"parta_http_principals", "People, operators and addresses that have a connection or a request.", METRIC_GAUGE,
     count_principals, NULL},
    {"parta_http_unread_bytes",
     "Of replies of more than 8 KiB that clients have not read yet, and of bodies of more than 64 KiB that have not "
     "come whole.",
     METRIC_GAUGE, unread_bytes, NULL},
    {"parta_pool", "Worker threads and their queues.", METRIC_GAUGE, NULL, pools},
};

static bool parse_proxies(struct http *http, const struct http_settings *s)
{
    http->env.trusted = xcalloc(s->n_trusted_proxies + 1, sizeof *http->env.trusted);
    http->env.n_trusted = s->n_trusted_proxies;
    for (size_t i = 0; i < s->n_trusted_proxies; ++i)
        if (!network_parse(s->trusted_proxies[i], &http->env.trusted[i])) {
            log_error("http", "trusted proxy \"%s\" is not an address or network", s->trusted_proxies[i]);
            return false;
        }
    return true;
}

static bool add_listener(struct http *http, const struct http_listen *where, enum listener_kind kind, int *port)
{
    int fd = listener_open(where, port);
    if (fd < 0)
        return false;
    http->listeners[http->n_listeners++] = (struct loop_listener){fd, kind};
    return true;
}

static bool open_listeners(struct http *http, const struct http_settings *s)
{
    if (s->n_listen + (s->metrics != NULL) > LOOP_LISTENERS_MAX) {
        log_error("http", "more than %d addresses to listen at", LOOP_LISTENERS_MAX - 1);
        return false;
    }
    for (size_t i = 0; i < s->n_listen; ++i)
        if (!add_listener(http, &s->listen[i], s->listen[i].tls ? LISTENER_TLS : LISTENER_PLAIN, &http->ports[i]))
            return false;
    return s->metrics == NULL || add_listener(http, s->metrics, LISTENER_METRICS, &http->metrics_port);
}

static bool wants_tls(const struct http *http)
{
    for (size_t i = 0; i < http->n_listeners; ++i)
        if (http->listeners[i].kind == LISTENER_TLS)
            return true;
    return false;
}

/* Every loop accepts from the same sockets through descriptors of its own. */
static bool duplicate(const struct http *http, struct loop_listener own[LOOP_LISTENERS_MAX])
{
    for (size_t i = 0; i < http->n_listeners; ++i) {
        own[i] = (struct loop_listener){fcntl(http->listeners[i].fd, F_DUPFD_CLOEXEC, 0), http->listeners[i].kind};
        if (own[i].fd < 0) {
            log_error("http", "no descriptor for a listener: %s", strerror(errno));
            while (i-- > 0)
                close(own[i].fd);
            return false;
        }
    }
    return true;
}

static bool start_loop(struct http *http, SSL_CTX *tls)
{
    struct loop_listener own[LOOP_LISTENERS_MAX];
    if (!duplicate(http, own))
        return false;
    if (tls != NULL)
        SSL_CTX_up_ref(tls);
    struct loop *loop = loop_start(&http->env, http->n_loops, own, http->n_listeners, tls);
    if (loop == NULL)
        return false;
    http->loops[http->n_loops++] = loop;
    return true;
}

static bool start_loops(struct http *http)
{
    SSL_CTX *tls = NULL;
    if (wants_tls(http) && (http->tls_cert == NULL || http->tls_key == NULL)) {
        log_error("http", "an address wants TLS, but there is no certificate or key");
        return false;
    }
    if (wants_tls(http) && (tls = tls_load(http->tls_cert, http->tls_key)) == NULL)
        return false;
    bool started = true;
    while (started && http->n_loops < http->settings.loops)
        started = start_loop(http, tls);
    SSL_CTX_free(tls);
    return started;
}

static void on_wake(void *loop, struct wake *wake)
{
    loop_wake(loop, wake);
}

static char *copy_or_null(const char *s)
{
    return s != NULL ? xstrdup(s) : NULL;
}

static struct h2o_setup *make_setup(const struct http_settings *s)
{
    size_t in_memory = s->body_max < IN_MEMORY_BYTES ? s->body_max : IN_MEMORY_BYTES;
    struct h2o_setup_settings settings = {.entity_max = in_memory + 1, /* it refuses chunks of just so many bytes */
                                          .handshake_ms = s->header_ms,
                                          .on_request = h2o_exchange_request,
                                          .on_metrics = h2o_exchange_metrics,
                                          .is_ours = h2o_exchange_is_ours,
                                          .on_large = h2o_upload_take_over};
    return h2o_setup_create(&settings);
}

/* Everything that cannot fail; the router is NULL if the tables are wrong. */
static struct http *make(const struct http_settings *settings, struct server *server,
                         const struct routes *const *tables, size_t n)
{
    struct http *http = xcalloc(1, sizeof *http);
    struct http_settings *s = &http->settings;
    *s = *settings;
    put_defaults(s);
    http->server = server;
    http->metrics_port = -1;
    http->has_db = settings->db_path != NULL;
    http->tls_cert = copy_or_null(settings->tls_cert);
    http->tls_key = copy_or_null(settings->tls_key);
    http->tables = xcalloc(n + 1, sizeof *http->tables);
    if (n > 0)
        memcpy(http->tables, tables, n * sizeof *tables);
    http->tables[n] = &OWN_ROUTES;
    http->n_tables = n + 1;
    struct loop_env *env = &http->env;
    env->server = server;
    env->router = router_create(http->tables, http->n_tables);
    env->metrics = request_metrics_create(http->tables, http->n_tables);
    env->setup = make_setup(s);
    env->uploads = uploads_create(s->uploads, s->uploads_of_one, s->spool_dir);
    make_pools(http, s->db_path);
    env->limits = (struct dispatch_limits){.body_max = s->body_max};
    env->header_ms = s->header_ms;
    env->body_ms = s->body_ms;
    env->idle_ms = s->idle_ms;
    env->stop_ms = s->stop_ms;
    env->bounds = (struct admission_bounds){.max = s->connections, .of_address = s->connections_of_address};
    return http;
}

struct http *http_start(const struct http_settings *settings, struct server *server, const struct routes *const *tables,
                        size_t n)
{
    struct http *http = make(settings, server, tables, n);
    bool ready = http->env.router != NULL && parse_proxies(http, settings) && open_listeners(http, settings);
    if (ready) { /* before anybody can ask for them */
        request_metrics_add(http->env.metrics, server->metrics);
        metrics_add(server->metrics, METRICS, sizeof METRICS / sizeof *METRICS, http);
    }
    if (!ready || !start_loops(http)) {
        http_destroy(http);
        return NULL;
    }
    for (int i = 0; server->hub != NULL && i < http->n_loops; ++i)
        hub_listen(server->hub, on_wake, http->loops[i]);
    for (int i = 0; i < http->n_loops; ++i)
        loop_listen(http->loops[i]);
    return http;
}

int http_port(const struct http *http, size_t i)
{
    return i < http->settings.n_listen ? http->ports[i] : -1;
}

int http_metrics_port(const struct http *http)
{
    return http->metrics_port;
}

bool http_reload(struct http *http)
{
    if (!wants_tls(http))
        return true;
    SSL_CTX *tls = tls_load(http->tls_cert, http->tls_key);
    if (tls == NULL)
        return false;
    for (int i = 0; i < http->n_loops; ++i) {
        SSL_CTX_up_ref(tls);
        loop_set_tls(http->loops[i], tls);
    }
    SSL_CTX_free(tls);
    return true;
}

void http_stop(struct http *http)
{
    if (http->stopped)
        return;
    http->stopped = true;
    for (size_t i = 0; i < http->n_listeners; ++i)
        close(http->listeners[i].fd);
    for (int i = 0; i < http->n_loops; ++i)
        loop_ask_stop(http->loops[i]);
    for (int i = 0; i < http->n_loops; ++i)
        loop_join(http->loops[i]);
    pool_stop(http->env.workers); /* no handler runs any more: loops wait for them */
    pool_stop(http->env.hashers);
}

void http_destroy(struct http *http)
{
    if (http == NULL)
        return;
    http_stop(http);
    for (int i = 0; i < http->n_loops; ++i)
        loop_destroy(http->loops[i]);
    pool_destroy(http->env.workers);
    pool_destroy(http->env.hashers);
    principals_destroy(http->env.principals);
    h2o_setup_destroy(http->env.setup);
    uploads_destroy(http->env.uploads);
    request_metrics_destroy(http->env.metrics);
    router_destroy(http->env.router);
    free(http->env.trusted);
    free(http->tables);
    free(http->tls_cert);
    free(http->tls_key);
    free(http);
}
