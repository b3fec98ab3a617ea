#include "homeserver/rooms/events/record.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/rooms/events/recent_events.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/pdu/redact.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/relations.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/transactions.h"

/* --- Its place --- */

/* Room version 12: the room is called after its create event. */
static bool name_room(struct tx *tx, struct new_event *event)
{
    char room_id[ID_BYTES_MAX + 1];
    pdu_room_id(event->pdu.event_id, room_id);
    free(event->room->room_id);
    event->room->room_id = xstrdup(room_id);
    return rooms_set_id(tx, event->room->no, room_id);
}

static bool place_state(struct tx *tx, struct new_event *event)
{
    struct event_row *row = &event->row;
    if (row->state_key == NULL)
        return true;
    row->replaces = event->first ? 0 : room_state_get(event->room, tx, row->type, row->state_key)->pos;
    room_forget_state(event->room, row->type, row->state_key);
    return events_set_state(tx, row->room, row->type, row->state_key, row->pos);
}

static bool place_membership(struct tx *tx, struct new_event *event)
{
    struct membership_row row;
    struct room *room = event->room;
    bool joins = event->membership == MEMBERSHIP_JOIN;
    if (event->target == 0)
        return true;
    room_joined(room, tx); /* the set as it was, before the row says otherwise */
    room->joined = member_set_with(room->joined, event->target, joins);
    if (event->first) /* gate_entered would do nothing: the office says to which schools a room of the roster belongs */
        return memberships_put_first(tx, room->no, event->target, event->row.pos);
    memberships_get(tx->db, room->no, event->target, &row);
    if (joins && row.membership != MEMBERSHIP_JOIN)
        row.joined_pos = event->row.pos;
    row.membership = event->membership;
    row.pos = event->row.pos;
    bool enters = joins || event->membership == MEMBERSHIP_INVITE || event->membership == MEMBERSHIP_KNOCK;
    return memberships_put(tx, &row) &&
           (!enters || gate_entered(room->rooms, tx, room->no, event->target, event->membership == MEMBERSHIP_KNOCK));
}

bool record_place(struct tx *tx, struct new_event *event)
{
    struct room *room = event->room;
    room_touch(room, tx);
    if (event->pdu.room_id == NULL && !name_room(tx, event))
        return false;
    event->row.pos = tx_next_pos(tx);
    room->last_pos = event->row.pos;
    room->last_ts = event_received_ms(&event->row);
    room->depth = event->row.depth;
    return place_state(tx, event) && place_membership(tx, event);
}

/* --- What is written --- */

static bool write_redaction(struct tx *tx, struct new_event *event)
{
    struct event_row row;
    struct text content = TEXT_INIT;
    bool done = true;
    if (event->redacted == 0)
        return true;
    struct stmt *q = events_by_pos(tx->db, event->redacted);
    if (events_next(q, &row)) {
        redact_add_content(&content, event->room->version, row.type, row.content, strlen(row.content));
        if (row.state_key != NULL)
            room_forget_state(event->room, row.type, row.state_key);
        done = relations_forget(tx, row.content, row.pos);
    }
    stmt_end(q);
    done = done && content.data != NULL && events_redact(tx, event->redacted, event->row.pos, content.data);
    text_finish(&content);
    return done;
}

/* Whose keys the members ask for, and who asks for theirs: news for clients that encrypt
 * (store/matrix/device_keys.h). */
static bool changes_who_reads(struct tx *tx, struct new_event *event)
{
    const struct event_row *row = &event->row;
    bool turned_on = row->state_key != NULL && *row->state_key == '\0' && strcmp(row->type, "m.room.encryption") == 0;
    return turned_on || (event->target != 0 && room_state_get(event->room, tx, "m.room.encryption", "")->pos != 0);
}

static void queue_changes(struct tx *tx, struct new_event *event)
{
    const struct event_row *row = &event->row;
    struct change change = {.kind = CHANGE_EVENT, .pos = row->pos, .room = row->room, .user = row->sender};
    if (!tx_heard(tx))
        return;
    room_joined(event->room, tx); /* observers will ask */
    if (row->state_key == NULL)
        recent_events_add(rooms_recent_events(event->room->rooms), row, event->device, event->txn_id);
    tx_change(tx, change);
    change.kind = CHANGE_MEMBERSHIP;
    change.user = event->target;
    if (event->target != 0)
        tx_change(tx, change);
    if (changes_who_reads(tx, event)) {
        change.kind = CHANGE_ENCRYPTED;
        change.user = event->target != 0 ? event->target : row->sender;
        tx_change(tx, change);
    }
}

/* The room's memory may be ahead of what is written here: only its last event may say what the next one names. */
bool record_write(struct tx *tx, struct new_event *event)
{
    struct room *room = event->room;
    const struct event_row *row = &event->row;
    if (row->pos == room->last_pos) {
        strcpy(room->last_event_id, event->pdu.event_id);
        memcpy(room->last_reference, event->reference, SHA256_BYTES);
    }
    bool written = events_insert(tx, row) &&
                   (event->txn_id == NULL ||
                    transactions_insert(tx, event->device, room->no, event->about, event->txn_id, row->pos)) &&
                   (event->relates_to == NULL || relations_insert(tx, event->relates_to, event->rel_type, row->pos)) &&
                   write_redaction(tx, event) && rooms_run_hooks(room->rooms, tx, event);
    if (written)
        queue_changes(tx, event);
    return written;
}
