/* A person who may be told: their devices at one gateway, rules, and what they have not read. */
#ifndef PARTA_PUSH_DELIVERY_TOLD_H
#define PARTA_PUSH_DELIVERY_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/ignored.h"

struct db;
struct event_row;
struct push_room;
struct push_service;
struct pusher_row;
struct stmt;

struct told_key {
    char *app_id, *pushkey;
    int64_t set_ms;
};

struct told {
    user_no user;
    const char *user_id;
    struct push_rules *rules;
    struct ignored ignored;
    struct gate_ring ring; /* of an event that is not urgent */
    int64_t unread;        /* told_count; −1: not counted yet */

    /* Devices as a gateway wants them (notify.h): those that get ids alone, and those that get more. */
    struct text plain, full;
    struct told_key *keys;
    size_t n_keys;
};

/* Without devices. Blocks (some reads). */
void told_open(struct told *told, struct push_service *service, struct db *db, user_no user);
void told_add(struct told *told, const struct pusher_row *pusher);
/* All that the statement has (pushers_at, pushers_http_of), which is ended. */
void told_add_all(struct told *told, struct stmt *pushers);
void told_close(struct told *told);

/* Whether the event notifies them; *result borrows from their rules. room: of the event. */
bool told_wants(const struct told *told, struct db *db, const struct push_room *room, const char *room_id,
                const struct event_row *row, struct push_result *result);

/* The same of the ring, which for an urgent event (F6) is asked of that alone. */
struct gate_ring told_ring(const struct told *told, struct push_service *service, struct db *db,
                           const struct event_row *row);

/* What is unread and notifies, in all their rooms. Inside one snapshot of db. */
struct told_unread {
    int64_t messages, rooms;
    stream_pos newest; /* event in such a room */
};
struct told_unread told_count(const struct told *told, struct push_service *service, struct db *db);

/* Whether something there is unread and notifies. */
bool told_behind(const struct told *told, struct push_service *service, struct db *db, room_no room,
                 const char *room_id, stream_pos joined_pos);

#endif
