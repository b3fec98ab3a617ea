/* Pushes that wait, and counts that fall.
 *
 * What quiet hours hold (school.md F3), and what could not be told while a gateway was away, waits as one row a
 * gateway, person and room. When it is due it is asked anew what of it still stands: whether the person is in the room,
 * has not read it, what they would be told of was not taken back, and their phone may ring now. The newest event that
 * does is told, one push a room. A row goes when the gateway has taken it; until then it is tried again.
 *
 * What is read on one device takes the number from the icon on the others: a push without an event (Push Gateway API,
 * "counts"), for a person at most one in some seconds. These are kept in memory: the next push says the number, too. */
#ifndef PARTA_PUSH_DELIVERY_HELD_H
#define PARTA_PUSH_DELIVERY_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/held_pushes.h"

struct badges;
struct push_service;

#define HELD_AGAIN_MS (10 * MINUTE_MS) /* what was handed over and not taken */
#define HELD_DROP_MS (48 * HOUR_MS)    /* older than that it is dropped */

/* A writer_job: puts rows aside. */
struct held_rows {
    const struct held_push *rows;
    size_t n;
};
bool held_job_put(struct tx *tx, void *rows, struct error *e); /* rows: struct held_rows */

/* Hands over what is due, some of it. true: there may be more. Blocks (reads, the writer). */
bool held_deliver(struct push_service *service, struct db *db, int64_t now_ms);

/* People who have read something: never NULL. */
struct badges *badges_create(void);
void badges_destroy(struct badges *badges);                                /* NULL is accepted */
void badges_observe(void *badges, const struct change *changes, size_t n); /* a writer_observer */
/* Tells their devices what is still unread, some of them. true: there is more. Blocks (reads). */
bool badges_tell(struct badges *badges, struct push_service *service, struct db *db);

#endif
