/* Events as clients see them (Client-Server API, "Room event format"), spliced from the row without parsing: the
 * content goes out as the bytes it lies as. */
#ifndef PARTA_ROOMS_READ_RENDER_H
#define PARTA_ROOMS_READ_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct db;
struct event_row;
struct ignored;
struct relation;
struct user_names;
struct visibility;

/* For whom, and how. */
struct render {
    struct db *db; /* for senders' names and what belongs to the event; NULL: bare, and names from memory alone */
    struct user_names *names;
    const char *room_id; /* NULL: without room_id, as in /sync */
    int64_t now_ms;      /* for unsigned.age */
    user_no viewer;      /* whose unsigned.transaction_id may show; 0: nobody's */
    device_no device;
    /* Only events that the viewer may see and whose senders they do not ignore are aggregated, and
     * unsigned.membership is the viewer's at the event. NULL: not asked, not said. */
    const struct visibility *visibility;
    const struct ignored *ignored;
    bool bare;  /* leave out transaction id, redaction, replaces_state and relations: no look-up but names */
    bool plain; /* leave out bundled aggregations only (state events have none anyway) */
    bool inner; /* this is what another event was redacted by: what it was redacted by itself is left out */
};

/* Appends {"content":…,"event_id":…,"origin_server_ts":…[,"redacts"][,"room_id"],"sender":…[,"state_key"],"type":…,
 * "unsigned":{"age":…[,"membership"][,"prev_content","replaces_state"][,"redacted_because"][,"transaction_id"]
 * [,"m.relations"]}}. Unless bare it asks for events by position and for relations, so that no statement of
 * events_by_pos or of relations.h may be running on that connection: hold the row (event_hold) and end the statement
 * first. */
void render_event(struct text *out, const struct render *how, const struct event_row *row);

/* Stripped state: {"content","sender","state_key","type"} ("Stripped state"). Of how, db and names are used. */
void render_stripped(struct text *out, const struct render *how, const struct event_row *row);

/* The two halves that many replies share: everything up to and including `"unsigned":{"age":`, and what stands after
 * the number, but for the two braces that end it. The fast path of /sync puts the age between them, and the sending
 * device's transaction behind. */
void render_event_shared(struct text *before_age, struct text *after_age, const struct render *how,
                         const struct event_row *row);

void render_transaction(struct text *out, const char *txn_id); /* `,"transaction_id":…`, there */

/* Whether the viewer may know of that relation: they see the event and do not ignore its sender. */
bool render_counts_relation(const struct render *how, const struct relation *relation);

/* A copy of the row that outlives its statement, in one piece of heap: free() releases it. */
struct event_row *event_hold(const struct event_row *row);

/* The event at a position as such a copy. NULL: there is none. */
struct event_row *event_at(struct db *db, stream_pos pos);

#endif
