/* How the disk under the database fares, as far as anybody has noticed: what GET /health answers by.
 *
 * Each connection that was given one (struct db_options) notes what fails in it for want of the disk: no room, failing
 * calls, damaged pages. One line of the log says so, the rest is counted: a disk that fails fails every request. That
 * it works again is found out by the probe (jobs/storage_check.h), which writes through the writer at an interval, and
 * for pages by the check of a copy. Any thread; nothing blocks. */
#ifndef PARTA_STORE_DRIVER_STORAGE_H
#define PARTA_STORE_DRIVER_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

struct metrics;
struct storage;

enum storage_problem {
    STORAGE_WELL,
    STORAGE_FULL,    /* no room to write */
    STORAGE_FAILING, /* reading or writing fails */
    STORAGE_DAMAGED, /* pages hold what they should not */
    STORAGE_SILENT   /* no write has come back for STORAGE_SILENT_MS */
};
#define STORAGE_SILENT_MS 120000 /* longer than jobs of the writer take that have much to do */

struct storage *storage_create(void);          /* never NULL; well until a failure is noted, and heard from just now */
void storage_destroy(struct storage *storage); /* NULL is accepted, here and below */

/* A call failed, of the problem. true: the first of them, to be logged; false: counted. */
bool storage_note(struct storage *storage, enum storage_problem problem);

/* A write that only asks whether one can be made came back. Once one was made and nothing has failed since the one
 * before, the disk works again. */
void storage_probed(struct storage *storage, bool written);

void storage_verified(struct storage *storage, bool sound); /* a copy was read whole */

/* What is the matter now, the worst first. mono_ms: clock_mono_ms, now. Any thread. */
enum storage_problem storage_problem(const struct storage *storage, int64_t mono_ms);

/* Adds parta_storage_…; storage is not NULL here, and lives as long as metrics are asked for. */
void storage_metrics(struct storage *storage, struct metrics *metrics);

#endif
