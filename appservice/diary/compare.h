/* Comparing a reading with what was told before, and telling the difference.
 *
 * No Russian diary says what changed, so a window of days is read again and again, and a change is what the keyed hash
 * of a record says. Nothing is told of a pupil or group that is not found in the roster (match.h): the record waits,
 * and is told with the first whole reading after it is. What a whole reading lacks is withdrawn, and what one of
 * changes says is gone; if that is much of a window at once, it waits until somebody confirms it (school.md G5),
 * because a diary that has lost its data says the same. */
#ifndef PARTA_DIARY_COMPARE_H
#define PARTA_DIARY_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appservice/diary/reading.h"
#include "appservice/diary/roster.h"
#include "appservice/diary/sink.h"
#include "appservice/diary/state.h"

#define COMPARE_HOLD_AT_LEAST 20 /* records: fewer are never too many to be gone */
#define COMPARE_HOLD_PERCENT 25
#define COMPARE_BATCH 100 /* changes that share a commit */

struct tally {
    int64_t told[3]; /* by enum change_what */
    int64_t known, later, refused, unmatched, held;
};

struct comparison {
    struct state *state;
    const struct sink *sink;
    const struct roster *roster;
    const char *source;
    bool sourced;             /* the diary's ids are the roster's sourcedIds */
    bool tell_all;            /* also what was there when the source was read first */
    const unsigned char *key; /* RECORD_KEY_BYTES */
    int64_t now_ms;
    const _Atomic bool *stop; /* NULL: never */
    _Atomic int64_t *told;    /* by enum change_what; counted up as changes are noted as told; NULL: nobody looks */
    int64_t asked;            /* source_state.asked when the reading was begun */
    bool *waiting; /* by place in the reading's records: somebody of it is not found; the caller's; NULL: nobody asks */
    const char *cursor; /* from where changes are asked for next, if nothing of this reading waits; NULL: nowhere */
    struct tally tally;
};

/* reading is after reading_end. false: the state failed or it was stopped, and the rest comes with the next reading.
 * Blocks (disk, the sink). */
bool compare(struct comparison *c, const struct reading *reading);

#endif
