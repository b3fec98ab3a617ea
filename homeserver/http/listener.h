/* Listening sockets. */
#ifndef PARTA_HTTP_LISTENER_H
#define PARTA_HTTP_LISTENER_H

#include <stdbool.h>

/* One address to listen at. */
struct http_listen {
    const char *host; /* "127.0.0.1", "::", "::1"; numeric; NULL: every address (IPv6 and IPv4) */
    int port;         /* 0: any free one, see http_port */
    bool tls;
};

/* Opens, binds and listens. The descriptor, −1: the cause is logged. *port: the one it got. */
int listener_open(const struct http_listen *where, int *port);

#endif
