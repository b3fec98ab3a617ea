/* A load generator's HTTP client: one thread, one epoll, many connections, one request at a time on each.
 *
 * Open loop: whoever schedules a request says when it was due, and latency counts from then, so that a server that
 * falls behind can't hide it. */
#ifndef PARTA_BENCH_CLIENT_H
#define PARTA_BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct conn;

/* The answer's status and body (NUL-terminated, valid during the call). status 0: the connection broke. */
typedef void conn_done(struct conn *conn, int status, const char *body, size_t len, void *arg);

struct client *client_create(int port);
void client_destroy(struct client *client);

struct conn *conn_open(struct client *client);
void conn_close(struct conn *conn);
bool conn_busy(const struct conn *conn);

/* Sends one request; done is called from client_run. token, body: NULL: none. */
void conn_send(struct conn *conn, const char *method, const char *path, const char *token, const char *body,
               conn_done *done, void *arg);

/* The same with header lines of the caller's, each ended by CRLF; what the body is, they say. */
void conn_send_as(struct conn *conn, const char *method, const char *path, const char *headers, const char *body,
                  conn_done *done, void *arg);

/* The head of the answer that done is told of, the body behind it. Valid in done. */
const char *conn_head(const struct conn *conn);

/* Handles what is ready, waiting at most wait_us. */
void client_run(struct client *client, int64_t wait_us);

int64_t now_us(void);

/* One request and its answer; the body is the caller's to free. status 0: broken. Runs the client meanwhile. */
char *client_ask(struct conn *conn, const char *method, const char *path, const char *token, const char *body,
                 int *status);

#endif
