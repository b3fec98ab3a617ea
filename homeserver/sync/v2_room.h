/* Rooms in today's JSON (Client-Server API, "Syncing": Joined Room, Left Room, Invited Room, Knocked Room), from what
 * sync/room_data.h holds. */
#ifndef PARTA_SYNC_V2_ROOM_H
#define PARTA_SYNC_V2_ROOM_H

#include <stdbool.h>

#include "homeserver/base/text.h"
#include "homeserver/sync/room_data.h"

/* Append `"!room":{…}`. Block (rendering reads). */
void v2_add_joined_room(struct text *out, struct sync_gather *gather, const struct room_data *room);
void v2_add_left_room(struct text *out, struct sync_gather *gather, const struct room_data *room);

/* A room before one enters it; key: "invite_state" or "knock_state". */
void v2_add_stripped_room(struct text *out, struct sync_gather *gather, const struct room_data *room, const char *key);

/* The pieces of a joined room that the fast path puts together, in this order; ephemeral events (sync/v2_ephemeral.h)
 * go before the counts. None of them reads. */
void v2_open_room(struct text *out, const char *room_id);                 /* "!room":{ */
void v2_open_state(struct text *out, const struct sync_request *request); /* "state":{"events":[ */
void v2_open_timeline(struct text *out);                                  /* ]},"timeline":{"events":[ */
void v2_close_timeline(struct text *out, const struct sync_gather *gather, bool limited, stream_pos start);
/* ,"unread_notifications":{…} and, by_thread, ,"unread_thread_notifications":{…} if there are any. */
void v2_add_unread(struct text *out, const struct unread_tally *tally, bool by_thread);

/* One event of account data; push rules (their stored form is not what clients see) for user_id. */
void v2_add_account_data(struct text *out, const struct account_data_item *item, const char *user_id);

#endif
