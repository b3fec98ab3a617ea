/* How many connections there may be, and whether one more of an address is let in. Pure.
 *
 * One address (IPv6: its /64) has a share of all, and no more than is still left: whoever comes first to the last free
 * place gets it, however many the others have, and several who take all they can leave as much again each time. What is
 * let in when nearly all are taken, of all or of the address's own, is let in briefly: it is answered and closed, and
 * holds no poll. So there is room for /health and for who comes new while everything else is held.
 *
 * A trusted proxy speaks for many: it has no share, only all together. The metrics listener has places of its own. */
#ifndef PARTA_HTTP_ADMISSION_H
#define PARTA_HTTP_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>

#define ADMISSION_METRICS_MAX 64 /* connections to the metrics listener */

struct admission_bounds {
    size_t max;        /* connections of all */
    size_t of_address; /* of one; 0: half */
};

enum admission { ADMISSION_REFUSED, ADMISSION_BRIEF, ADMISSION_FULL };

/* One more, when there are all of everybody's and own of the address's (a proxy's: 0). */
enum admission admission_of(const struct admission_bounds *bounds, size_t all, size_t own);

/* Nine tenths are taken, of all or of what one address may have: what is idle gives way sooner. */
bool admission_is_crowded(const struct admission_bounds *bounds, size_t all, size_t own);

/* How many connections fit into so many file descriptors: others (databases, bodies, outgoing requests) need some, too,
 * but never more than half. */
size_t admission_fitting(size_t descriptors, size_t others);

#endif
