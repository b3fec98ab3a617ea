/* What push rules ask of a room beside the event: its members now, and what its power levels say.
 *
 *     struct push_room facts;
 *     room_facts_load(&facts, db, names, room);
 *     room_facts_event(&facts, &event, room_id, &row);      … push_evaluate, push_event_finish
 *     room_facts_finish(&facts); */
#ifndef PARTA_PUSH_ROOM_FACTS_H
#define PARTA_PUSH_ROOM_FACTS_H

#include <jansson.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/rooms/pdu/power.h"

struct db;
struct event_row;
struct user_names;

struct push_room {
    struct db *db;
    struct user_names *names;
    int64_t members;
    struct power power;
    json_t *create, *levels; /* contents, which power borrows; NULL: none */
};

/* db and names are borrowed until room_facts_finish. Blocks (reads). */
void room_facts_load(struct push_room *facts, struct db *db, struct user_names *names, room_no room);
void room_facts_finish(struct push_room *facts);

/* push_event_init for a row of this room, which event borrows. May read the sender's name. */
void room_facts_event(const struct push_room *facts, struct push_event *event, const char *room_id,
                      const struct event_row *row);

/* The user's display name in the room: heap, or NULL. Blocks (a read). */
char *room_facts_display_name(struct db *db, room_no room, const char *user_id);

#endif
