/* Filters: what of a room, a sync or a page of messages a client wants (Client-Server API, "Filtering").
 *
 * A definition is parsed and checked once into a struct filter, immutable and counted, and then asked per event without
 * JSON. Lists keep the difference between absent (everything) and empty (nothing). Two filters with the same identity
 * want the same, whatever order or spacing their definitions had: the identity is what caches key on.
 *
 * The same parser reads the RoomEventFilter that /messages, /context and /search take. */
#ifndef PARTA_ROOMS_READ_FILTER_H
#define PARTA_ROOMS_READ_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/error.h"

#define FILTER_LIMIT_MAX 1000  /* "limit" is clamped to it */
#define FILTER_SYNC_LIMIT 10   /* of a timeline of /sync when not given */
#define FILTER_LIST_MAX 1000   /* entries of one list; more: refused */
#define FILTER_PATTERNS_MAX 64 /* of them with "*"; more: refused */
#define FILTER_BYTES_MAX 65536 /* of a definition; longer: refused */

/* A list of names, or of patterns with "*". */
struct filter_list {
    bool present;     /* false: not given, which lets everything through */
    uint32_t n_exact; /* names: the first ones, sorted */
    uint32_t n;       /* names and, behind them, patterns */
    char **items;     /* NULL when n = 0 */
};

enum filter_url { FILTER_URL_ANY, FILTER_URL_ONLY, FILTER_URL_NONE };

/* EventFilter and RoomEventFilter; where the specification has only the former, the rest stays as if not given. */
struct event_filter {
    int limit; /* 1 … FILTER_LIMIT_MAX; 0: not given, the endpoint's default */
    bool all;  /* nothing is filtered by: filter_wants is always true */
    bool lazy_load_members;
    bool include_redundant_members;
    bool unread_thread_notifications;
    enum filter_url contains_url;
    struct filter_list types, not_types, senders, not_senders, rooms, not_rooms;
};

enum filter_format { FILTER_FORMAT_CLIENT, FILTER_FORMAT_FEDERATION };

struct filter {
    _Atomic int refs;
    unsigned char identity[BLAKE2B_BYTES]; /* of the definition in canonical JSON */
    enum filter_format format;
    bool include_leave;
    struct filter_list fields;           /* event_fields: dot-separated paths, in n_exact */
    struct event_fields *picks;          /* … as they are picked (rooms/read/event_fields.h); NULL: all of an event */
    struct filter_list rooms, not_rooms; /* before the filters below (filter_wants_room) */
    struct event_filter presence, account_data;                        /* not of rooms */
    struct event_filter state, timeline, ephemeral, room_account_data; /* of rooms */
};

/* A Filter. definition: borrowed; NULL: the filter that wants everything. NULL: *e is ERROR_BAD_JSON and its sentence
 * says which member is not what it should be. The caller owns a reference. */
struct filter *filter_parse(const json_t *definition, struct error *e);
struct filter *filter_parse_text(const char *text, struct error *e); /* also ERROR_NOT_JSON. NULL: everything */

/* A RoomEventFilter, as /messages, /context and /search take it: it is the filter's timeline; rooms and not_rooms of it
 * count in filter_wants. Otherwise as filter_parse. */
struct filter *filter_parse_events(const json_t *definition, struct error *e);
struct filter *filter_parse_events_text(const char *text, struct error *e);

struct filter *filter_ref(struct filter *filter); /* any thread */
void filter_unref(struct filter *filter);         /* any thread; NULL is accepted */

/* Whether an event passes. sender and room_id may be NULL where an event of this sort has none (typing has no sender,
 * presence no room): without a sender it fails a list of senders to include; without a room, rooms are not asked about.
 * has_url: its content has the key "url". Does not block or allocate. */
bool filter_wants(const struct event_filter *filter, const char *type, const char *sender, const char *room_id,
                  bool has_url);

/* Parts of the question, to leave out work early. */
bool filter_wants_room(const struct filter *filter, const char *room_id);    /* room.rooms and room.not_rooms */
bool filter_wants_type(const struct event_filter *filter, const char *type); /* types and not_types only */
bool filter_wants_room_events(const struct event_filter *filter, const char *room_id); /* its rooms and not_rooms */

/* How many events of each room's timeline a sync gets. */
int filter_timeline_limit(const struct filter *filter);

#endif
