#include "appservice/diary/listener.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/thread.h"

#define ROUND_MS 1000 /* at least so often late connections are looked for */

enum phase { READING, HANDLED, ANSWERED };

/* A connection, and the request on it. */
struct exchange {
    struct listener *listener;
    struct exchange *next, *before; /* of all connections */
    struct MHD_Connection *connection;
    int fd;
    bool suspended;
    _Atomic int phase; /* HANDLED → ANSWERED by whoever answers, everything else by the listener's thread */
    int64_t until_ms;
    size_t claimed; /* of the listener's bodies_bytes */
    const struct listener_route *route;
    const char *path;
    struct text body, out;
    int status;
    const char *type;
};

struct listener {
    struct MHD_Daemon *daemon; /* of the listener's thread alone */
    int wake, poll_fd, port, request_ms;
    const struct listener_route *routes;
    size_t n_routes, bodies_bytes;
    void *self;
    struct exchange *first;
    pthread_t thread;
    _Atomic bool stop;
};

/* --- Answers --- */

static void wake(struct listener *listener)
{
    uint64_t one = 1;
    if (write(listener->wake, &one, sizeof one) < 0)
        errno = 0; /* full: it is awake */
}

void exchange_reply(struct exchange *x, int status, const char *type, const char *body, size_t len)
{
    struct listener *listener = x->listener;
    text_add(&x->out, body, len);
    x->status = status;
    x->type = type;
    x->phase = ANSWERED; /* x is the listener's again */
    wake(listener);
}

void exchange_reply_json(struct exchange *exchange, int status, const char *json)
{
    exchange_reply(exchange, status, "application/json", json, strlen(json));
}

static void add_headers(struct MHD_Response *response, int status, const char *type)
{
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (status == 503)
        MHD_add_response_header(response, "Retry-After", "30");
}

static enum MHD_Result send_answer(struct exchange *x)
{
    size_t len = x->out.len;
    char *bytes = text_take(&x->out);
    struct MHD_Response *response = MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(bytes);
        return MHD_NO;
    }
    add_headers(response, x->status, x->type);
    enum MHD_Result queued = MHD_queue_response(x->connection, (unsigned)x->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* --- Requests --- */

const char *exchange_header(const struct exchange *x, const char *name)
{
    const char *value = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
    return value != NULL ? value : "";
}

const char *exchange_query(const struct exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *exchange_rest(const struct exchange *x)
{
    return x->path + strlen(x->route->path);
}

bool exchange_bears(const struct exchange *x, const char *token)
{
    static const char SCHEME[] = "Bearer ";
    unsigned char right[crypto_generichash_BYTES], given[sizeof right];
    const char *value = exchange_header(x, "Authorization");
    bool bearer = strncasecmp(value, SCHEME, sizeof SCHEME - 1) == 0;
    value += bearer ? sizeof SCHEME - 1 : 0;
    crypto_generichash(right, sizeof right, (const unsigned char *)token, strlen(token), NULL, 0);
    crypto_generichash(given, sizeof given, (const unsigned char *)value, strlen(value), NULL, 0);
    return sodium_memcmp(right, given, sizeof right) == 0 && bearer;
}

const char *exchange_body(const struct exchange *x, size_t *len)
{
    *len = x->body.len;
    return x->body.data != NULL ? x->body.data : "";
}

static bool fits(const struct listener_route *route, const char *method, const char *path)
{
    size_t len = strlen(route->path);
    if (strcmp(route->method, method) != 0)
        return false;
    return route->path[len - 1] == '/' ? strncmp(route->path, path, len) == 0 && path[len] != '\0'
                                       : strcmp(route->path, path) == 0;
}

/* The status that refuses a request by its head; 0: none. */
static int head_fault(struct exchange *x, const char *method)
{
    struct listener *listener = x->listener;
    const char *length = exchange_header(x, "Content-Length");
    for (size_t i = 0; x->route == NULL && i < listener->n_routes; ++i)
        if (fits(&listener->routes[i], method, x->path))
            x->route = &listener->routes[i];
    if (x->route == NULL)
        return 404;
    if (*exchange_header(x, "Transfer-Encoding") != '\0')
        return 411;
    if (*length == '\0')
        return 0;
    errno = 0;
    unsigned long long bytes = strtoull(length, NULL, 10); /* of digits alone: the library has looked */
    if (errno != 0 || bytes > x->route->body_max)
        return 413;
    if (bytes > LISTENER_BODIES_BYTES_MAX - listener->bodies_bytes)
        return 503;
    x->claimed = (size_t)bytes;
    listener->bodies_bytes += x->claimed;
    return 0;
}

static enum MHD_Result begin(struct exchange *x, const char *method)
{
    int status = head_fault(x, method);
    if (status == 0)
        return MHD_YES;
    exchange_reply_json(x, status,
                        status == 404 ? "{\"error\":\"There is nothing here.\"}"
                                      : "{\"error\":\"This request is none that can be answered.\"}");
    return send_answer(x);
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *bytes, size_t *len, void **begun)
{
    struct listener *listener = self;
    struct exchange *x = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    (void)version;
    if (listener->stop)
        return MHD_NO;
    x->path = path;
    if (*begun == NULL) {
        *begun = x;
        return begin(x, method);
    }
    if (*len != 0) {
        if (*len > x->claimed - x->body.len)
            return MHD_NO;
        text_add(&x->body, bytes, *len);
        *len = 0;
        return MHD_YES;
    }
    if (x->phase == READING) {
        x->phase = HANDLED;
        x->route->handler(listener->self, x);
    }
    if (x->phase == ANSWERED)
        return send_answer(x);
    MHD_suspend_connection(connection);
    x->suspended = true;
    return MHD_YES;
}

static void reset(struct exchange *x)
{
    x->listener->bodies_bytes -= x->claimed;
    x->claimed = 0;
    x->route = NULL;
    x->phase = READING;
    x->until_ms = clock_mono_ms() + x->listener->request_ms;
    text_finish(&x->body);
    text_finish(&x->out);
}

static void on_completed(void *self, struct MHD_Connection *connection, void **begun,
                         enum MHD_RequestTerminationCode how)
{
    (void)self;
    (void)connection;
    (void)how;
    if (*begun != NULL)
        reset(*begun);
    *begun = NULL;
}

static void on_connection(void *self, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct listener *listener = self;
    struct exchange *x = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = x = xcalloc(1, sizeof *x);
        *x = (struct exchange){.listener = listener, .connection = connection, .next = listener->first};
        x->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        if (x->next != NULL)
            x->next->before = x;
        listener->first = x;
        reset(x);
        return;
    }
    *(x->before != NULL ? &x->before->next : &listener->first) = x->next;
    if (x->next != NULL)
        x->next->before = x->before;
    reset(x);
    free(x);
}

/* --- The thread --- */

/* Goes on with those that were answered, or with all; and shuts those that take too long, which the library sees as
 * their end. Those that are handled may take as long as their handler. */
static void look_at_all(struct listener *listener, bool all)
{
    int64_t now_ms = clock_mono_ms();
    for (struct exchange *x = listener->first; x != NULL; x = x->next)
        if (x->suspended && (all || x->phase == ANSWERED)) {
            x->suspended = false;
            x->until_ms = now_ms + listener->request_ms;
            MHD_resume_connection(x->connection);
        } else if (!x->suspended && now_ms > x->until_ms) {
            shutdown(x->fd, SHUT_RDWR);
        }
}

static void *run(void *arg)
{
    struct listener *listener = arg;
    uint64_t count;
    while (!listener->stop) {
        struct pollfd fds[] = {{.fd = listener->wake, .events = POLLIN}, {.fd = listener->poll_fd, .events = POLLIN}};
        MHD_UNSIGNED_LONG_LONG pending_ms;
        int wait_ms = listener->request_ms < ROUND_MS ? listener->request_ms : ROUND_MS;
        if (MHD_get_timeout(listener->daemon, &pending_ms) == MHD_YES && pending_ms < (unsigned)wait_ms)
            wait_ms = (int)pending_ms;
        if (poll(fds, 2, wait_ms) > 0 && fds[0].revents != 0 && read(listener->wake, &count, sizeof count) < 0)
            errno = 0; /* another has read it */
        look_at_all(listener, false);
        MHD_run(listener->daemon);
    }
    return NULL;
}

/* --- Start and stop --- */

static bool open_daemon(struct listener *listener, const struct listener_options *options)
{
    struct addrinfo *at = NULL;
    char port[16];
    snprintf(port, sizeof port, "%d", options->port);
    if (getaddrinfo(
            options->address, port,
            &(struct addrinfo){.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM},
            &at) != 0) {
        errno = EADDRNOTAVAIL;
        return false;
    }
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (at->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    listener->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, listener, MHD_OPTION_SOCK_ADDR, at->ai_addr,
                                        MHD_OPTION_CONNECTION_LIMIT, (unsigned)LISTENER_CONNECTIONS_MAX,
                                        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)LISTENER_CONNECTIONS_EACH_MAX,
                                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LISTENER_HEAD_BYTES_MAX,
                                        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                                        listener, MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener, MHD_OPTION_END);
    freeaddrinfo(at);
    if (listener->daemon == NULL)
        return false;
    listener->port = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    listener->poll_fd = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return true;
}

static void close_all(struct listener *listener)
{
    listener->stop = true;
    if (listener->daemon != NULL) {
        look_at_all(listener, true); /* the library ends with no connection that is suspended */
        MHD_run(listener->daemon);
        MHD_stop_daemon(listener->daemon);
    }
    close(listener->wake);
    free(listener);
}

struct listener *listener_start(const struct listener_options *options, struct text *problem)
{
    struct listener *listener = xcalloc(1, sizeof *listener);
    listener->request_ms = options->request_ms;
    listener->routes = options->routes;
    listener->n_routes = options->n_routes;
    listener->self = options->self;
    listener->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (open_daemon(listener, options) && thread_start(&listener->thread, "listener", 0, run, listener))
        return listener;
    text_addf(problem, "Nothing can listen at %s, port %d: %s.", options->address, options->port, strerror(errno));
    close_all(listener);
    return NULL;
}

int listener_port(const struct listener *listener)
{
    return listener->port;
}

void listener_stop(struct listener *listener)
{
    if (listener == NULL)
        return;
    listener->stop = true;
    wake(listener);
    pthread_join(listener->thread, NULL);
    close_all(listener);
}
