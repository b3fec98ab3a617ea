/* What the parts of composing share; nobody else includes this. */
#ifndef PARTA_SYNC_COMPOSING_H
#define PARTA_SYNC_COMPOSING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/sync/compose.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/sync/sync_service.h"

struct event_row;
struct visibility;

#define HEROES_MAX 5

/* One answer. */
struct composing {
    struct sync_service *syncer;
    struct db *db;
    const struct sync_ask *ask;
    const struct filter *filter;
    stream_pos upto;
    bool hub_is_behind; /* the snapshot holds what the hub has not heard of yet */
    int64_t now_ms;
    struct ignored ignored;
    struct own_data *data; /* the rooms' account data that is news, by position */
    size_t n_data;
    struct text join, invite, knock, leave; /* members of the objects in "rooms", separated by commas */
};

/* Account data of one room. */
struct own_data {
    room_no room;
    struct text events; /* separated by commas */
};

/* One room of the answer. */
struct room_view {
    struct composing *c;
    room_no room;
    const char *room_id;
    struct membership_row membership;
    stream_pos since, upto;        /* what of the room is told: events in (since, upto] */
    bool whole;                    /* all of the state, not what changed since */
    bool stranger;                 /* has left, and was not in it since either: no state is theirs to see */
    struct visibility *visibility; /* loaded when the first event asks */
    user_no heroes[HEROES_MAX];
    size_t n_heroes;
};

/* A stretch of timeline. */
struct batch {
    struct event_row **rows; /* oldest first, heap copies */
    size_t n;
    bool limited;
    stream_pos base;     /* what is told begins after it: prev_batch; 0: with the room itself */
    bool state;          /* there is state among what was looked at … */
    bool state_left_out; /* … that is not among the rows */
    bool members, name;  /* m.room.member, what names the room: changed in (since, upto] */
};

/* batch.c */
void batch_collect(struct batch *batch, struct room_view *view);
void batch_finish(struct batch *batch);
bool batch_has(const struct batch *batch, stream_pos pos);

/* room_state.c: appends the events, separated by commas, that "state" or "state_after" needs beside the batch. */
void room_state_add(struct text *out, struct room_view *view, const struct batch *batch);

/* room_state.c: appends those of a room before one enters it, as stripped state. */
void room_state_add_stripped(struct text *out, struct room_view *view);

/* room_summary.c: appends `"summary":{…},`, and fills in the heroes whose member events then belong to the state. */
void room_summary_add(struct text *out, struct room_view *view);

/* event_out.c: an event as the filter wants it: its fields, its format. */
void event_out(struct text *out, struct room_view *view, const struct event_row *row, bool in_timeline);
bool event_wanted(struct room_view *view, const struct event_filter *filter, const struct event_row *row);
bool event_seen(struct room_view *view, const struct event_row *row); /* history visibility */

const struct visibility *view_visibility(struct room_view *view); /* loaded when first asked for */

/* Appends a comma if something stands before it. */
void add_comma(struct text *out, size_t start);

/* room_out.c: one room's part, appended to join, invite, knock or leave of view->c. */
void room_out_joined(struct room_view *view, bool fresh);
void room_out_left(struct room_view *view);
void room_out_invited(struct room_view *view);
void room_out_knocked(struct room_view *view);

/* The room's account data among c->data; NULL: none. */
const struct text *composing_data(const struct composing *c, room_no room);

#endif
