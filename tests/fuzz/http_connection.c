/* A connection's bytes, to the real loop in this process: libh2o's parser, and all that our callbacks make of it. The
 * first byte says after how many bytes the rest comes in a second piece. Nothing may crash, hang or leak; what comes
 * back is HTTP/1.1, and the connection ends. (HTTP/2 is not spoken, so that its bytes are a request like any other.) */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/log.h"
#include "homeserver/http/dispatch.h"
#include "homeserver/http/http.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/server.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define PATIENCE_S 20 /* a connection that does not end by then hangs */
#define BODY_MAX 4096

static struct server server;
static struct http *http;

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- what is served */

static bool get_echo(struct request *r)
{
    json_t *query = json_object();
    for (int i = 0; i < r->n_query; ++i)
        json_object_set_new(query, r->query[i].name, json_string(r->query[i].value));
    return reply_json(r, json_pack("{s:s, s:o, s:s}", "a", r->params[0], "query", query, "ip", r->ip));
}

static bool post_body(struct request *r)
{
    return reply_json(r, json_incref(r->body));
}

static bool put_raw(struct request *r)
{
    return reply_json(r, json_pack("{s:I}", "len", (json_int_t)r->raw_body_len));
}

static bool get_file(struct request *r)
{
    int file = memfd_create("file", MFD_CLOEXEC);
    must(file >= 0 && write(file, "0123456789", 10) == 10);
    reply_header(r, "etag", "\"one\"");
    return reply_file(r, file, 10, "image/png");
}

static size_t raw_max(const struct server *of)
{
    return of != NULL ? 2 * BODY_MAX : 0;
}

static const struct route TABLE[] = {
    {HTTP_GET, "/e/{a}", get_echo, ROUTE_ON_LOOP, RATE_NONE},
    {HTTP_POST, "/b", post_body, ROUTE_BODY, RATE_NONE},
    {HTTP_PUT, "/a", post_body, ROUTE_BODY | ROUTE_BODY_ANY, RATE_NONE},
    {HTTP_PUT, "/r", put_raw, 0, RATE_NONE, .body_max = raw_max},
    {HTTP_GET, "/f", get_file, 0, RATE_NONE},
    {HTTP_GET, "/w", get_echo, ROUTE_AUTH, RATE_NONE},
};
static const struct routes ROUTES_ = ROUTES(TABLE);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct credential_kind *const NONE[] = {NULL};
    static const struct routes *const TABLES[] = {&ROUTES_};
    static const struct http_listen LISTEN[] = {{"127.0.0.1", 0, false}};
    static const char *const PROXIES[] = {"127.0.0.0/8"};
    const struct http_settings settings = {.listen = LISTEN,
                                           .n_listen = 1,
                                           .loops = 1,
                                           .workers = 1,
                                           .hashers = 1,
                                           .body_max = BODY_MAX,
                                           .trusted_proxies = PROXIES,
                                           .n_trusted_proxies = 1};
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_ERROR);
    server.credentials = NONE;
    must(crypto_start());
    http = http_start(&settings, &server, TABLES, 1);
    must(http != NULL);
    return 0;
}

/* ---- a client */

/* libFuzzer looks at its clock by a signal, also here. */
static void connect_to(int fd, const struct sockaddr_in *to)
{
    struct pollfd made = {.fd = fd, .events = POLLOUT};
    int fault = 0, n;
    socklen_t len = sizeof fault;
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0)
        return;
    must(errno == EINTR); /* it goes on */
    while ((n = poll(&made, 1, PATIENCE_S * 1000)) < 0)
        must(errno == EINTR);
    must(n == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &len) == 0 && fault == 0);
}

/* From another address of this machine each time: ports that were used rest for a minute. */
static int open_connection(void)
{
    static uint32_t at;
    const int on = 1;
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010000 + ++at % 0x700000)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)http_port(http, 0))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    must(bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
    connect_to(fd, &to);
    return fd;
}

/* The other side may close before it has read all. */
static void send_piece(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

static void drain(int fd)
{
    char piece[16384];
    bool first = true;
    ssize_t n;
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        must(!first || n < 9 || memcmp(piece, "HTTP/1.1 ", 9) == 0);
        first = false;
    }
    must(n == 0 || errno == ECONNRESET);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    size_t cut = bytes[0] < len ? bytes[0] : len;
    int fd = open_connection();
    if (cut > 1)
        send_piece(fd, bytes + 1, cut - 1);
    if (cut < len)
        send_piece(fd, bytes + (cut > 1 ? cut : 1), len - (cut > 1 ? cut : 1));
    shutdown(fd, SHUT_WR);
    drain(fd);
    close(fd);
    return 0;
}
