/* How adapters ask: GET over the network, politely. Requests to one host keep a pace; what a diary says of when to come
 * back (429, 503 with Retry-After) puts the whole source off; a page that has not changed since the last time (ETag,
 * Last-Modified) is not sent again: its bytes are kept in memory, up to a bound, never on disk.
 *
 * A reply whose Date is far from our clock ends the fetch: days are compared, and one of the two is wrong. */
#ifndef PARTA_DIARY_FETCH_H
#define PARTA_DIARY_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "appservice/diary/adapter.h"
#include "homeserver/outgoing/rest_client.h"

#define FETCH_REPLY_BYTES_MAX (16u << 20)
#define FETCH_MEMORY_BYTES_MAX (8u << 20) /* of unchanged pages, of one source */
#define FETCH_CLOCK_MS INT64_C(129600000) /* a day and a half */
#define FETCH_TRIES 3

struct fetch_memory *fetch_memory_create(void);         /* empty, never NULL; of one source and its thread */
void fetch_memory_destroy(struct fetch_memory *memory); /* NULL is accepted */

/* A client for one fetch: rest_client_finish when done. Its token, secrets and OAuth are the adapter's to fill in. */
struct rest_client fetch_client(const struct source *source, const char *who);

/* The page at url in *body (borrowed until the next call), status 200. false: *problem. what: "a page of marks", for
 * the problem. Blocks. */
bool fetch_get(struct source *source, struct rest_client *client, const char *what, const char *url,
               const char *const *headers, size_t n_headers, const char **body, size_t *len, struct text *problem);

/* X-Total-Count of the last page, as rest_total says it; also of one that had not changed. */
int64_t fetch_total(const struct source *source);

/* Whether the url's host may be shown to people as the diary's (I3): it is that of base. */
bool fetch_same_host(const char *url, const char *base);

#endif
