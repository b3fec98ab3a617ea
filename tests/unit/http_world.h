/* A real server on the loopback with a small route table, and raw sockets as clients: what the tests of the HTTP layer
 * (tests/unit/http_*.c) share. */
#ifndef PARTA_TESTS_UNIT_HTTP_WORLD_H
#define PARTA_TESTS_UNIT_HTTP_WORLD_H

#include <stdatomic.h>

#include "homeserver/http/http.h"
#include "homeserver/http/server.h"
#include "tests/unit/fixture.h"

#define HEADER_MS 700
#define IDLE_MS 2500
#define AT_ONCE_MS 2000   /* what is closed later than that was idle for as long as it may be */
#define PATIENCE_MS 60000 /* for what comes soon: it only tells that something hangs, also on a busy machine */
#define BODY_MAX 4096
#define RAW_MAX 300000
#define FILE_BYTES 300000
#define HELD "GET /held/nobody HTTP/1.1\r\n\r\n"

/* The server under test. One for most tests; some start another. */
struct world {
    struct fixture f;
    struct server server;
    struct http *http;
    char cert[128], key[128];
    user_no users[4];
    stream_pos pos; /* of the last change told to the hub */
};

enum { ACTIVE, ADMIN, LOCKED, PENDING };

struct answer {
    int status; /* 0: the server closed without an answer */
    char head[4096];
    char *body;
    size_t len;
    json_t *json; /* NULL: the body is none */
};

/* A second server with a hub of its own takes the first one's place for one test. */
struct aside {
    struct server server;
    struct http *first;
    struct sync_hub *hub;
};

extern struct world *W;
extern _Atomic int slow_running, slow_done, released;
extern _Atomic int written;
extern _Atomic int held, let_go;
void write_certificate(struct world *w, const char *name);
extern const struct routes *const HTTP_WORLD_TABLES[1];
struct http_settings settings_of(const struct world *w);
int http_world_start(void **state);
int http_world_stop(void **state);

/* Tells the hub that something of the user's changed, as the writer would. */
stream_pos change(int who);

/* From 127.0.0.host. */
int dial_from(int host, int port);
int dial(int port);
int dial_plain(void);
void say(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void forget(struct answer *a);
const char *answer_header(const struct answer *a, const char *name, char *out, size_t cap);

/* One answer off the wire, byte by byte so that what is pipelined behind it stays there. */
bool hear_head(int fd, struct answer *a);
void hear(int fd, struct answer *a, bool head_only);
void assert_answer(const struct answer *a, int status, const char *errcode);

/* One request on a connection of its own. token may be NULL. */
struct answer ask_on(int port, const char *method, const char *path, const char *token, const char *body);
struct answer ask(const char *method, const char *path, const char *token, const char *body);
const char *member(const struct answer *a, const char *key);
int64_t number(const struct answer *a, const char *key);

/* Waits until the server closes; how long it took. */
int64_t wait_for_close(int fd);
size_t gauge_of(const char *name);
void wait_for_gauge(const char *name, size_t wanted);
void begin_aside(struct aside *aside, const struct http_settings *settings);
void end_aside(struct aside *aside);
void say_get(int fd, const char *path, const char *token);

/* Once every connection is gone, and with it what its request held. */
void wait_until_quiet(void);
void begin_put(int fd, const char *path, const char *token, size_t len, const char *more);
bool push(int fd, size_t len);

/* Opens a poll and waits until the server holds it. */
int poll_for_news(const char *path, const char *query, size_t parked);
void know_the_token(void);

#endif
