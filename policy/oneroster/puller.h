/* The thread that pulls the roster by itself, every roster.interval_s.
 *
 * The first pull comes soon after the start, each next one an interval after the last has ended; one that fails is told
 * in the log and tried at the next interval. Counters are for /metrics. */
#ifndef PARTA_POLICY_ONEROSTER_PULLER_H
#define PARTA_POLICY_ONEROSTER_PULLER_H

struct config;
struct metrics;
struct puller;
struct rooms;
struct writer;

/* NULL: roster.interval_s is 0, or the thread can't be started (logged). All must outlive puller_stop. */
struct puller *puller_start(const struct config *config, struct writer *writer, struct rooms *rooms);

/* Ends a pull that runs: it changes nothing then, unless it is importing already. NULL is accepted. Blocks. */
void puller_stop(struct puller *puller);

/* puller NULL: zeros. */
void puller_metrics(struct puller *puller, struct metrics *metrics);

#endif
