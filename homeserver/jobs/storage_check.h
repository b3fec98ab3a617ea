/* Whether the disk under the database can be trusted, asked at an interval
 * (store/driver/storage.h keeps the answer). */
#ifndef PARTA_JOBS_STORAGE_CHECK_H
#define PARTA_JOBS_STORAGE_CHECK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "homeserver/jobs/jobs.h"

struct storage;
struct writer;

#define STORAGE_LOOK_MS 5000   /* how often the job runs, and so writes while something is wrong */
#define STORAGE_PROBE_MS 30000 /* how often it writes while all is well */
#define STORAGE_VERIFY_FIRST_MS (10 * MINUTE_MS)
#define STORAGE_SUSPECT_MS HOUR_MS /* between two checks for want of trust */

struct storage_check {
    struct writer *writer;
    struct storage *storage;
    const char *db_path, *copy_path; /* borrowed; a file at copy_path is overwritten */
    int64_t probed_ms, suspected_ms; /* monotonic; 0: not yet; of the probe's thread */
};

/* Notes the time in a row, through the writer, when it is its turn; where the clock has gone back, puts right what it
 * had stamped (store/stamps.h). *suspect: pages are damaged, and a copy should be read now. Blocks. */
enum job_outcome storage_probe(struct storage_check *check, bool *suspect);

/* Copies the database and reads the copy whole: as `parta backup` and `parta verify` do, without holding up anybody.
 * Left out, with a warning, where the copy would take the room that the server needs. Blocks long. */
enum job_outcome storage_verify(const struct storage_check *check);

#endif
