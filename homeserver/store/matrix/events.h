/* Events as they lie: one row each (driver/schema.c, table events), read forwards, backwards, by id and as state.
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
    int64_t ts;          /* origin_server_ts, ms: what is shown. An application service may say it */
    int64_t received_ms; /* when it came, where ts is what a service says; 0: ts. See event_received_ms */
    int64_t depth;
    const char *content;                 /* canonical JSON */
    const char *auth;                    /* "12,15": positions of the auth events */
    const unsigned char *hash;           /* content hash, 32 bytes */
    const char *redacts;                 /* top-level key of room versions 1–10; NULL: none */
    stream_pos redacted_by;              /* 0: not redacted */
    stream_pos replaces;                 /* state: the position of the one before; 0: none */
    const char *prev_content;            /* content of that one; NULL: none */
    const unsigned char *reference_hash; /* room versions 1 and 2: 32 bytes; else NULL */
};

/* When the event came to this server: whatever counts by order or age asks for that and not for ts. It rises within a
 * room (rooms/events/append.h). */
static inline int64_t event_received_ms(const struct event_row *row)
{
    return row->received_ms != 0 ? row->received_ms : row->ts;
}

/* Takes the next row. false: the end. */
bool events_next(struct stmt *q, struct event_row *row);

/* Takes the next row of an events_shown_… query: what clients are shown, without what only a PDU needs (auth, hash,
 * reference_hash and depth are NULL and 0), which costs a third less. */
bool events_next_shown(struct stmt *q, struct event_row *row);
struct stmt *events_shown_at(struct db *db, stream_pos pos); /* one row or none */
struct stmt *events_shown_forwards(struct db *db, room_no room, stream_pos after, stream_pos upto, int64_t limit);
struct stmt *events_shown_backwards(struct db *db, room_no room, stream_pos after, stream_pos upto, int64_t limit);
struct stmt *events_shown_state_now(struct db *db, room_no room);
struct stmt *events_shown_state_plain(struct db *db, room_no room);            /* without m.room.member */
struct stmt *events_shown_members(struct db *db, room_no room, int64_t limit); /* m.room.member now, some of them */
struct stmt *events_shown_state_get_at(struct db *db, room_no room, const char *type, const char *state_key,
                                       stream_pos pos);

/* All of these are to be ended with stmt_end. Forwards: oldest first. limit: rows at most; INT64_MAX: all. */
struct stmt *events_forwards(struct db *db, room_no room, stream_pos after, stream_pos upto, int64_t limit);
/* Of all rooms, for who follows the stream (jobs/consumer.h), in (after, upto]. */
struct stmt *events_of_stream(struct db *db, stream_pos after, stream_pos upto);
/* Where the first limit of them end: the position of the last; *n: how many they are. 0: there is none. */
stream_pos events_of_stream_end(struct db *db, stream_pos after, stream_pos upto, int64_t limit, int64_t *n);
/* After which position the last limit of them up to one begin. 0: there are no more. */
stream_pos events_of_stream_back(struct db *db, stream_pos upto, int64_t limit);
struct stmt *events_backwards(struct db *db, room_no room, stream_pos after, stream_pos upto, int64_t limit);
struct stmt *events_state_now(struct db *db, room_no room);                       /* the whole current state */
struct stmt *events_state_of_type(struct db *db, room_no room, const char *type); /* current, every state key */
/* The whole state after the event (or any position) pos: latest row per (type, state_key) not after it. */
struct stmt *events_state_at(struct db *db, room_no room, stream_pos pos);
/* State that changed in (after, upto]: the latest row of each (type, state_key) in there. */
struct stmt *events_state_between(struct db *db, room_no room, stream_pos after, stream_pos upto);
/* What somebody sent to a room beyond that position, state too; oldest first. Of a person: also their memberships,
 * whoever sent these. */
struct stmt *events_of_sender(struct db *db, room_no room, user_no sender, stream_pos after);
struct stmt *events_of_person(struct db *db, room_no room, user_no person, const char *user_id, stream_pos after);
struct stmt *events_by_pos(struct db *db, stream_pos pos);      /* one row or none */
struct stmt *events_by_id(struct db *db, const char *event_id); /* one row or none */
struct stmt *events_state_get(struct db *db, room_no room, const char *type,
                              const char *state_key); /* now; one or none */
struct stmt *events_state_get_at(struct db *db, room_no room, const char *type, const char *state_key, stream_pos pos);

/* Whether anybody's membership was said between the two, after exclusive; reads what is between. */
bool events_member_news(struct db *db, room_no room, stream_pos after, stream_pos upto);

/* Every value that one key of a room's state ever had, oldest first: what history visibility is decided from. stmt_end
 * after; content is borrowed until the next row. */
struct stmt *events_state_history(struct db *db, room_no room, const char *type, const char *state_key);
bool events_state_history_next(struct stmt *q, stream_pos *pos, const char **content);

/* One column of current state. Heap, or NULL. */
char *events_state_content(struct db *db, room_no room, const char *type, const char *state_key);

/* Whether the room was ever more than its frame (who made it, who is in it, who may do what): given a name, a topic, a
 * message … */
bool events_any_beside_frame(struct db *db, room_no room);

/* The position of the newest event of all: events and what follows from them (state, memberships) are in a snapshot
 * exactly up to here. 0: there are no events. */
stream_pos events_newest(struct db *db);

/* The newest event up to there that says who is in a room, or that messages in one are encrypted; if that is far back,
 * a newer one. */
stream_pos events_last_of_lists(struct db *db, stream_pos upto);

stream_pos events_pos_of(struct db *db, const char *event_id);            /* 0: unknown */
char *events_id_of(struct db *db, stream_pos pos);                        /* heap, or NULL */
stream_pos events_last_pos(struct db *db, room_no room, stream_pos upto); /* newest event not after upto; 0: none */
stream_pos events_nth_pos(struct db *db, room_no room, stream_pos upto, int64_t n); /* n events are newer; 0: none */
stream_pos events_first_pos(struct db *db, room_no room, stream_pos after);         /* oldest event after; 0: none */
/* The event that came closest to that time: the first then or later (forwards), the last then or earlier. 0: none. */
stream_pos events_at_time(struct db *db, room_no room, int64_t ms, bool forwards);

/* Writing: inside a job. */
bool events_insert(struct tx *tx, const struct event_row *row); /* the recorder's alone (rooms/events/record.h) */
bool events_set_state(struct tx *tx, room_no room, const char *type, const char *state_key, stream_pos pos);
bool events_redact(struct tx *tx, stream_pos pos, stream_pos by, const char *content); /* content: the redacted form */

#endif
