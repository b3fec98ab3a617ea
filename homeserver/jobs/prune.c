#include "homeserver/jobs/prune.h"

#include "homeserver/store/matrix/delayed_messages.h"
#include "homeserver/store/matrix/oauth_clients.h"
#include "homeserver/store/matrix/oauth_codes.h"
#include "homeserver/store/matrix/page_sessions.h"
#include "homeserver/store/matrix/to_device.h"
#include "homeserver/store/matrix/transactions.h"
#include "homeserver/base/clock.h"
#include "homeserver/store/school/held_imports.h"
#include "homeserver/store/school/losses.h"
#include "homeserver/store/school/idempotency.h"
#include "homeserver/store/school/taken.h"
#include "homeserver/store/driver/writer.h"

#define AT_ONCE 500 /* rows a job of the writer */
#define SHARE 20    /* such jobs a table and run */

static bool forget_transactions(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = transactions_prune(tx, tx->now_ms - PRUNE_TRANSACTIONS_MS, AT_ONCE);
    return true;
}

static bool forget_sent(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = to_device_prune(tx, tx->now_ms - PRUNE_TRANSACTIONS_MS, AT_ONCE);
    return true;
}

static bool forget_idempotency(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = idempotency_prune(tx, tx->now_ms - PRUNE_IDEMPOTENCY_MS, AT_ONCE);
    return true;
}

static bool forget_held(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = delayed_messages_prune(tx, tx->now_ms - PRUNE_HELD_MS, AT_ONCE);
    return true;
}

static bool forget_oauth_codes(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = oauth_codes_prune(tx, tx->now_ms, AT_ONCE);
    return true;
}

static bool forget_oauth_clients(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = oauth_clients_prune(tx, tx->now_ms - PRUNE_CLIENTS_MS, AT_ONCE);
    return true;
}

static bool forget_page_sessions(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = page_sessions_prune(tx, AT_ONCE);
    return true;
}

static bool forget_taken(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = 0;
    int64_t before_ms = tx->now_ms - TAKEN_DAYS * DAY_MS;
    return taken_prune(tx->db, before_ms) && held_imports_prune(tx->db, before_ms) && losses_prune(tx->db, before_ms);
}

int64_t prune_run(struct writer *writer, bool *more)
{
    static writer_job *const JOBS[] = {forget_transactions, forget_sent,          forget_idempotency,   forget_held,
                                       forget_oauth_codes,  forget_oauth_clients, forget_page_sessions, forget_taken};
    struct error e;
    int64_t forgotten = 0;
    bool left = false;
    for (size_t i = 0; i < sizeof JOBS / sizeof *JOBS; ++i) {
        int now = AT_ONCE, n = 0;
        while (now == AT_ONCE && n++ < SHARE && writer_run(writer, JOBS[i], &now, &e))
            forgotten += now;
        left |= now == AT_ONCE && n > SHARE;
    }
    if (more != NULL)
        *more = left;
    return forgotten;
}
