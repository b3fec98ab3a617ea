/* What a held connection reads, and what it keeps of what was read. libh2o reads into 4 KiB and keeps all of it as long
 * as the request lives, because its head lies there: of a school's polls that is a third of the memory. And it stops
 * reading when it has a request: the connection would leave its epoll and come back with the answer, two
 * system calls a delivery. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/http/loop_private.h"

#define SLIM_MAX 2048 /* a longer head, or something pipelined behind it, stays where it is */

/* Moves what points into the old bytes. */
struct move {
    uintptr_t from;
    size_t len;
    uintptr_t to;
};

static void move_pointer(const struct move *move, void *pointer)
{
    uintptr_t at;
    memcpy(&at, pointer, sizeof at);
    if (at - move->from > move->len)
        return;
    at = at - move->from + move->to;
    memcpy(pointer, &at, sizeof at);
}

/* Names of headers that libh2o knows are its own and static; others are of the head. */
static void move_request(const struct move *move, h2o_req_t *req)
{
    for (size_t i = 0; i + sizeof(void *) <= sizeof *req; i += sizeof(void *))
        move_pointer(move, (char *)req + i);
    for (size_t i = 0; i < req->headers.size; ++i) {
        h2o_header_t *header = &req->headers.entries[i];
        if (!h2o_iovec_is_token(header->name))
            move_pointer(move, &header->name->base);
        move_pointer(move, &header->orig_name);
        move_pointer(move, &header->value.base);
    }
}

static void slim_down(h2o_socket_t *sock, h2o_req_t *req)
{
    h2o_buffer_t *old = sock->input;
    size_t capacity = 256;
    if (req->entity.base != NULL || old->bytes == NULL || old->size > SLIM_MAX)
        return;
    while (capacity < old->size)
        capacity *= 2;
    if (capacity >= old->capacity)
        return;
    h2o_buffer_t *slim = h2o_mem_alloc(offsetof(h2o_buffer_t, _buf) + capacity);
    *slim = (h2o_buffer_t){.capacity = capacity, .size = old->size, ._prototype = old->_prototype, ._fd = -1};
    slim->bytes = slim->_buf;
    memcpy(slim->bytes, old->bytes, old->size);
    move_request(&(struct move){(uintptr_t)old->bytes, old->size, (uintptr_t)slim->bytes}, req);
    sock->input = slim;
    h2o_buffer_dispose(&old);
}

/* The buffer is made larger before anything is read, were it the end: the request moves along. Whoever has more to say
 * while their request is held gets it answered, as if its time were up, and is heard then. */
static void on_more(h2o_socket_t *sock, const char *err)
{
    struct connection *connection = sock->on_close.data;
    struct request_context *context = connection->context;
    bool held = context != NULL && context->place == REQUEST_PARKED;
    if (context != NULL) {
        struct move move = {(uintptr_t)connection->head.base, connection->head.len, (uintptr_t)sock->input->bytes};
        move_request(&move, context->req);
        move_pointer(&move, &context->r.raw_body);
        connection->head.base = sock->input->bytes;
    }
    if (held && err == NULL && sock->bytes_read == 0) /* of TLS's own */
        return;
    h2o_socket_read_stop(sock);
    if (held && err != NULL)
        loop_gone(context);
    else if (held)
        loop_expire(context);
}

/* Where the last of the headers that libh2o has handed on ends: the head's end is not before it. */
static const char *last_value_end(const h2o_req_t *req, const h2o_buffer_t *input)
{
    size_t at = 0;
    for (size_t i = 0; i < req->headers.size; ++i) {
        const h2o_iovec_t *value = &req->headers.entries[i].value;
        size_t end = (uintptr_t)value->base - (uintptr_t)input->bytes + value->len;
        if (end > at && end <= input->size)
            at = end;
    }
    return input->bytes + at;
}

/* A body lies behind the head, as it came or put together from chunks: where it ends nobody here knows. */
bool h2o_input_is_ahead(const struct request_context *context)
{
    const h2o_buffer_t *input = context->connection->sock->input;
    if (context->req->entity.base != NULL || input->bytes == NULL)
        return false;
    const char *from = last_value_end(context->req, input), *past = input->bytes + input->size;
    const char *end = memmem(from, (size_t)(past - from), "\r\n\r\n", 4);
    return end != NULL && end + 4 < past;
}

void h2o_input_hold(struct request_context *context, bool slim)
{
    h2o_socket_t *sock = context->connection->sock;
    if (slim)
        slim_down(sock, context->req);
    context->connection->head = h2o_iovec_init(sock->input->bytes, sock->input->size);
    h2o_socket_read_start(sock, on_more);
}

void h2o_input_release(struct request_context *context)
{
    h2o_socket_read_stop(context->connection->sock);
}
