#include "homeserver/rooms/acts/prune.h"

#include "homeserver/store/matrix/transactions.h"
#include "homeserver/store/school/idempotency.h"
#include "homeserver/store/driver/writer.h"

#define AT_ONCE 500 /* rows a job */

static bool forget_transactions(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = transactions_prune(tx, tx->now_ms - PRUNE_TRANSACTIONS_MS, AT_ONCE);
    return true;
}

static bool forget_idempotency(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = idempotency_prune(tx, tx->now_ms - PRUNE_IDEMPOTENCY_MS, AT_ONCE);
    return true;
}

int64_t prune_run(struct writer *writer)
{
    static writer_job *const JOBS[] = {forget_transactions, forget_idempotency};
    struct error e;
    int64_t forgotten = 0;
    for (size_t i = 0; i < sizeof JOBS / sizeof *JOBS; ++i) {
        int now = AT_ONCE;
        while (now == AT_ONCE && writer_run(writer, JOBS[i], &now, &e))
            forgotten += now;
    }
    return forgotten;
}
