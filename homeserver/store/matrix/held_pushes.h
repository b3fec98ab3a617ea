/* Pushes that wait (homeserver/push/delivery/held.h): for the end of quiet hours (school.md F3), or for a gateway that
 * was away for long. One row a gateway, person and room: the newest event stands for those before it. */
#ifndef PARTA_STORE_MATRIX_HELD_PUSHES_H
#define PARTA_STORE_MATRIX_HELD_PUSHES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

struct held_push {
    const char *gateway; /* borrowed until the next row */
    user_no user;
    room_no room;
    stream_pos pos;   /* the event */
    int64_t due_ms;   /* wall clock: not before */
    int64_t first_ms; /* when the row came */
};

/* Due ones, at most limit; stmt_end after. */
struct stmt *held_pushes_due(struct db *db, int64_t now_ms, int64_t limit);
bool held_pushes_next(struct stmt *q, struct held_push *row);
int64_t held_pushes_count(struct db *db);

/* Inside a job. */
bool held_pushes_put(struct tx *tx, const struct held_push *row); /* a newer event replaces, the later due counts */
/* Unless a newer event stands there now. */
bool held_pushes_postpone(struct tx *tx, const struct held_push *row, int64_t due_ms);
bool held_pushes_remove(struct tx *tx, const struct held_push *row);
bool held_pushes_forget(struct tx *tx, user_no user);

#endif
