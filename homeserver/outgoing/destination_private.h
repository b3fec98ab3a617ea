/* Where transfers go: what waits, and whether it answers. Only homeserver/outgoing includes this.
 *
 * A destination is unproven until an attempt there succeeds, and again as soon as one fails: it gets few attempts at
 * once then, and all unproven ones together get half of the places. After CIRCUIT_FAILURES failures in a row its
 * circuit is open: one attempt, after 1 s, 2 s, 4 s … 60 s. */
#ifndef PARTA_OUTGOING_DESTINATION_PRIVATE_H
#define PARTA_OUTGOING_DESTINATION_PRIVATE_H

#include <uthash.h>

#include "homeserver/outgoing/transfer_private.h"

#define DESTINATIONS_MAX 1000
#define NAMED_MAX 30 /* in the metrics; the rest are told of together */
#define CIRCUIT_FAILURES 3

struct destination_key {
    char network; /* enum outgoing_network: what people chose must not close the circuit of the operator's own */
    char name[DESTINATION_BYTES_MAX];
};

struct destination_counts {
    int64_t delivered, failed; /* transfers */
    int64_t attempts_failed;
};

struct destination {
    UT_hash_handle hh;
    struct destination_key key;
    bool named;
    struct transfer *waiting;
    size_t there; /* waiting, running, or about to be told of */
    int running;  /* without urgent ones */
    bool proven;
    int failures;    /* in a row */
    int64_t open_ms; /* clock_mono_ms: no attempt before; 0: now */
    struct destination_counts counts;
};

struct destinations {
    struct destination *all; /* those served longest ago come first */
    int n_named;
    struct destination_counts gone; /* of those that were forgotten */
};

/* Made if need be; one that has nothing to do is forgotten for it. NULL: DESTINATIONS_MAX have. */
struct destination *destinations_get(struct destinations *all, const struct destination_key *key);
void destinations_served(struct destinations *all, struct destination *d); /* to the back of the order */
void destinations_finish(struct destinations *all);

/* An attempt has ended with this reply. */
void destination_take(struct destination *d, const struct outgoing_reply *reply, int64_t now_ms);

/* Places for more attempts there, of the free places for proven and unproven ones. */
int destination_places(const struct destination *d, int free, int free_unproven, int64_t now_ms);

enum destination_metric {
    DESTINATION_DELIVERED,
    DESTINATION_FAILED,
    DESTINATION_ATTEMPTS_FAILED,
    DESTINATION_QUEUED,
    DESTINATION_CIRCUIT_OPEN,
    DESTINATION_METRIC__COUNT
};

/* The samples of one, by destination: those with a name, and the others together. */
void destinations_add_samples(const struct destinations *all, enum destination_metric which, const char *name,
                              struct text *out);

#endif
