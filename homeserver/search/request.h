/* What somebody searches for: the body of POST /search (Client-Server API, "Server Side Search"), parsed and bounded;
 * pure. */
#ifndef PARTA_SEARCH_REQUEST_H
#define PARTA_SEARCH_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"

struct filter;

#define SEARCH_TERM_BYTES_MAX 1024
#define SEARCH_RESULTS_DEFAULT 10
#define SEARCH_RESULTS_MAX 50
#define SEARCH_CONTEXT_DEFAULT 5
#define SEARCH_CONTEXT_MAX 20 /* events before, and after, a result */

struct search_request {
    const char *term;        /* borrowed from the body */
    unsigned keys;           /* enum search_keys (store/driver/search_index.h) */
    struct filter *filter;   /* a RoomEventFilter: its timeline. Never NULL */
    size_t limit;            /* results of a page */
    bool by_rank;            /* else the newest first */
    bool state;              /* the rooms' state, too */
    bool by_room, by_sender; /* groups */
    struct {
        bool wanted, profiles;
        size_t before, after; /* events */
    } context;
    int64_t identity; /* of what is asked, but for how it is shown: what a token is good for, ≥ 0 */
};

/* room_events: that member of search_categories. false: *e, and nothing to finish. */
bool search_request_parse(const json_t *room_events, struct search_request *out, struct error *e);
void search_request_finish(struct search_request *request);

#endif
