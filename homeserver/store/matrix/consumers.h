/* How far stream consumers have come (homeserver/jobs/consumer.h): a row for each consumer and destination. */
#ifndef PARTA_STORE_MATRIX_CONSUMERS_H
#define PARTA_STORE_MATRIX_CONSUMERS_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

struct consumer_row {
    const char *destination; /* borrowed until the next row */
    stream_pos pos;          /* everything up to here is done */
};

/* All of a consumer, by destination; stmt_end after. */
struct stmt *consumers_of(struct db *db, const char *consumer);
bool consumers_next(struct stmt *q, struct consumer_row *row);

/* −1: there is no such row. */
stream_pos consumers_pos(struct db *db, const char *consumer, const char *destination);

/* Inside a job. */
bool consumers_add(struct tx *tx, const char *consumer, const char *destination,
                   stream_pos pos); /* if it is not there */
bool consumers_advance(struct tx *tx, const char *consumer, const char *destination,
                       stream_pos pos); /* if it is there */
bool consumers_remove(struct tx *tx, const char *consumer, const char *destination);

#endif
