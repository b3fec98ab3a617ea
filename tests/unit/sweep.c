/* The sweeper on a loop that is too busy to come to what was cut: connections that stand as the loop would have them,
 * and nothing turns it between two looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <h2o.h>

#include "homeserver/base/text.h"
#include "homeserver/http/address.h"
#include "homeserver/http/loop_private.h"
#include "homeserver/http/principals.h"

#define KIB 1024u
#define ROOM (200u * KIB) /* what one address may have on its way; UNREAD_PART of it is all there is */
#define AT_ONCE 3

/* One whose body is on its way: so much of it has come. */
static struct guest {
    struct connection connection;
    h2o_conn_t conn;
    h2o_req_t req;
    int client;
} guests[AT_ONCE];
static size_t n_guests;

static h2o_socket_t *socket_of(h2o_conn_t *conn)
{
    return H2O_STRUCT_FROM_MEMBER(struct guest, conn, conn)->connection.sock;
}

static int each_request(h2o_context_t *ctx, int (*look)(h2o_req_t *req, void *arg), void *arg)
{
    for (size_t i = 0; i < n_guests; ++i)
        if (look(&guests[i].req, arg) != 0)
            return -1;
    return 0;
}

static const h2o_conn_callbacks_t CONN = {.get_socket = socket_of};

struct place {
    h2o_globalconf_t config;
    struct loop_env env;
    struct loop loop;
    struct principal *address;
};

static int open_place(void **state)
{
    struct place *place = xcalloc(1, sizeof *place);
    struct address address = {{0}};
    place->config.http1.callbacks.foreach_request = each_request;
    place->env.body_ms = 3600000;
    place->env.bounds.max = 1000;
    place->env.principals = principals_create(4, 8 * ROOM);
    place->loop.env = &place->env;
    place->loop.ctx.loop = h2o_evloop_create();
    place->loop.ctx.globalconf = &place->config;
    struct principal_name name = principal_at(&address);
    place->address = principals_find(place->env.principals, &name);
    n_guests = 0;
    *state = place;
    return 0;
}

static int close_place(void **state)
{
    struct place *place = *state;
    for (size_t i = 0; i < n_guests; ++i) {
        principal_keep(place->address, -(ptrdiff_t)guests[i].connection.arriving);
        h2o_socket_close(guests[i].connection.sock);
        close(guests[i].client);
    }
    h2o_evloop_run(place->loop.ctx.loop, 0); /* frees the sockets */
    h2o_evloop_destroy(place->loop.ctx.loop);
    principal_unref(place->address);
    principals_destroy(place->env.principals);
    free(place);
    return 0;
}

static struct guest *come(struct place *place, size_t bytes)
{
    struct guest *guest = &guests[n_guests++];
    int pair[2];
    memset(guest, 0, sizeof *guest);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    guest->client = pair[0];
    guest->conn.callbacks = &CONN;
    guest->req.conn = &guest->conn;
    guest->req.timestamps.request_begin_at.tv_sec = guest->req.timestamps.request_body_begin_at.tv_sec = 1;
    guest->connection.loop = &place->loop;
    guest->connection.peer = place->address;
    guest->connection.sock = h2o_evloop_socket_create(place->loop.ctx.loop, pair[1], H2O_SOCKET_FLAG_DONT_READ);
    guest->connection.sock->on_close.data = &guest->connection;
    h2o_buffer_init(&guest->connection.sock->input, &h2o_socket_buffer_prototype);
    h2o_buffer_reserve(&guest->connection.sock->input, bytes);
    guest->connection.sock->input->size = bytes;
    return guest;
}

static bool is_cut(const struct guest *guest)
{
    char byte;
    return recv(guest->client, &byte, 1, MSG_DONTWAIT) == 0;
}

/* The one that went beyond the address's share is cut, and nobody else however often the sweeper comes by before the
 * loop has read its end: what it holds counts for nobody any more. */
static void one_that_was_cut_makes_none_cut(void **state)
{
    struct place *place = *state;
    struct guest *first = come(place, 150 * KIB), *second = come(place, 100 * KIB), *small = come(place, 10 * KIB);
    for (int look = 1; look <= 3; ++look) {
        connection_sweep(&place->loop, look * 1000);
        assert_false(is_cut(first));
        assert_true(is_cut(second));
        assert_false(is_cut(small));
    }
    assert_int_equal(place->address->unread, 150 * KIB);
}

/* What is on its way of a cut one is not counted again when more of it has come. */
static void one_that_was_cut_counts_no_more(void **state)
{
    struct place *place = *state;
    struct guest *guest = come(place, ROOM + KIB);
    connection_sweep(&place->loop, 1000);
    assert_true(is_cut(guest));
    assert_int_equal(place->address->unread, 0);
    h2o_buffer_reserve(&guest->connection.sock->input, ROOM);
    guest->connection.sock->input->size += ROOM;
    connection_sweep(&place->loop, 2000);
    assert_int_equal(place->address->unread, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_was_cut_makes_none_cut, open_place, close_place),
        cmocka_unit_test_setup_teardown(one_that_was_cut_counts_no_more, open_place, close_place),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
