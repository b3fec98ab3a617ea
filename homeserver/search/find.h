/* Finding what somebody searches for, as far as they may read it.
 *
 * The index says which texts hold the words, in the rooms that the person is in or was; each is then read as an event
 * and asked what every other door asks: the visibility of its room (rooms/read/visibility.h, and with it the school's
 * gate), whom the person ignores, their filter. Only what passes is there at all: counted, ranked, or given. At most
 * SEARCH_LOOKED_AT_MAX texts are looked at for a page; beyond them the count is of what was found so far, and the next
 * page goes on. */
#ifndef PARTA_SEARCH_FIND_H
#define PARTA_SEARCH_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct render;
struct search;
struct search_index;
struct search_request;
struct visibility;

#define SEARCH_LOOKED_AT_MAX 2000
#define SEARCH_ALL_ROOMS_MAX 2000 /* rooms of a person in which is looked, the first ones */

/* Where a page begins. */
struct search_from {
    stream_pos upto; /* texts up to here */
    int64_t seen;    /* results that the pages before had */
};

struct search_room {
    room_no room;
    char *room_id;                 /* heap */
    struct visibility *visibility; /* NULL: not asked yet */
};

struct search_hit {
    stream_pos pos;
    int64_t rank; /* 1000 times it */
    user_no sender;
    struct search_room *room;
};

struct search_found {
    struct search_room *rooms;
    size_t n_rooms;
    struct search_hit *hits; /* in order */
    size_t n_hits;
    size_t first, n; /* the page, of hits */
    int64_t count;   /* results, as far as is known */
    bool more;
    struct search_from next;
};

/* how: for the asker; its room_id and visibility are set for each room in turn. user_id: theirs. false: *e (the
 * database or the index failed). To be finished in either case. Blocks (reads). */
bool search_find(struct search_index *reader, const struct render *how, bool school_mode, const char *user_id,
                 const struct search_request *request, struct search_from from, struct search_found *out,
                 struct error *e);
/* Of the page only the first n, ≥ 1, are given. */
void search_found_cut(struct search_found *found, const struct search_request *request, struct search_from from,
                      size_t n);
void search_found_finish(struct search_found *found);

/* How one result matched: its words that did, between \x02 and \x03 in its text, heap; *rank. NULL: not any more. */
char *search_found_marked(struct search_index *reader, const struct search_request *request,
                          const struct search_hit *hit, int64_t *rank);

#endif
