#include "homeserver/rooms/upkeep.h"

#include "homeserver/store/events.h"
#include "homeserver/store/writer.h"

#define AT_ONCE 500 /* rows a job */

static bool forget_transactions(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = transactions_prune(tx, tx->now_ms - UPKEEP_TRANSACTIONS_MS, AT_ONCE);
    return true;
}

int64_t upkeep_run(struct writer *writer)
{
    struct error e;
    int64_t forgotten = 0;
    int now = AT_ONCE;
    while (now == AT_ONCE && writer_run(writer, forget_transactions, &now, &e))
        forgotten += now;
    return forgotten;
}
