/* What a held connection keeps of what was read. libh2o reads into 4 KiB and keeps all of it as long as the request
 * lives, because its head lies there: of a school's polls that is a third of the memory. */
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

void h2o_input_slim(h2o_req_t *req)
{
    h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);
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
