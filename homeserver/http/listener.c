#include "homeserver/http/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "homeserver/base/log.h"

union any_address {
    struct sockaddr plain;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* The length, 0: not a numeric address */
static socklen_t fill_address(union any_address *to, const char *host, int port)
{
    memset(to, 0, sizeof *to);
    if (inet_pton(AF_INET, host, &to->v4.sin_addr) == 1) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons((uint16_t)port);
        return sizeof to->v4;
    }
    if (inet_pton(AF_INET6, host, &to->v6.sin6_addr) != 1)
        return 0;
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_port = htons((uint16_t)port);
    return sizeof to->v6;
}

static int port_of(int fd)
{
    union any_address got = {0};
    socklen_t len = sizeof got;
    if (getsockname(fd, &got.plain, &len) != 0)
        return -1;
    return ntohs(got.plain.sa_family == AF_INET ? got.v4.sin_port : got.v6.sin6_port);
}

static int open_at(const char *host, int port, bool both)
{
    union any_address address;
    socklen_t len = fill_address(&address, host, port);
    int on = 1, v6_only = !both;
    if (len == 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(address.plain.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.plain.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
    if (bind(fd, &address.plain, len) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

int listener_open(const struct http_listen *where, int *port)
{
    int fd = open_at(where->host != NULL ? where->host : "::", where->port, where->host == NULL);
    if (fd < 0 && where->host == NULL) /* a machine without IPv6 */
        fd = open_at("0.0.0.0", where->port, false);
    if (fd < 0) {
        log_error("http", "cannot listen at %s port %d: %s", where->host != NULL ? where->host : "*", where->port,
                  strerror(errno));
        return -1;
    }
    *port = port_of(fd);
    return fd;
}
