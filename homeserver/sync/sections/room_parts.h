/* What the sections of rooms gather, each part in the file of its name. All block (reads).
 *
 * Order: the timeline first (state and summary depend on where it starts and what it tells), then the state, the
 * summary (which finds the name there), and the members (the heroes' events belong to them). */
#ifndef PARTA_SYNC_SECTIONS_ROOM_PARTS_H
#define PARTA_SYNC_SECTIONS_ROOM_PARTS_H

#include <stdbool.h>

#include "homeserver/sync/room_data.h"

struct event_filter;
struct event_row;

/* room_timeline.c: room->timeline. */
void room_timeline_gather(struct sync_gather *g, struct room_data *room);

/* room_summary.c: room->summary. */
void room_summary_gather(struct sync_gather *g, struct room_data *room);

/* room_state.c: room->state beside the timeline, with lazy loading but for the members that the answer needs; and
 * these. */
void room_state_gather(struct sync_gather *g, struct room_data *room);
void room_members_gather(struct sync_gather *g, struct room_data *room);

/* room_state.c: room->state of a room before one enters it, to be shown as stripped state. inviter: whose member event
 * is shown beside one's own; oneself, or 0: nobody's. */
void room_state_gather_stripped(struct sync_gather *g, struct room_data *room, user_no inviter);

/* room_ephemeral.c: room->typists and room->receipts. */
void room_ephemeral_gather(struct sync_gather *g, struct room_data *room);

/* room_personal.c: room->account_data; room->unread. */
void room_account_data_gather(struct sync_gather *g, struct room_data *room);
void room_unread_gather(struct sync_gather *g, struct room_data *room);

/* room_events.c: the next of the gathering's rooms with one of these memberships (bits 1 << enum membership) into
 * *room; *at: where to look from. false: there is none. */
bool room_next(struct sync_gather *g, size_t *at, unsigned memberships, struct room_data *room);

/* room_events.c: since when the room is to be told. 0: all of it is news, for they joined since; whoever was in it at
 * the request's since, too, and only left in between, has what was before. */
stream_pos room_since(struct sync_gather *g, struct room_data *room);

/* room_events.c: whether the filter lets the event through; whether history visibility lets its reader see it; and the
 * latter's rules, loaded when first asked for. */
bool room_event_wanted(struct sync_gather *g, const struct room_data *room, const struct event_filter *filter,
                       const struct event_row *row);
bool room_event_seen(struct sync_gather *g, struct room_data *room, const struct event_row *row);
const struct visibility *room_visibility(struct sync_gather *g, struct room_data *room);

/* left_rooms.c: of a room that one has left: up to where it is told, and from where on. Asks the gate
 * (rooms/read/visibility.h). */
void room_left_gather(struct sync_gather *g, struct room_data *room);

/* invited_rooms.c: whether a room before one enters it is shown at all: the gate is asked (ACT_SEE), and whom the
 * person ignores. *inviter: who invites, or oneself. */
bool room_outside_shown(struct sync_gather *g, const struct room_data *room, user_no *inviter);

#endif
