/* Media that nothing needs any more go, and files that no row names.
 *
 * A piece is looked at a minute after the last event that named it was redacted, a week after an upload that was never
 * sent, a day after an id that was never uploaded to. It stays while it is the picture of a profile, or a message that
 * waits, account data of its uploader's or the evidence of an open report about them (F5) has its address; and what may
 * have gone into an encrypted room (access.h) stays as long as its uploader does, because no redaction
 * says that it is gone. */
#ifndef PARTA_MEDIA_UPKEEP_H
#define PARTA_MEDIA_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/jobs/jobs.h"
#include "homeserver/media/media.h"

#define MEDIA_SWEEP_MS (INT64_C(86400) * 1000) /* between two times that every file is looked at */

struct media_upkeep {
    const struct media *media;
    int64_t swept_ms; /* monotonic; 0: not since the start */
};

/* A job_fn; arg: struct media_upkeep. Blocks long. */
job_fn media_upkeep_run;

#endif
