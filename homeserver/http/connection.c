#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* tcpi_bytes_acked, which netinet/tcp.h lacks */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/http/h2o_setup.h"
#include "homeserver/http/loop_private.h"
#include "homeserver/http/principals.h"

#define ACCEPTS_PER_TURN 16
#define LEAST_BYTES 65536    /* that a reader takes within its patience; whoever takes less holds up memory */
#define FULL_READ_MS 10000   /* that patience, when much is unread */
#define CROWDED_IDLE_MS 2000 /* how long an idle connection may stay when nearly all are taken */
#define LINGER_MS 2000       /* how long what was refused is thrown away after the answer */
#define LINGERING_MAX 64     /* of a loop */

/* A request was refused before its body was read. If its connection were simply closed, the kernel would answer what is
 * still on its way with a reset, and the client might never see why. A second descriptor keeps the connection: what
 * comes is thrown away, and after the answer the client hears that nothing more will come, and has LINGER_MS to end. */
struct lingering {
    struct loop *loop;
    h2o_socket_t *sock;
    int64_t ends_ms; /* INT64_MAX: the connection still sends its answer */
    struct lingering *prev, *next;
};

static void linger_end(struct lingering *lingering)
{
    struct loop *loop = lingering->loop;
    DL_DELETE(loop->lingering, lingering);
    atomic_fetch_sub(&loop->env->connections, 1);
    h2o_socket_read_stop(lingering->sock);
    h2o_socket_close(lingering->sock);
    free(lingering);
}

static void on_thrown_away(h2o_socket_t *sock, const char *err)
{
    char bytes[16384];
    struct lingering *lingering = sock->data;
    ssize_t n = -1;
    for (int i = 0; i < 16 && (n = read(h2o_socket_get_fd(sock), bytes, sizeof bytes)) > 0; ++i)
        continue;
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    if (lingering->ends_ms == INT64_MAX) /* the connection has not been closed yet, and knows of this */
        h2o_socket_read_stop(sock);
    else
        linger_end(lingering);
}

void connection_linger(struct connection *connection)
{
    struct loop *loop = connection->loop;
    struct lingering *other;
    int n = 0;
    DL_COUNT(loop->lingering, other, n);
    int fd = connection->lingering == NULL && n < LINGERING_MAX
                 ? fcntl(h2o_socket_get_fd(connection->sock), F_DUPFD_CLOEXEC, 0)
                 : -1;
    if (fd < 0)
        return;
    struct lingering *lingering = xcalloc(1, sizeof *lingering);
    *lingering = (struct lingering){.loop = loop, .ends_ms = INT64_MAX};
    lingering->sock = h2o_evloop_socket_create(loop->ctx.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    lingering->sock->data = lingering;
    h2o_socket_read_start(lingering->sock, on_thrown_away);
    connection->lingering = lingering;
    DL_APPEND(loop->lingering, lingering);
    atomic_fetch_add(&loop->env->connections, 1);
}

static void on_close(void *data)
{
    struct connection *connection = data;
    struct loop *loop = connection->loop;
    DL_DELETE(loop->connections, connection);
    if (connection->lingering != NULL) {
        shutdown(h2o_socket_get_fd(connection->lingering->sock), SHUT_WR);
        connection->lingering->ends_ms = clock_mono_ms() + LINGER_MS;
    }
    atomic_fetch_sub(&loop->env->connections, 1);
    SSL_CTX_free(connection->tls);
    principal_unref(connection->principal);
    free(connection);
}

static void add_connection(struct loop *loop, h2o_socket_t *sock, SSL_CTX *tls)
{
    struct connection *connection = xcalloc(1, sizeof *connection);
    connection->loop = loop;
    connection->sock = sock;
    connection->since_ms = clock_mono_ms();
    if (tls != NULL && SSL_CTX_up_ref(tls) == 1)
        connection->tls = tls;
    sock->on_close.cb = on_close;
    sock->on_close.data = connection;
    DL_APPEND(loop->connections, connection);
    atomic_fetch_add(&loop->env->connections, 1);
}

/* The sweeper looks every second whether there is room again. starved: there are no descriptors, for nobody; a
 * level-triggered listener that goes on would keep the loop spinning. */
static void pause_listening(struct loop *loop, bool starved)
{
    if (loop->paused && (loop->starved || !starved))
        return;
    loop->paused = true;
    loop->starved |= starved;
    for (size_t i = 0; i < loop->n_listeners; ++i)
        if (starved || loop->wanted[i].kind != LISTENER_METRICS)
            h2o_socket_read_stop(loop->listeners[i]);
    loop_timer(loop);
}

static bool is_crowded(const struct loop *loop)
{
    return atomic_load(&loop->env->connections) >= loop->env->connections_max;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    h2o_accept_ctx_t *accept = listener->data;
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, ctx, accept->ctx);
    if (err != NULL)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN; ++i) {
        if (accept != &loop->accept[LISTENER_METRICS] && is_crowded(loop)) {
            pause_listening(loop, false);
            return;
        }
        h2o_socket_t *sock = h2o_evloop_socket_accept(listener);
        if (sock == NULL) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_listening(loop, true);
            return;
        }
        add_connection(loop, sock, accept->ssl_ctx);
        loop_timer(loop);
        h2o_accept(accept, sock);
    }
}

void connection_listen(struct loop *loop)
{
    for (size_t i = 0; i < loop->n_listeners; ++i) {
        h2o_socket_t *sock = h2o_evloop_socket_create(loop->ctx.loop, loop->wanted[i].fd, H2O_SOCKET_FLAG_DONT_READ);
        sock->data = &loop->accept[loop->wanted[i].kind];
        h2o_socket_read_start(sock, on_accept);
        loop->listeners[i] = sock;
    }
}

static void resume_listening(struct loop *loop)
{
    for (size_t i = 0; i < loop->n_listeners; ++i)
        if (loop->starved || loop->wanted[i].kind != LISTENER_METRICS)
            h2o_socket_read_start(loop->listeners[i], on_accept);
    loop->paused = loop->starved = false;
}

void connection_unlisten(struct loop *loop)
{
    for (size_t i = 0; i < loop->n_listeners; ++i) {
        h2o_socket_read_stop(loop->listeners[i]);
        h2o_socket_close(loop->listeners[i]);
    }
    loop->n_listeners = 0;
    loop->paused = loop->starved = false;
}

struct connection *connection_of(h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

/* A connection enters the watch with its first held request and leaves it when its descriptor is closed. Only the edge
 * is reported, so that one that is not held right now costs nothing. */
void connection_watch(struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    if (connection->watched)
        return;
    connection->watched =
        epoll_ctl(connection->loop->watch, EPOLL_CTL_ADD, h2o_socket_get_fd(connection->sock), &event) == 0;
}

/* No connection is closed in here (libh2o closes later, when the write has failed), so the
 * events' pointers stay good. */
static void on_hang_up(h2o_socket_t *sock, const char *err)
{
    struct loop *loop = sock->data;
    struct epoll_event events[64];
    int n;
    do {
        n = epoll_wait(loop->watch, events, 64, 0);
        for (int i = 0; i < n; ++i) {
            struct connection *connection = events[i].data.ptr;
            connection->gone = true;
            if (connection->context != NULL && connection->context->place == REQUEST_PARKED)
                loop_gone(connection->context);
        }
    } while (n == 64);
}

void connection_watch_start(struct loop *loop)
{
    loop->watch_sock = h2o_evloop_socket_create(loop->ctx.loop, loop->watch, H2O_SOCKET_FLAG_DONT_READ);
    loop->watch_sock->data = loop;
    h2o_socket_read_start(loop->watch_sock, on_hang_up);
}

void connection_watch_stop(struct loop *loop)
{
    h2o_socket_read_stop(loop->watch_sock);
    h2o_socket_close(loop->watch_sock);
}

static enum phase phase_of(const struct connection *connection, const h2o_req_t *req, struct timeval *mark)
{
    const struct request_context *context = connection->context;
    *mark = req->timestamps.request_begin_at;
    if (req->timestamps.response_start_at.tv_sec != 0)
        return PHASE_REPLY;
    if (context != NULL)
        return context->body_to_come > 0 && context->upload != NULL ? PHASE_BODY : PHASE_HANDLER;
    if (req->timestamps.request_body_begin_at.tv_sec != 0)
        return PHASE_BODY;
    return req->timestamps.request_begin_at.tv_sec != 0 ? PHASE_HEAD : PHASE_IDLE;
}

/* Whether the client has taken enough of the reply since the connection was last said to be moving. */
static bool has_progress(struct connection *connection)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(h2o_socket_get_fd(connection->sock), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return true;
    bool moved = info.tcpi_bytes_acked - connection->acked >= LEAST_BYTES;
    if (moved)
        connection->acked = info.tcpi_bytes_acked;
    return moved;
}

static int64_t patience_ms(const struct loop *loop, enum phase phase)
{
    const struct loop_env *env = loop->env;
    bool crowded = atomic_load(&env->connections) > env->connections_max - env->connections_max / 10;
    switch (phase) {
    case PHASE_IDLE: return crowded && env->idle_ms > CROWDED_IDLE_MS ? CROWDED_IDLE_MS : env->idle_ms;
    case PHASE_HEAD: return env->header_ms;
    case PHASE_BODY: return env->body_ms;
    case PHASE_REPLY:
        return principals_are_full(env->principals) && env->idle_ms > FULL_READ_MS ? FULL_READ_MS : env->idle_ms;
    default: return INT64_MAX; /* parked, or with a handler */
    }
}

/* shutdown makes libh2o read the end and close the connection by itself. */
static int sweep_one(h2o_req_t *req, void *now)
{
    struct connection *connection = connection_of(req);
    struct timeval mark;
    int64_t now_ms = *(const int64_t *)now;
    enum phase phase = phase_of(connection, req, &mark);
    bool same = phase == connection->phase && timercmp(&mark, &connection->mark, ==) &&
                connection->requests == connection->seen;
    connection->http = true;
    if (!same || (phase == PHASE_REPLY && has_progress(connection))) {
        connection->phase = phase;
        connection->mark = mark;
        connection->seen = connection->requests;
        connection->since_ms = now_ms;
    }
    if (now_ms - connection->since_ms < patience_ms(connection->loop, phase))
        return 0;
    char byte;
    int fd = h2o_socket_get_fd(connection->sock);
    if (phase != PHASE_IDLE || recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) /* no request that waits to be read */
        shutdown(fd, SHUT_RDWR);
    return 0;
}

void connection_sweep(struct loop *loop, int64_t now_ms)
{
    loop->ctx.globalconf->http1.callbacks.foreach_request(&loop->ctx, sweep_one, &now_ms);
    struct connection *connection;
    DL_FOREACH(loop->connections, connection) {
        /* libh2o lists none before the end of its TLS handshake, and its own timer for that follows the wall clock */
        if (!connection->http && now_ms - connection->since_ms >= loop->env->header_ms)
            shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR);
    }
    struct lingering *lingering, *next;
    DL_FOREACH_SAFE(loop->lingering, lingering, next)
    {
        if (now_ms >= lingering->ends_ms)
            linger_end(lingering);
    }
    if (loop->starved || (loop->paused && !is_crowded(loop)))
        resume_listening(loop);
}

static int end_if_idle(h2o_req_t *req, void *unused)
{
    struct connection *connection = connection_of(req);
    connection->http = true;
    if (req->version == 0) /* no request was parsed on it yet, or any more */
        shutdown(h2o_socket_get_fd(connection->sock), SHUT_RD);
    return 0;
}

void connection_close_idle(struct loop *loop)
{
    struct connection *connection;
    loop->ctx.globalconf->http1.callbacks.foreach_request(&loop->ctx, end_if_idle, NULL);
    DL_FOREACH(loop->connections, connection) {
        if (!connection->http) /* still in the handshake, which libh2o lists nowhere */
            shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR);
    }
    struct lingering *lingering, *next;
    DL_FOREACH_SAFE(loop->lingering, lingering, next)
    {
        if (lingering->ends_ms != INT64_MAX)
            linger_end(lingering);
    }
}

void connection_cut(struct loop *loop)
{
    struct connection *connection;
    DL_FOREACH(loop->connections, connection) {
        shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR);
    }
}
