/* Who hears that a child has a new guardian: its other guardians and the class teacher, in the server's name. A link is
 * also in a pupil's own hands, and may be in a stranger's; an office errs, and a roster too. So it does not lie with
 * the door: whatever adds a guardianship leaves a row (store/school/guardianships.h), which this job takes. */
#ifndef PARTA_POLICY_SIGNUP_GUARDIAN_TOLD_H
#define PARTA_POLICY_SIGNUP_GUARDIAN_TOLD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "homeserver/jobs/jobs.h"

struct rooms;
struct writer;

#define GUARDIANS_TOLD_LOOK_MS INT64_C(10000)

struct guardians_told {
    struct writer *writer;
    struct rooms *rooms;
};

/* A job (jobs/jobs.h). */
enum job_outcome guardians_told_run(void *guardians_told, const _Atomic bool *stop);

#endif
