/* Which threads a person has subscribed to, or taken their subscription back from (MSC4306): one row a thread that they
 * ever said something of. */
#ifndef PARTA_STORE_MATRIX_THREAD_SUBSCRIPTIONS_H
#define PARTA_STORE_MATRIX_THREAD_SUBSCRIPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

enum thread_subscription { THREAD_UNSUBSCRIBED, THREAD_AUTOMATIC, THREAD_MANUAL };

struct thread_subscription_row {
    stream_pos root; /* the thread's root: its position */
    room_no room;
    enum thread_subscription state;
    stream_pos pos; /* when it was last changed */
    int64_t stamp;  /* how often: rises with each change */
};

/* false: nothing was said of it. */
bool thread_subscriptions_get(struct db *db, user_no user, stream_pos root, struct thread_subscription_row *out);

/* Those that changed in (after, upto], the newest first. Iteration; stmt_end after. */
struct stmt *thread_subscriptions_newest(struct db *db, user_no user, stream_pos after, stream_pos upto, int64_t limit);
bool thread_subscriptions_next(struct stmt *q, struct thread_subscription_row *row);

/* Inside a job. row's pos and stamp do not count: it changes now. */
bool thread_subscriptions_put(struct tx *tx, user_no user, const struct thread_subscription_row *row);
bool thread_subscriptions_forget(struct tx *tx, user_no user); /* an erasure (G4) */

#endif
