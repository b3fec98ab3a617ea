/* What an answer to /sync tells of one room: rows, positions and flags. The sections of rooms gather it
 * (sync/sections/room_parts.h), sync/v2_room.h writes it, and the fast path has the same for what many people are to
 * get in the same words. */
#ifndef PARTA_SYNC_ROOM_DATA_H
#define PARTA_SYNC_ROOM_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/sync/gather.h"
#include "homeserver/sync/receipts.h"
#include "homeserver/sync/typing.h"
#include "homeserver/sync/unread.h"

#define HEROES_MAX 5

struct event_row;
struct visibility;

struct event_rows {
    struct event_row **rows; /* heap copies (event_hold) */
    size_t n, cap;
};
void event_rows_add(struct event_rows *rows, struct event_row *row); /* takes row */
/* Reverse: what was read newest first. Have: whether the event of that position is among them; walks over all. Finish
 * frees the rows and empties it. */
void event_rows_reverse(struct event_rows *rows);
bool event_rows_have(const struct event_rows *rows, stream_pos pos);
void event_rows_finish(struct event_rows *rows);

/* Types and state keys: state that is listed already, or must not be. */
struct state_keys {
    struct text keys; /* type and key, each with a NUL behind */
};
/* {0} is empty. row: one of state. have walks over all of them. */
void state_keys_add(struct state_keys *keys, const struct event_row *row);
bool state_keys_have(const struct state_keys *keys, const char *type, const char *state_key);
void state_keys_finish(struct state_keys *keys);

/* A stretch of timeline: events in (start, upto], of which some may be left out. */
struct room_timeline {
    struct event_rows events; /* oldest first */
    bool limited;             /* there is more between since and start */
    stream_pos start;         /* prev_batch; 0: it begins with the room itself */
    bool has_state;           /* there is state in the stretch … */
    bool state_left_out;      /* … that is not among the events */
    bool relations;           /* something in the stretch relates to an event: nothing else can to one of it */
    bool members, name;       /* m.room.member, what names the room: changed in (since, upto] */
    bool counts;              /* something in (since, upto] may have changed the unread counts, told or not */
};

/* "summary". */
struct room_summary {
    user_no heroes[HEROES_MAX]; /* whom a nameless room is called after: their member events belong to the state */
    size_t n_heroes;
    int64_t invited, joined;
};

struct room_data {
    struct membership_row membership;
    const char *room_id;           /* borrowed from the gathering */
    stream_pos since, upto;        /* what of the room is told: events in (since, upto] */
    bool fresh;                    /* joined since: all of the room is news to the client */
    bool whole;                    /* all of the state, not what changed since */
    bool stranger;                 /* has left, and was not in it since either: no state is theirs to see */
    struct visibility *visibility; /* loaded when something asks; there when the timeline has events */
    struct room_timeline timeline;
    struct event_rows state;  /* beside the timeline: at its start, or with use_state_after at its end. Of a room that
                              * one is not in yet: stripped */
    struct state_keys listed; /* of it what something else could repeat or undo */
    bool has_summary;
    struct room_summary summary;
    struct typists typists;
    struct receipt_rows receipts;
    struct account_data_items account_data;
    bool has_unread;
    struct unread_tally unread;
};
void room_data_finish(struct room_data *room); /* frees all that was gathered and empties it; room_id is not its own */

#endif
