/* Large bodies. libh2o 2.2 keeps every body in memory until it is whole and shows a request only then; all it does
 * before is to compare Content-Length with one limit for all paths. That limit is the size of ordinary JSON, and what
 * it refuses with 413 is taken over here: the head is parsed, nobody reads the connection, and the answer waits in our
 * filter.
 *
 * So who asks, whether they may, and how often, is known before a byte of the body is read. Then the body goes to the
 * disk piece by piece, by workers; while one writes, the connection is not read. When it is whole, the request goes on
 * like any other. Its connection is closed after the answer, as libh2o has promised the client. If the answer comes
 * before the body has (401, 413, 429), the rest is thrown away for a moment (connection_linger), or the client would
 * be told nothing but that the connection was reset. */
#include <sys/socket.h>

#include "homeserver/http/body_head.h"
#include "homeserver/http/loop_private.h"
#include "homeserver/http/uploads.h"

#define PIECE_BYTES (256u << 10) /* that are worth a worker's turn */

static void read_on(struct request_context *context);

/* The client has left, or the sweeper has lost its patience. */
static void lose(struct request_context *context)
{
    shutdown(h2o_socket_get_fd(context->connection->sock), SHUT_RDWR); /* so that what is sent now reaches nobody */
    context->body_to_come = 0;
    reply_status(&context->r, 499); /* for the log */
    h2o_exchange_answer(context);
}

static void on_body(h2o_socket_t *sock, const char *err)
{
    struct connection *connection = sock->on_close.data;
    if (err == NULL) {
        read_on(connection->context);
        return;
    }
    h2o_socket_read_stop(sock);
    lose(connection->context);
}

/* Nobody else touches the buffer while a worker has the piece: the socket is not read, written or closed. */
static void read_on(struct request_context *context)
{
    h2o_socket_t *sock = context->connection->sock;
    size_t missing = upload_missing(context->upload), there = sock->input->size;
    if (there < missing && there < PIECE_BYTES) {
        h2o_socket_read_start(sock, on_body);
        return;
    }
    h2o_socket_read_stop(sock);
    context->piece = sock->input->bytes;
    context->piece_len = there < missing ? there : missing;
    if (!loop_work(context, WORK_KEEP_BODY))
        loop_take(context->loop, context, dispatch_no_body(context, ERROR_UNAVAILABLE));
}

/* On a worker. */
void h2o_upload_keep(struct request_context *context)
{
    if (!upload_add(context->upload, context->piece, context->piece_len))
        context->piece_len = 0;
    else if (upload_missing(context->upload) > 0)
        return;
    else if ((context->r.route->flags & ROUTE_FILE) != 0)
        context->r.body_fd = upload_fd(context->upload);
    else {
        context->r.raw_body = upload_map(context->upload);
        if (context->r.raw_body == NULL)
            context->piece_len = 0;
    }
}

void h2o_upload_kept(struct request_context *context)
{
    h2o_socket_t *sock = context->connection->sock;
    if (context->piece_len == 0) {
        context->r.raw_body = "";
        loop_take(context->loop, context, dispatch_no_body(context, ERROR_UNAVAILABLE));
        return;
    }
    h2o_buffer_consume(&sock->input, context->piece_len);
    if (upload_missing(context->upload) > 0) {
        read_on(context);
        return;
    }
    context->r.raw_body_len = context->body_to_come;
    context->body_to_come = 0;
    loop_take(context->loop, context, dispatch_body(context));
}

static void on_continue_sent(h2o_socket_t *sock, const char *err)
{
    struct connection *connection = sock->on_close.data;
    if (err != NULL)
        lose(connection->context);
    else
        read_on(connection->context);
}

void h2o_upload_begin(struct request_context *context)
{
    static h2o_iovec_t CONTINUE = {H2O_STRLIT("HTTP/1.1 100 Continue\r\n\r\n")};
    static const int BYTES = PIECE_BYTES;
    struct loop *loop = context->loop;
    /* libh2o reads whatever the kernel has, and asks again when its buffer was filled: from a fast client it would take
     * tens of megabytes at once. So the kernel keeps less. */
    setsockopt(h2o_socket_get_fd(context->connection->sock), SOL_SOCKET, SO_RCVBUF, &BYTES, sizeof BYTES);
    enum upload_outcome outcome =
        upload_begin(loop->env->uploads, &context->r.identity, context->r.ip, context->body_to_come, &context->upload);
    if (outcome != UPLOAD_BEGUN)
        loop_take(loop, context,
                  dispatch_no_body(context, outcome == UPLOAD_FULL ? ERROR_UNAVAILABLE : ERROR_LIMIT_EXCEEDED));
    else if (context->continues)
        h2o_socket_write(context->connection->sock, &CONTINUE, 1, on_continue_sent);
    else
        read_on(context);
}

bool h2o_upload_take_over(h2o_ostream_t *stream, h2o_req_t *req)
{
    struct connection *connection = connection_of(req);
    h2o_socket_t *sock = connection->sock;
    struct body_head body;
    if (!body_head_scan(sock->input->bytes, sock->input->size, &body) || body.encoded || body.length <= 0) {
        connection_linger(connection); /* in chunks, whose beginning libh2o has decoded already */
        return false;
    }
    struct request_context *context = h2o_exchange_context(req);
    context->held = stream;
    context->body_to_come = (size_t)body.length;
    context->continues = body.waits;
    h2o_buffer_consume(&sock->input, body.head_len); /* libh2o has copied what the request still needs of it */
    loop_take(connection->loop, context, dispatch_begin(context, &connection->loop->env->limits));
    return true;
}
