#include "homeserver/http/long_poll.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "homeserver/sync/hub.h"

struct parked_user {
    user_no user;
    struct call *calls;
    UT_hash_handle hh;
};

void park_lot_init(struct park_lot *lot, int64_t now_ms)
{
    *lot = (struct park_lot){.turned_ms = now_ms};
}

void park_lot_finish(struct park_lot *lot)
{
    struct parked_user *user, *next;
    HASH_ITER(hh, lot->users, user, next) {
        HASH_DEL(lot->users, user);
        free(user);
    }
}

static struct call **slot_of(struct park_lot *lot, const struct call *call)
{
    return &lot->slots[call->r.park.deadline_ms / PARK_SLOT_MS % PARK_SLOTS];
}

void park_add(struct park_lot *lot, struct call *call, int64_t now_ms)
{
    struct parked_user *user;
    if (lot->n == 0) /* nobody looked at the wheel meanwhile */
        lot->turned_ms = now_ms;
    if (call->r.park.deadline_ms < lot->turned_ms)
        call->r.park.deadline_ms = lot->turned_ms; /* in the past: the next slot to be looked at */
    HASH_FIND(hh, lot->users, &call->r.park.user, sizeof call->r.park.user, user);
    if (user == NULL) {
        user = xcalloc(1, sizeof *user);
        user->user = call->r.park.user;
        HASH_ADD(hh, lot->users, user, sizeof user->user, user);
    }
    DL_APPEND2(user->calls, call, user_prev, user_next);
    struct call **slot = slot_of(lot, call);
    DL_APPEND2(*slot, call, slot_prev, slot_next);
    ++lot->n;
}

void park_remove(struct park_lot *lot, struct call *call)
{
    struct parked_user *user;
    struct call **slot = slot_of(lot, call);
    DL_DELETE2(*slot, call, slot_prev, slot_next);
    HASH_FIND(hh, lot->users, &call->r.park.user, sizeof call->r.park.user, user);
    DL_DELETE2(user->calls, call, user_prev, user_next);
    if (user->calls == NULL) {
        HASH_DEL(lot->users, user);
        free(user);
    }
    --lot->n;
}

static void visit_user(struct parked_user *user, park_visit *visit, void *self)
{
    struct call *call, *next;
    DL_FOREACH_SAFE2(user->calls, call, next, user_next)
        visit(self, call);
}

void park_wake(struct park_lot *lot, const struct wake *wake, park_visit *visit, void *self)
{
    struct parked_user *user, *next;
    if (wake->n_users <= HASH_COUNT(lot->users)) {
        for (size_t i = 0; i < wake->n_users; ++i) {
            HASH_FIND(hh, lot->users, &wake->users[i], sizeof wake->users[i], user);
            if (user != NULL)
                visit_user(user, visit, self);
        }
        return;
    }
    HASH_ITER(hh, lot->users, user, next) {
        if (wake_concerns(wake, user->user))
            visit_user(user, visit, self);
    }
}

void park_expire(struct park_lot *lot, int64_t now_ms, park_visit *visit, void *self)
{
    int64_t first = lot->turned_ms / PARK_SLOT_MS, last = now_ms / PARK_SLOT_MS;
    if (last - first >= PARK_SLOTS)
        first = last - PARK_SLOTS + 1;
    for (int64_t at = first; at <= last && lot->n > 0; ++at) {
        struct call *call, *next;
        DL_FOREACH_SAFE2(lot->slots[at % PARK_SLOTS], call, next, slot_next) {
            if (call->r.park.deadline_ms <= now_ms)
                visit(self, call);
        }
    }
    lot->turned_ms = now_ms;
}

void park_each(struct park_lot *lot, park_visit *visit, void *self)
{
    struct parked_user *user, *next;
    HASH_ITER(hh, lot->users, user, next) {
        visit_user(user, visit, self);
    }
}
