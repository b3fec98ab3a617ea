/* A request of sliding sync (MSC4186), read and bounded: what both forms of it say, the merged one ("/v4/sync") and the
 * one that clients know by the name of a proposal ("org.matrix.simplified_msc3575"), in one struct.
 *
 * Nothing of it is kept between requests: each says whole what it wants, and connections.h remembers what was sent. */
#ifndef PARTA_SYNC_SLIDING_REQUEST_H
#define PARTA_SYNC_SLIDING_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/sync/presence.h"

#define SLIDING_LISTS_MAX 100         /* more: refused, as all that follows */
#define SLIDING_SUBSCRIPTIONS_MAX 100 /* rooms */
#define SLIDING_ID_MAX 64             /* bytes of conn_id, of a list's name, of txn_id */
#define SLIDING_ELEMENTS_MAX 200      /* of one required_state */
#define SLIDING_PARTS_MAX 64          /* required states of one request that are not the same */
#define SLIDING_RANGES_MAX 16         /* of one list */
#define SLIDING_NAMES_MAX 100         /* of one list in a filter or an extension */
#define SLIDING_THREADS_MAX 100       /* more changes of thread subscriptions at once: cut */
#define SLIDING_TIMELINE_MAX 100      /* more events of a room at once: cut */
#define SLIDING_TIMEOUT_MAX_MS 300000 /* longer: cut */

enum sliding_form { SLIDING_UNSTABLE, SLIDING_STABLE };

/* NULL: any. SLIDING_ME: the person's own user id. */
extern const char SLIDING_ME[];
struct sliding_element {
    const char *type, *state_key;
};

/* What of a room's state is wanted. */
struct sliding_part {
    struct sliding_element *of; /* heap: those to include, and behind them those to leave out */
    size_t n_include, n;
    bool lazy;       /* m.room.member only of who speaks or is spoken of, and where the state key is named */
    bool narrows;    /* an element of any type does not speak for types that others name */
    uint64_t digest; /* of two that are the same, the same */
};
/* Pure. me: the id that "$ME" stands for. A member of whom only lazy loading speaks is not wanted by this. */
bool sliding_part_wants(const struct sliding_part *part, const char *type, const char *state_key, const char *me);

/* How much of a room is wanted. */
struct sliding_config {
    uint16_t timeline_limit;
    uint8_t part; /* of the request's parts */
};

enum sliding_choice { SLIDING_EITHER, SLIDING_NO, SLIDING_YES };
struct sliding_filter {
    enum sliding_choice is_dm, is_encrypted, is_invited;
    const json_t *room_types, *not_room_types, *tags, *not_tags, *spaces; /* arrays of strings (types: or null); NULL:
                                                                           * whatever. Borrowed from the body */
};

struct sliding_range {
    int64_t first, last; /* both belong to it; last ≥ first */
};

struct sliding_list {
    const char *name; /* borrowed from the body */
    struct sliding_config config;
    struct sliding_filter filter;
    size_t n_ranges;
    struct sliding_range ranges[SLIDING_RANGES_MAX];
};

struct sliding_subscription {
    const char *room_id; /* borrowed from the body */
    struct sliding_config config;
};

enum sliding_extension_kind {
    SLIDING_TO_DEVICE,
    SLIDING_E2EE,
    SLIDING_ACCOUNT_DATA,
    SLIDING_RECEIPTS,
    SLIDING_TYPING,
    SLIDING_THREADS,
    SLIDING_EXTENSION__COUNT
};
struct sliding_extension {
    bool enabled;
    const json_t *lists, *rooms; /* arrays of strings, "*": all; NULL: all. Borrowed */
    const char *since;           /* to_device: NULL: from the beginning. Borrowed */
    int64_t limit;               /* of threads: how many at once */
};

struct sliding_request {
    enum sliding_form form;
    const char *conn_id, *pos, *txn_id; /* borrowed from the body; conn_id never NULL; pos NULL: begins anew */
    int64_t timeout_ms;
    enum presence_state presence;
    size_t n_lists, n_subscriptions, n_parts;
    struct sliding_list *lists; /* heap */
    struct sliding_subscription *subscriptions;
    struct sliding_part parts[SLIDING_PARTS_MAX];
    struct sliding_extension extensions[SLIDING_EXTENSION__COUNT];
    uint64_t lists_digest; /* of the lists without their ranges */
};

/* body: borrowed by *out. The unstable form has pos, timeout and set_presence in the query: they are set by the caller
 * afterwards. false: *e is ERROR_BAD_JSON or ERROR_INVALID_PARAM and says of which member. Finish in either case. */
bool sliding_request_parse(struct sliding_request *out, enum sliding_form form, const json_t *body, struct error *e);
void sliding_request_finish(struct sliding_request *request);

/* Whether an extension speaks of rooms of the list of that name (NULL: of rooms that are subscribed to alone). */
bool sliding_extension_wants_list(const struct sliding_extension *extension, const char *list);
bool sliding_extension_wants_room(const struct sliding_extension *extension, const char *room_id);

#endif
