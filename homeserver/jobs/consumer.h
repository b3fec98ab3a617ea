/* Stream consumers: what follows the events of the stream somewhere else, to the last of them: pushes, application
 * services, a search index, webhooks.
 *
 * A consumer has destinations, and for each a durable cursor: everything up to its position is done there. The writer's
 * observer wakes it; it reads what was committed beyond the cursor, in order, and hands it over a batch at a time. One
 * batch of a destination is under way at a time, so order is kept; the next one begins when it is done. What is to be
 * done again is handed over again, the same batch, after 1 s, 2 s, 4 s … 60 s, or when the other side says; meanwhile
 * the other destinations go on. The cursor is written after the batch was done: at least once, and after a crash
 * perhaps a batch more than once. Of batches with nothing for the destination it is written with a later one, or after
 * a thousand positions, or at the end: after a crash they are looked at once more. A batch is named by (after, upto],
 * which is good for a transaction's id.
 *
 * A consumer has a thread of its own. What takes time elsewhere must not hold it: handle begins a transfer
 * (outgoing_send), answers CONSUMER_PENDING, and calls consumer_finish when it is done. So a dead destination delays no
 * other, and a slow consumer none of the others. */
#ifndef PARTA_JOBS_CONSUMER_H
#define PARTA_JOBS_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/writer.h"

struct consumer;
struct db;
struct stmt;

enum consumer_verdict {
    CONSUMER_DONE,
    CONSUMER_NOTHING, /* nothing in it was for the destination: done, and not worth a write (below) */
    CONSUMER_AGAIN,   /* the same once more, later */
    CONSUMER_SKIP,    /* it will never be done: logged, counted, and passed over */
    CONSUMER_PENDING, /* of handle only: consumer_finish will say */
};

/* Names a batch that is pending. */
struct consumer_ticket {
    struct consumer *consumer;
    int64_t destination, batch;
};

/* Valid until handle returns. */
struct consumer_batch {
    const char *destination;
    stream_pos after, upto; /* what it covers: (after, upto] */
    struct stmt *events;    /* in there, oldest first, for events_next (store/matrix/events.h); not ended by handle */
    struct db *db;          /* for look-ups, in the same snapshot */
    int failures;           /* how often it was handed over in vain so far */
    struct consumer_ticket ticket;
};

struct consumer_settings {
    const char *name; /* of its rows and for the log; static */
    /* 1u << enum change_kind: what wakes it. 0: events alone, and no batch is without one. With others, batches may
     * hold no events: what else changed in (after, upto], handle looks up. */
    unsigned wakes;
    int batch_max;      /* events in a batch; 0: 100 */
    int64_t backoff_ms; /* after a first failure; 0: 1000 */
    enum consumer_verdict (*handle)(void *self, const struct consumer_batch *batch);
    void *self;

    struct writer *writer;
};

#define CONSUMER_DESTINATIONS_MAX 10000
#define CONSUMER_DESTINATION_BYTES_MAX 255

/* Goes on from where its cursors are. The caller adds consumer_observe to the writer's observers (before anything
 * changes). NULL: the database failed, or the thread could not be started (logged). Blocks (the writer). */
struct consumer *consumer_start(const struct consumer_settings *settings);

/* A writer_observer. */
void consumer_observe(void *consumer, const struct change *changes, size_t n);

/* A destination whose cursor begins at the position of now, unless it is there already. false: *e is
 * ERROR_LIMIT_EXCEEDED, ERROR_INVALID_PARAM (too long a name), or the database failed. Blocks (the writer). */
bool consumer_add(struct consumer *consumer, const char *destination, struct error *e);

/* Forgets a destination and its cursor; what is pending there ends unheard. Blocks (the writer). */
bool consumer_remove(struct consumer *consumer, const char *destination, struct error *e);

/* Its destinations now: *names and each of them are heap. Any thread. */
size_t consumer_destinations(struct consumer *consumer, char ***names);

/* How a pending batch ended. wait_ms, with CONSUMER_AGAIN: not before, as the other side asks (at most an hour); 0: as
 * usual. Called once a batch; also after consumer_stop (then nothing happens). Any thread; does not block. */
void consumer_finish(const struct consumer_ticket *ticket, enum consumer_verdict verdict, int64_t wait_ms);

/* Ends the thread when handle has returned; writes the cursors. After outgoing_stop, so that what was delivered at the
 * last moment counts, and before the writer stops. NULL is accepted. Blocks. */
void consumer_stop(struct consumer *consumer);
void consumer_destroy(struct consumer *consumer); /* nobody may finish a batch any more. NULL is accepted */

struct consumer_counts {
    int64_t destinations, failing; /* now; failing: the last batch there was not done */
    int64_t done, skipped;         /* batches so far */
    int64_t behind;                /* positions, of the destination that is furthest behind what is committed */
};
struct consumer_counts consumer_counts(struct consumer *consumer); /* for metrics. Any thread */

#endif
