/* Which route a request is for.
 *
 * A path is cut at its slashes first and each segment is percent-decoded after, so that "%2F" inside an id stays inside
 * the id, and "." and ".." mean nothing. A template's "{name}" takes any segment that is not empty; a template may end
 * in an empty segment ("/state/{eventType}/", the empty state key) and then asks for that slash. Literal segments go
 * before parameters, but a literal that leads nowhere (for this method) does not hide a parameter that does.
 *
 * Pure: no I/O, no clock. A router is immutable after router_create and may be read by any thread. */
#ifndef PARTA_HTTP_ROUTER_H
#define PARTA_HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/http/request.h"

#define PATH_SEGMENTS_MAX 16

struct router;

/* A path in pieces. */
struct path {
    struct path_segment {
        const char *decoded; /* NUL-terminated; meaningless when bad */
        bool bad;            /* a broken escape, a NUL, or not UTF-8 */
    } segments[PATH_SEGMENTS_MAX];
    int n;
};

/* Cuts len bytes of raw (a target without its query, in origin or absolute form) and decodes the segments into buffer
 * (len + 1 bytes), which must live as long as *out. /_matrix/client/r0/ is said as v3. false: there is no slash, or too
 * many segments: no route can match. */
bool path_split(struct path *out, const char *raw, size_t len, char *buffer);

enum route_match {
    ROUTE_FOUND,
    ROUTE_UNKNOWN,  /* no template fits: 404 */
    ROUTE_METHOD,   /* one fits, but not with this method: 405; hit->allowed says which */
    ROUTE_BAD_PATH, /* one fits, but a parameter cannot be decoded: 400 */
};

struct route_hit {
    const struct route *route;
    const char *params[PARAMS_MAX]; /* borrowed from the buffer of path_split */
    int n_params;
    unsigned allowed; /* bits 1 << enum http_method */
};

/* The tables must outlive the router. NULL: two routes are the same, or a template is ill-formed;
 * which one is logged. */
struct router *router_create(const struct routes *const *tables, size_t n);
void router_destroy(struct router *router); /* NULL is accepted */

/* HEAD is answered by a GET route if there is none of its own. */
enum route_match router_find(const struct router *router, const struct path *path, enum http_method method,
                             struct route_hit *hit);

/* "GET" … and back; false: not one of enum http_method. */
const char *method_name(enum http_method method);
bool method_from(const char *name, size_t len, enum http_method *out);

#endif
