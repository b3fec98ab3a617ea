/* The HTTP server: what main wires and nobody else needs.
 *
 * http_start opens every address, starts the loops (one thread each), the workers on demand and, if wanted, the metrics
 * listener, and returns when all of them listen. Requests are answered from the route tables; /health is the server's
 * own. HTTP/1.1 only, with TLS 1.2 or newer on the addresses that say so; a setup proxy may speak HTTP/2 for it.
 *
 * Everything in struct server must outlive http_stop: handlers run until then. The hub is listened to from http_start
 * on, so start the server before the first change and stop it after the writer's observers are done being called, or
 * simply: http_start, …, http_stop, writer_stop, hub's end, http_destroy. After http_stop wakes are dropped silently.
 * http_start adds rows to server->metrics, so that no page of it may be asked for after http_destroy. */
#ifndef PARTA_HTTP_HTTP_H
#define PARTA_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/http/limits.h"
#include "homeserver/http/listener.h"
#include "homeserver/http/request.h"
#include "homeserver/store/driver/db.h"

struct http;

/* Borrowed until http_start returns, unless said otherwise. 0 and NULL mean the default in brackets. */
struct http_settings {
    const struct http_listen *listen;
    size_t n_listen;
    const char *tls_cert; /* PEM chain and key; needed if one address has tls */
    const char *tls_key;
    int loops;          /* event loops [one per core, at most 4] */
    int workers;        /* most worker threads [4 per core, at least 8] */
    int hashers;        /* most hashing threads [one per core] */
    size_t hash_queue;  /* requests that may wait for a hasher [512]; more: 429 */
    size_t unread_max;  /* bytes of replies that clients have not read [256 MiB]; one has an eighth at most */
    size_t connections; /* most connections [and at most: as the file descriptors allow] */
    size_t connections_of_address; /* most of one address that is no trusted proxy [half of them] */
    size_t body_max;               /* bytes of a body, where the route says nothing else [1 MiB] */
    size_t uploads;                /* most bodies over 1 MiB at once [64] */
    size_t uploads_of_one;         /* … of one caller [2] */
    const char *spool_dir;         /* for those while they arrive: files without a name [$TMPDIR, else /tmp] */
    int header_ms; /* from a request's first byte to the end of its head, and the TLS handshake [10 s] */
    int body_ms;   /* from there to the end of its body; of one over 1 MiB, for each next 256 KiB [10 min] */
    int idle_ms;   /* between requests [75 s] */
    int stop_ms;   /* how long http_stop waits for what runs [10 s] */
    const char *const *trusted_proxies; /* addresses or networks ("127.0.0.1", "10.0.0.0/8", "::1") whose */
    size_t n_trusted_proxies;           /* X-Forwarded-For counts */
    const char *db_path;                /* workers open it DB_READ; NULL: r->db is NULL (tests) */
    struct db_options db_options;
    const struct http_listen *metrics; /* where /metrics and /health are served, cleartext; NULL: nowhere */
};

/* How many workers there will be for that setting (0: the default). */
int http_workers(int setting);

/* Opens and starts everything. NULL: the cause is logged. server and tables (and their routes) must outlive
 * http_destroy. The caller has ignored SIGPIPE. Blocks (short). */
struct http *http_start(const struct http_settings *settings, struct server *server, const struct routes *const *tables,
                        size_t n);

/* The port that listen[i] got; −1 if there is no such address. */
int http_port(const struct http *http, size_t i);
int http_metrics_port(const struct http *http); /* −1: no such listener */

/* Reads certificate and key again (SIGHUP); new connections use them. false: logged, the old ones stay. Any thread. */
bool http_reload(struct http *http);

/* Stops gracefully: no new connections, parked requests are answered (expire), running handlers finish, idle
 * connections are closed; what is left after stop_ms is cut. Blocks until every thread has ended. */
void http_stop(struct http *http);

/* Releases the memory; stops first if need be. NULL is accepted. */
void http_destroy(struct http *http);

#endif
