/* A person's thread subscriptions as clients see them (MSC4308): the latest changes, by room and thread. */
#ifndef PARTA_ROOMS_READ_SUBSCRIBED_THREADS_H
#define PARTA_ROOMS_READ_SUBSCRIBED_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct db;

#define SUBSCRIBED_THREADS_MAX 100 /* at once */

struct subscribed_threads_query {
    bool school_mode;
    user_no user;
    const char *user_id;
    stream_pos after, upto;
    int64_t limit; /* more than SUBSCRIBED_THREADS_MAX: cut */
};

/* Appends the members "subscribed" and "unsubscribed", each if there are any, with a comma between: what changed in
 * (after, upto] of threads that the person may read. *rest: older changes than these go on up to there; 0: there are no
 * more. Blocks (reads). */
void subscribed_threads_add(struct text *out, struct db *db, const struct subscribed_threads_query *query,
                            stream_pos *rest);

#endif
