/* What clients of sliding sync have been sent (MSC4186, "Connections"): in memory, by device and connection.
 *
 * A connection has one or two states: the one that its client has proven to have (it asked with the pos of that answer)
 * and the one that the answer under way, or lost, leaves it with. A request names one of the two by its pos, is
 * answered from it, and the next state takes the other's place; so an answer that got lost is made again, from what the
 * client really has. A state is immutable once it is here, and counted: whoever answers works on a copy, and of two
 * requests at once the later wins.
 *
 * A state costs 48 bytes a room. A device has CONNECTIONS_OF_DEVICE of them, the one used longest ago makes way; a
 * person's hold no more than one in CONNECTIONS_SHARE of the bytes that connections_create says, and then their own go,
 * those used longest ago first; all together hold those bytes, and then whole devices go. What is gone, also by a
 * restart, is put together again from the pos, if that says that the client had everything (sync/sliding/answer.h). */
#ifndef PARTA_SYNC_CONNECTIONS_H
#define PARTA_SYNC_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/rooms/read/token.h"

#define CONNECTIONS_OF_DEVICE 8
#define CONNECTIONS_SHARE 16
#define CONNECTION_EXTENSIONS_MAX 8
#define CONNECTION_UPTO INT64_MAX /* of connection_room.sent: as far as the state's upto */

/* A room that the person is or was in, by number. */
struct connection_room {
    room_no room;
    stream_pos sent;     /* up to where it was; 0: never; CONNECTION_UPTO */
    stream_pos activity; /* its last event; of a room that one is not in, one's own member event */
    stream_pos gap;      /* its last answer that left events out, and members who changed there; 0: none did */
    uint64_t parts;      /* which of the state's parts it was sent by: bits */
    uint16_t have;       /* so many of its newest events were sent; UINT16_MAX: all that there are to see */
    uint8_t membership;  /* enum membership */
    uint8_t type;        /* enum connection_type */
    uint8_t encrypted;   /* enum connection_known */
    uint8_t direct;      /* the client was told that it is a direct chat */
    uint8_t hidden;      /* counts in no list */
};
enum connection_known { KNOWN_NOT_YET, KNOWN_NO, KNOWN_YES };
enum connection_type { TYPE_NOT_YET, TYPE_NONE, TYPE_SPACE, TYPE_OTHER };

struct connection_state {
    _Atomic int refs;
    stream_pos upto;
    char pos[TOKEN_POS_MAX + 1]; /* of the answer that left the client with it */
    int64_t members;             /* as which device sync/lazy.h knows what members it has */
    uint64_t body;               /* connections_body of the request that led to it */
    char *txn_id;                /* what it said; heap, or NULL */
    unsigned interest;           /* what else than the person's own news may be news to it: enum connection_interest */
    stream_pos extensions[CONNECTION_EXTENSIONS_MAX]; /* since when each has been told without a gap; 0: it is not */
    /* For an answer on the loop (sync/sliding/live.h), where live: all rooms are in range, none is subscribed to. */
    bool live, lazy, to_device;
    uint16_t limit; /* of every list's timelines: the least */
    int64_t more;   /* of its pos (rooms/read/token.h) */
    char *counts;   /* `,"lists":{…}`; heap, or NULL */
    size_t n_parts, n_rooms;
    uint64_t *parts;               /* digests of required states; heap */
    struct connection_room *rooms; /* by number; heap */
};
enum connection_interest {
    INTEREST_ROOMS = 1,
    INTEREST_TYPING = 2,
    INTEREST_RECEIPTS = 4,
    INTEREST_KEYS = 8, /* every answer says how many keys the device has left */
};

struct connections;

/* Whose they are: of a device, or of somebody who asks without one (device 0). No padding: compared as bytes. */
struct connections_owner {
    user_no user;
    device_no device;
};

/* bytes: a person's share of them is what a few connections of many rooms take, at least. */
struct connections *connections_create(size_t bytes);
void connections_destroy(struct connections *all); /* NULL is accepted */

/* Any thread; none blocks for more than some hundred instructions. */

/* How a device's connection is called here, from what its client calls it. */
int64_t connections_id(device_no device, const char *conn_id);

/* A body, in few bytes that nobody can choose. */
uint64_t connections_body(const struct connections *all, const char *body, size_t len);

struct connection_state *connection_state_create(void); /* zeroed; one reference */
/* All but its references: one, the caller's, to change. */
struct connection_state *connection_state_copy(const struct connection_state *state);
void connection_state_unref(struct connection_state *state); /* NULL is accepted */

/* The state that pos names: a reference; NULL: there is none, and *known says whether the connection is here at all.
 * *again: it was answered from before, and whether that answer came nobody knows. What the client had before it is
 * forgotten. */
struct connection_state *connections_take(struct connections *all, struct connections_owner who, int64_t connection,
                                          const char *pos, bool *known, bool *again);

/* The next state after base; base NULL: the connection begins anew with it. Takes next's reference. */
void connections_put(struct connections *all, struct connections_owner who, int64_t connection,
                     const struct connection_state *base, struct connection_state *next);

/* A state that the client is taken to have: in the place of base, from which nothing was answered; or, base NULL, one
 * that was put together again. Takes a reference of its own. */
void connections_replace(struct connections *all, struct connections_owner who, int64_t connection,
                         const struct connection_state *base, struct connection_state *state);

/* For a loop: the state that pos names of one of the device's connections, if its last request had that body, and no
 * answer is under way from it: a reference, and which connection; NULL: it is not here. */
struct connection_state *connections_hold(struct connections *all, struct connections_owner who, const char *pos,
                                          uint64_t body, int64_t *connection);

/* The room of a state; NULL: it has none of that number. Borrowed. */
struct connection_room *connection_state_room(const struct connection_state *state, room_no room);

/* For a loop: what the state that pos names of one of the device's connections is up to, if its last request had that
 * body. false: it is not known here. */
bool connections_find(struct connections *all, struct connections_owner who, const char *pos, uint64_t body,
                      stream_pos *upto, unsigned *interest);

size_t connections_bytes(struct connections *all); /* of all states that are kept now; for tests */

#endif
