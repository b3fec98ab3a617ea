/* A small HTTP server for tests, on this machine, a thread a connection: it does what it is told to, and keeps what it
 * was asked. */
#ifndef PARTA_TESTS_HTTP_SERVICE_H
#define PARTA_TESTS_HTTP_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http_service;

enum service_mood {
    SERVICE_ANSWERS, /* status, headers, body */
    SERVICE_SILENT,  /* takes connections and requests, never answers */
    SERVICE_BREAKS,  /* hangs up in the middle of the answer */
};

struct http_service *http_service_start(void);
void http_service_stop(struct http_service *service);

/* One in a process of its own, which costs the caller's none of what is measured; it answers 200 with these headers and
 * that body until it is killed. port: where. */
pid_t http_service_fork(const char *headers, const char *body, int *port);

int http_service_port(const struct http_service *service);

/* From now on. headers: whole lines, "Retry-After: 1\r\n"; body: repeated times times. */
void http_service_set(struct http_service *service, enum service_mood mood, int status, const char *headers,
                      const char *body, size_t times);

int http_service_requests(const struct http_service *service);    /* that came whole */
int http_service_connections(const struct http_service *service); /* that were made */
int http_service_most(const struct http_service *service);        /* at once, so far */

/* Request n (from 0): its head and body as they came; heap. NULL: there is none. */
char *http_service_request(struct http_service *service, int n);

#endif
