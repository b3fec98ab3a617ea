#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* tcpi_bytes_acked, which netinet/tcp.h lacks */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/http/h2o_setup.h"
#include "homeserver/http/loop_private.h"
#include "homeserver/http/principals.h"

#define ACCEPTS_PER_TURN 16
#define LEAST_BYTES 65536 /* that a reader takes within its patience; whoever takes less holds up memory */
#define LEAST_BODY_BYTES                                                                                               \
    (256u << 10)              /* of a large body that come within body_ms: whoever sends less holds up a place */
#define FULL_READ_MS 10000    /* that patience, when much is unread */
#define CROWDED_IDLE_MS 2000  /* how long one without a whole request may stay when nearly all are taken */
#define REFUSED_TOLD_MS 60000 /* how often the log hears of connections that were closed at once */
#define LINGER_MS 2000        /* how long what was refused is thrown away after the answer */
#define LINGERING_MAX 64      /* of a loop */

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

static void leave_peer(struct connection *connection)
{
    if (connection->metrics)
        atomic_fetch_sub(&connection->loop->env->at_metrics, 1);
    if (connection->peer != NULL) {
        principal_keep(connection->peer, -(ptrdiff_t)connection->arriving);
        atomic_fetch_sub(&connection->peer->connections, 1);
    }
    principal_unref(connection->peer);
}

/* An address's are counted where they come from. */
static void leave_asker(struct connection *connection)
{
    struct principal *asker = connection->principal;
    if (asker != NULL && asker->name.kind != PRINCIPAL_ADDRESS)
        atomic_fetch_sub(&asker->connections, 1);
    principal_unref(asker);
}

void connection_asked(struct connection *connection, const struct principal_name *who)
{
    if (principal_is(connection->principal, who))
        return;
    leave_asker(connection);
    connection->principal = principals_find(connection->loop->env->principals, who);
    if (who->kind != PRINCIPAL_ADDRESS)
        atomic_fetch_add(&connection->principal->connections, 1);
}

void connection_shown(struct connection *connection, const struct request *request)
{
    const struct session *session = request->identity.session;
    connection->route = request->n_params == 0 ? request->route : NULL;
    if (session == NULL || session == connection->session)
        return;
    session_unref(connection->session);
    connection->session = session_ref(session);
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
    session_unref(connection->session);
    leave_asker(connection);
    leave_peer(connection);
    free(connection);
}

/* Whose connections it is one of: of the address's that it came from, but a trusted proxy's (NULL). */
static struct principal *peer_of(struct loop *loop, h2o_socket_t *sock)
{
    union {
        struct sockaddr plain;
        struct sockaddr_storage room;
    } peer;
    const struct loop_env *env = loop->env;
    struct address address = {{0}};
    if (h2o_socket_getpeername(sock, &peer.plain) != 0)
        address_from(&peer.plain, &address);
    if (address_is_trusted(&address, env->trusted, env->n_trusted))
        return NULL;
    struct principal_name name = principal_at(&address);
    return principals_find(env->principals, &name);
}

/* peer: NULL: of the metrics listener's. */
static void tell_refused(struct loop_env *env, const struct principal *peer)
{
    int64_t now_ms = clock_mono_ms(), told_ms = atomic_load(&env->refused_told_ms);
    long long n = atomic_fetch_add(&env->refused, 1) + 1;
    if ((told_ms != 0 && now_ms - told_ms < REFUSED_TOLD_MS) ||
        !atomic_compare_exchange_strong(&env->refused_told_ms, &told_ms, now_ms))
        return;
    char text[ADDRESS_TEXT];
    struct address address;
    if (peer == NULL) {
        log_warn("http", "the metrics listener has %d connections, and more are closed", ADMISSION_METRICS_MAX);
        return;
    }
    memcpy(address.bytes, peer->name.bytes, sizeof address.bytes);
    address_text(&address, text);
    log_warn("http",
             "%s has as many connections as one address may, and more are closed (%lld since the start). If it is a "
             "proxy, name it in http.trusted_proxies",
             text, n);
}

/* Fills in whose it is, and whether it is let in for one answer only. false: it is not let in. */
static bool let_in(struct loop_env *env, struct connection *connection)
{
    if (connection->metrics)
        return atomic_fetch_add(&env->at_metrics, 1) < ADMISSION_METRICS_MAX;
    struct principal *peer = connection->peer = peer_of(connection->loop, connection->sock);
    size_t own = peer != NULL ? atomic_fetch_add(&peer->connections, 1) : 0;
    enum admission admission = admission_of(&env->bounds, atomic_load(&env->connections), own);
    connection->brief = admission == ADMISSION_BRIEF;
    return admission != ADMISSION_REFUSED;
}

/* false: there are enough of whoever it is, and it is closed. */
static bool add_connection(struct loop *loop, h2o_socket_t *sock, SSL_CTX *tls, bool metrics)
{
    struct connection *connection = xcalloc(1, sizeof *connection);
    connection->loop = loop;
    connection->sock = sock;
    connection->metrics = metrics;
    connection->since_ms = clock_mono_ms();
    if (!let_in(loop->env, connection)) {
        tell_refused(loop->env, connection->peer);
        leave_peer(connection);
        free(connection);
        h2o_socket_close(sock);
        return false;
    }
    if (tls != NULL && SSL_CTX_up_ref(tls) == 1)
        connection->tls = tls;
    sock->on_close.cb = on_close;
    sock->on_close.data = connection;
    DL_APPEND(loop->connections, connection);
    atomic_fetch_add(&loop->env->connections, 1);
    return true;
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

static bool is_full(const struct loop *loop)
{
    return atomic_load(&loop->env->connections) >= loop->env->bounds.max;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    h2o_accept_ctx_t *accept = listener->data;
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, ctx, accept->ctx);
    if (err != NULL)
        return;
    bool metrics = accept == &loop->accept[LISTENER_METRICS];
    for (int i = 0; i < ACCEPTS_PER_TURN; ++i) {
        if (!metrics && is_full(loop)) {
            pause_listening(loop, false);
            return;
        }
        h2o_socket_t *sock = h2o_evloop_socket_accept(listener);
        if (sock == NULL) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_listening(loop, true);
            return;
        }
        if (!add_connection(loop, sock, accept->ssl_ctx, metrics))
            continue;
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
        if (loop->listeners[i] == NULL) { /* it never listened */
            close(loop->wanted[i].fd);
            continue;
        }
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

/* Whether the client has taken enough of the reply, or sent enough of a large body, since the connection was last said
 * to be moving. */
static bool has_progress(struct connection *connection, enum phase phase)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(h2o_socket_get_fd(connection->sock), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return true;
    uint64_t now = phase == PHASE_BODY ? info.tcpi_bytes_received : info.tcpi_bytes_acked;
    bool moved = now - connection->moved >= (phase == PHASE_BODY ? LEAST_BODY_BYTES : LEAST_BYTES);
    if (moved)
        connection->moved = now;
    return moved;
}

static int crowded_ms(const struct connection *connection, int ms)
{
    const struct loop_env *env = connection->loop->env;
    size_t own = connection->peer != NULL ? atomic_load(&connection->peer->connections) : 0;
    bool crowded = admission_is_crowded(&env->bounds, atomic_load(&env->connections), own);
    return crowded && ms > CROWDED_IDLE_MS ? CROWDED_IDLE_MS : ms;
}

static int64_t patience_ms(const struct connection *connection, enum phase phase)
{
    const struct loop_env *env = connection->loop->env;
    switch (phase) {
    case PHASE_IDLE: return crowded_ms(connection, env->idle_ms);
    case PHASE_HEAD: return crowded_ms(connection, env->header_ms);
    case PHASE_BODY: return env->body_ms;
    case PHASE_REPLY:
        return principals_are_full(env->principals) && env->idle_ms > FULL_READ_MS ? FULL_READ_MS : env->idle_ms;
    default: return INT64_MAX; /* parked, or with a handler */
    }
}

/* Bytes that the connection keeps of what was said, beyond the request that is being answered: a body that is not whole
 * yet, or what was said ahead, be it behind a request that is held. The buffer doubles as it grows. */
static size_t kept_of_input(const struct connection *connection, enum phase phase)
{
    const h2o_buffer_t *input = connection->sock->input;
    const struct request_context *context = connection->context;
    if (phase == PHASE_BODY || phase == PHASE_IDLE)
        return input->size;
    size_t asked = context != NULL ? 2 * context->r.raw_body_len : 0;
    return input->size != 0 && input->capacity > asked ? input->capacity - asked : 0;
}

/* Nobody has said yet who they are: it counts for the address, together with the replies that are not read there.
 * false: there is no room for it. */
static bool may_arrive(struct connection *connection, enum phase phase)
{
    if (connection->peer == NULL) /* a proxy, which has a body whole before it sends any, and says nothing ahead */
        return true;
    size_t bytes = connection->cut ? 0 : kept_of_input(connection, phase);
    if (bytes < LEAST_BYTES)
        bytes = 0;
    principal_keep(connection->peer, (ptrdiff_t)(bytes - connection->arriving));
    connection->arriving = bytes;
    return bytes == 0 || principal_has_room(connection->peer);
}

/* libh2o reads the end and closes the connection by itself, on a busy loop later than the sweeper comes again: the
 * others of the address are not to pay for what it still holds. */
static void cut(struct connection *connection)
{
    shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR);
    connection->cut = true;
    may_arrive(connection, connection->phase);
}

static int sweep_one(h2o_req_t *req, void *now)
{
    struct connection *connection = connection_of(req);
    struct timeval mark;
    int64_t now_ms = *(const int64_t *)now;
    enum phase phase = phase_of(connection, req, &mark);
    bool same = phase == connection->phase && timercmp(&mark, &connection->mark, ==) &&
                connection->requests == connection->seen;
    connection->http = true;
    bool moves = phase == PHASE_REPLY || (phase == PHASE_BODY && connection->context != NULL);
    if (!same || (moves && has_progress(connection, phase))) {
        connection->phase = phase;
        connection->mark = mark;
        connection->seen = connection->requests;
        connection->since_ms = now_ms;
    }
    if (may_arrive(connection, phase) && now_ms - connection->since_ms < patience_ms(connection, phase))
        return 0;
    char byte;
    int fd = h2o_socket_get_fd(connection->sock);
    if (phase != PHASE_IDLE || recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) /* no request that waits to be read */
        cut(connection);
    return 0;
}

void connection_sweep(struct loop *loop, int64_t now_ms)
{
    loop->ctx.globalconf->http1.callbacks.foreach_request(&loop->ctx, sweep_one, &now_ms);
    struct connection *connection;
    DL_FOREACH(loop->connections, connection) {
        /* libh2o lists none before the end of its TLS handshake, and its own timer for that follows the wall clock */
        if (!connection->http && now_ms - connection->since_ms >= patience_ms(connection, PHASE_HEAD))
            shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR);
    }
    struct lingering *lingering, *next;
    DL_FOREACH_SAFE(loop->lingering, lingering, next)
    {
        if (now_ms >= lingering->ends_ms)
            linger_end(lingering);
    }
    if (loop->starved || (loop->paused && !is_full(loop)))
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
