/* Events as they lie: one row each (schema.c, table events), read forwards, backwards, by id and as state.
 *
 * Readers get rows one at a time; a row's strings are borrowed from the statement until the next events_next or
 * stmt_end: render or copy what you need. Positions order events: a range (after, upto] is what a token pair means. */
#ifndef PARTA_STORE_MATRIX_EVENTS_H
#define PARTA_STORE_MATRIX_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

struct event_row {
    stream_pos pos;
    room_no room;
    const char *event_id;
    const char *type;
    const char *state_key; /* NULL: not state */
    user_no sender;
    int64_t ts; /* origin_server_ts, ms */
    int64_t depth;
    const char *content;                   /* canonical JSON */
    const char *auth;                      /* "12,15": positions of the auth events */
    const unsigned char *hash, *signature; /* 32 and 64 bytes */
    const char *redacts;                   /* top-level key of room versions 1–10; NULL: none */
    stream_pos redacted_by;                /* 0: not redacted */
    stream_pos replaces;                   /* state: the position of the one before; 0: none */
    const char *prev_content;              /* content of that one; NULL: none */
    const unsigned char *reference_hash;   /* room versions 1 and 2: 32 bytes; else NULL */
};

/* Takes the next row. false: the end. */
bool events_next(struct stmt *q, struct event_row *row);

/* All of these are to be ended with stmt_end. Forwards: oldest first. limit: rows at most, −1: no limit. */
struct stmt *events_forwards(struct db *db, room_no room, stream_pos after, stream_pos upto, int64_t limit);
struct stmt *events_backwards(struct db *db, room_no room, stream_pos after, stream_pos upto, int64_t limit);
struct stmt *events_state_now(struct db *db, room_no room);                       /* the whole current state */
struct stmt *events_state_plain(struct db *db, room_no room);                     /* the same without m.room.member */
struct stmt *events_state_of_type(struct db *db, room_no room, const char *type); /* current, every state key */
/* The whole state after the event (or any position) pos: latest row per (type, state_key) not after it. */
struct stmt *events_state_at(struct db *db, room_no room, stream_pos pos);
/* State that changed in (after, upto]: the latest row of each (type, state_key) in there. */
struct stmt *events_state_between(struct db *db, room_no room, stream_pos after, stream_pos upto);
struct stmt *events_by_pos(struct db *db, stream_pos pos);      /* one row or none */
struct stmt *events_by_id(struct db *db, const char *event_id); /* one row or none */
struct stmt *events_state_get(struct db *db, room_no room, const char *type,
                              const char *state_key); /* now; one or none */
struct stmt *events_state_get_at(struct db *db, room_no room, const char *type, const char *state_key, stream_pos pos);

/* One column of current state. Heap, or NULL. */
char *events_state_content(struct db *db, room_no room, const char *type, const char *state_key);

stream_pos events_pos_of(struct db *db, const char *event_id);              /* 0: unknown */
room_no events_room_of(struct db *db, const char *event_id);                /* 0: unknown */
char *events_id_of(struct db *db, stream_pos pos);                          /* heap, or NULL */
stream_pos events_last_pos(struct db *db, room_no room, stream_pos upto);   /* newest event not after upto; 0: none */
stream_pos events_first_pos(struct db *db, room_no room, stream_pos after); /* oldest event after; 0: none */
/* The event closest to ts: the first with ts or later (forwards), the last with ts or earlier. 0: none. */
stream_pos events_at_time(struct db *db, room_no room, int64_t ts, bool forwards);

/* The event a device's transaction id already made at this path; 0: none. about: the path's segment before the id, an
 * event's type or the id of the event to redact (Client-Server API, "Transaction identifiers"). */
stream_pos transactions_find(struct db *db, device_no device, room_no room, const char *about, const char *txn_id);
/* The transaction id under which this device made the event: heap, or NULL. */
char *transactions_txn_of(struct db *db, device_no device, stream_pos pos);

/* Writing: inside a job. */
bool events_insert(struct tx *tx, const struct event_row *row); /* also room_state, when state_key is set */
/* The two halves of it, for whoever writes the event itself later in the same job. */
bool events_insert_only(struct tx *tx, const struct event_row *row);
bool events_set_state(struct tx *tx, room_no room, const char *type, const char *state_key, stream_pos pos);
bool events_redact(struct tx *tx, stream_pos pos, stream_pos by, const char *content); /* content: the redacted form */
bool events_add_relation(struct tx *tx, const char *target_id, const char *rel_type,
                         stream_pos pos); /* pos: inserted before */
bool transactions_insert(struct tx *tx, device_no device, room_no room, const char *about, const char *txn_id,
                         stream_pos pos);
/* Forgets those of events older than before_ms (wall clock), oldest first, at most limit of them. How many it forgot.
 */
int transactions_prune(struct tx *tx, int64_t before_ms, int64_t limit);

#endif
