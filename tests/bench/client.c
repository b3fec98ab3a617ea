#include "tests/bench/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "homeserver/base/text.h"

struct client {
    int epoll, port;
};

struct conn {
    struct client *client;
    int fd; /* −1: closed */
    struct text out;
    size_t sent;
    struct text in;
    const char *head; /* of the answer that is told of just now */
    bool busy;
    conn_done *done;
    void *arg;
};

int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct client *client_create(int port)
{
    struct client *client = xcalloc(1, sizeof *client);
    client->port = port;
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    return client;
}

void client_destroy(struct client *client)
{
    close(client->epoll);
    free(client);
}

static void conn_connect(struct conn *conn)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)conn->client->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("bench: connect");
        exit(1);
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    epoll_ctl(conn->client->epoll, EPOLL_CTL_ADD, conn->fd, &event);
}

struct conn *conn_open(struct client *client)
{
    struct conn *conn = xcalloc(1, sizeof *conn);
    conn->client = client;
    conn_connect(conn);
    return conn;
}

static void disconnect(struct conn *conn)
{
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
}

void conn_close(struct conn *conn)
{
    if (conn == NULL)
        return;
    disconnect(conn);
    text_finish(&conn->out);
    text_finish(&conn->in);
    free(conn);
}

bool conn_busy(const struct conn *conn)
{
    return conn->busy;
}

static void answer(struct conn *conn, int status, const char *body, size_t len)
{
    conn->busy = false;
    conn->done(conn, status, body, len, conn->arg);
}

static void push(struct conn *conn)
{
    while (conn->sent < conn->out.len) {
        ssize_t n = send(conn->fd, conn->out.data + conn->sent, conn->out.len - conn->sent, MSG_NOSIGNAL);
        if (n <= 0) { /* requests are small and the socket blocks: this is a broken connection */
            disconnect(conn);
            answer(conn, 0, "", 0);
            return;
        }
        conn->sent += (size_t)n;
    }
}

static void begin(struct conn *conn, const char *method, const char *path)
{
    if (conn->fd < 0)
        conn_connect(conn);
    text_clear(&conn->out);
    text_clear(&conn->in);
    text_addf(&conn->out, "%s %s HTTP/1.1\r\nhost: bench\r\n", method, path);
}

static void end(struct conn *conn, const char *body, conn_done *done, void *arg)
{
    if (body != NULL)
        text_addf(&conn->out, "content-length: %zu\r\n", strlen(body));
    text_adds(&conn->out, "\r\n");
    if (body != NULL)
        text_adds(&conn->out, body);
    conn->sent = 0;
    conn->busy = true;
    conn->done = done;
    conn->arg = arg;
    push(conn);
}

void conn_send(struct conn *conn, const char *method, const char *path, const char *token, const char *body,
               conn_done *done, void *arg)
{
    begin(conn, method, path);
    if (token != NULL)
        text_addf(&conn->out, "authorization: Bearer %s\r\n", token);
    if (body != NULL)
        text_adds(&conn->out, "content-type: application/json\r\n");
    end(conn, body, done, arg);
}

void conn_send_as(struct conn *conn, const char *method, const char *path, const char *headers, const char *body,
                  conn_done *done, void *arg)
{
    begin(conn, method, path);
    text_adds(&conn->out, headers);
    end(conn, body, done, arg);
}

const char *conn_head(const struct conn *conn)
{
    return conn->head;
}

/* The body of an answer in chunks, put together. false: it is not whole yet. */
static bool dechunk(const char *at, const char *end, struct text *body)
{
    for (size_t size = 1; size > 0;) {
        const char *line = strstr(at, "\r\n");
        if (line == NULL)
            return false;
        size = strtoul(at, NULL, 16);
        at = line + 2;
        if ((size_t)(end - at) < size + 2)
            return false;
        text_add(body, at, size);
        at += size + 2;
    }
    return true;
}

/* The connection has its answer, which lay in taken; done may send the next request on it. */
static void answer_from(struct conn *conn, struct text taken, const char *body, size_t len)
{
    conn->in = TEXT_INIT;
    conn->head = taken.data;
    answer(conn, atoi(taken.data + 9), body, len);
    text_clear(&taken);
    if (conn->in.data == NULL && conn->fd >= 0)
        conn->in = taken;
    else
        text_finish(&taken);
}

static void look_at_input(struct conn *conn)
{
    char *end = conn->in.data != NULL ? strstr(conn->in.data, "\r\n\r\n") : NULL;
    if (end == NULL)
        return;
    size_t head = (size_t)(end - conn->in.data) + 4, length = 0;
    bool chunked = false;
    for (char *line = conn->in.data; line < end; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, "content-length:", 15) == 0)
            length = strtoul(line + 15, NULL, 10);
        chunked |= strncasecmp(line, "transfer-encoding: chunked", 26) == 0;
    }
    struct text body = TEXT_INIT;
    if (!chunked && conn->in.len >= head + length)
        answer_from(conn, conn->in, conn->in.data + head, length);
    else if (chunked && dechunk(conn->in.data + head, conn->in.data + conn->in.len, &body))
        answer_from(conn, conn->in, body.data != NULL ? body.data : "", body.len);
    text_finish(&body);
}

static void on_readable(struct conn *conn)
{
    text_reserve(&conn->in, 16384);
    ssize_t n = recv(conn->fd, conn->in.data + conn->in.len, conn->in.cap - conn->in.len - 1, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        disconnect(conn);
        if (conn->busy)
            answer(conn, 0, "", 0);
        return;
    }
    conn->in.len += (size_t)n;
    conn->in.data[conn->in.len] = '\0';
    if (conn->busy)
        look_at_input(conn);
}

void client_run(struct client *client, int64_t wait_us)
{
    struct epoll_event events[256];
    struct timespec wait = {wait_us / 1000000, wait_us % 1000000 * 1000};
    int n = epoll_pwait2(client->epoll, events, 256, &wait, NULL);
    for (int i = 0; i < n; ++i)
        on_readable(events[i].data.ptr);
}

struct asking {
    bool done;
    int status;
    char *body;
};

static void on_asked(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct asking *a = arg;
    *a = (struct asking){true, status, xstrndup(body, len)};
}

char *client_ask(struct conn *conn, const char *method, const char *path, const char *token, const char *body,
                 int *status)
{
    struct asking a = {0};
    conn_send(conn, method, path, token, body, on_asked, &a);
    while (!a.done)
        client_run(conn->client, 1000000);
    *status = a.status;
    return a.body;
}
