/* Who pulls the roster: the job that does so every roster.interval_s, and whoever asks for it by hand.
 *
 * One pull at a time: who comes while another runs waits, and then pulls what has changed since, so that what it
 * answers is true. A pull of the job that fails is told in the log and tried at the next interval. Counters are for
 * /metrics. */
#ifndef PARTA_POLICY_ONEROSTER_PULLER_H
#define PARTA_POLICY_ONEROSTER_PULLER_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/jobs/jobs.h"
#include "policy/oneroster/pull.h"

struct metrics;
struct outgoing;
struct puller;

#define PULLER_FIRST_MS 500 /* after the start */

/* All are borrowed and outlive it. */
struct puller *puller_create(const struct config *config, struct writer *writer, struct rooms *rooms,
                             struct outgoing *outgoing);
void puller_destroy(struct puller *puller); /* when nobody pulls any more. NULL is accepted */

/* As roster_pull; fills in pull's config, outgoing, source and how.writer, rooms, config. Waits for a pull that runs,
 * or until *pull->stop is true. Blocks, long. */
bool puller_pull(struct puller *puller, struct roster_pull *pull, struct source_outcome *out, struct text *problem);

/* The job (job_fn): a pull as the server's own. One that is stopped changes nothing, unless it is importing already. */
enum job_outcome puller_run(void *puller, const _Atomic bool *stop);

/* The job that looks what is held (G5), for /metrics: imports that wait to be confirmed, whoever brought them. */
enum job_outcome puller_look(void *puller, const _Atomic bool *stop);
#define PULLER_LOOK_MS 30000

/* Of the job: pulls that ended well, that failed, and when the last one went well. */
void puller_metrics(struct puller *puller, struct metrics *metrics);

#endif
