/* Listening sockets. */
#ifndef PARTA_HTTP_LISTENER_H
#define PARTA_HTTP_LISTENER_H

struct http_listen;

/* Opens, binds and listens. The descriptor, −1: the cause is logged. *port: the one it got. */
int listener_open(const struct http_listen *where, int *port);

#endif
