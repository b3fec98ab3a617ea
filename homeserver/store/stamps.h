/* Times that a clock that was ahead has left in rows, put right once it is back (driver/writer.h, tx_note_time).
 *
 * Whatever is compared with the clock would else go on as if it were of a day to come: a link for a year, a message
 * held until then, a school whose year was "turned lately", a roster that makes all others older. What happened is
 * dated now; what ends keeps the length that it was given, as far as a row tells, and else ends earlier by as much as
 * the clock went back. Times that are only told stay as they were written. tests/unit/clock.c has a
 * decision for every column. */
#ifndef PARTA_STORE_STAMPS_H
#define PARTA_STORE_STAMPS_H

#include <stdbool.h>
#include <stdint.h>

struct tx;

/* In a job, in the calendar's name (J2). back_ms: by how much the clock went back. false: the database failed. */
bool stamps_put_right(struct tx *tx, int64_t back_ms);

#endif
