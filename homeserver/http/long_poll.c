#include "homeserver/http/long_poll.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "homeserver/sync/hub.h"

struct polling_user {
    user_no user;
    struct request_context *calls;
    UT_hash_handle hh;
};

void long_polls_init(struct long_polls *polls, int64_t now_ms)
{
    *polls = (struct long_polls){.turned_ms = now_ms};
}

void long_polls_finish(struct long_polls *polls)
{
    struct polling_user *user, *next;
    HASH_ITER(hh, polls->users, user, next) {
        HASH_DEL(polls->users, user);
        free(user);
    }
}

static struct request_context **slot_of(struct long_polls *polls, const struct request_context *context)
{
    return &polls->slots[context->r.poll.deadline_ms / LONG_POLL_SLOT_MS % LONG_POLL_SLOTS];
}

void long_poll_add(struct long_polls *polls, struct request_context *context, int64_t now_ms)
{
    struct polling_user *user;
    if (polls->n == 0) /* nobody looked at the wheel meanwhile */
        polls->turned_ms = now_ms;
    if (context->r.poll.deadline_ms < polls->turned_ms)
        context->r.poll.deadline_ms = polls->turned_ms; /* in the past: the next slot to be looked at */
    HASH_FIND(hh, polls->users, &context->r.poll.user, sizeof context->r.poll.user, user);
    if (user == NULL) {
        user = xcalloc(1, sizeof *user);
        user->user = context->r.poll.user;
        HASH_ADD(hh, polls->users, user, sizeof user->user, user);
    }
    DL_APPEND2(user->calls, context, user_prev, user_next);
    struct request_context **slot = slot_of(polls, context);
    DL_APPEND2(*slot, context, slot_prev, slot_next);
    ++polls->n;
}

void long_poll_remove(struct long_polls *polls, struct request_context *context)
{
    struct polling_user *user;
    struct request_context **slot = slot_of(polls, context);
    DL_DELETE2(*slot, context, slot_prev, slot_next);
    HASH_FIND(hh, polls->users, &context->r.poll.user, sizeof context->r.poll.user, user);
    DL_DELETE2(user->calls, context, user_prev, user_next);
    if (user->calls == NULL) {
        HASH_DEL(polls->users, user);
        free(user);
    }
    --polls->n;
}

static void visit_user(struct polling_user *user, long_poll_visit *visit, void *self)
{
    struct request_context *context, *next;
    DL_FOREACH_SAFE2(user->calls, context, next, user_next)
        visit(self, context);
}

void long_poll_wake(struct long_polls *polls, const struct wake *wake, long_poll_visit *visit, void *self)
{
    struct polling_user *user, *next;
    if (wake->n_users <= HASH_COUNT(polls->users)) {
        for (size_t i = 0; i < wake->n_users; ++i) {
            HASH_FIND(hh, polls->users, &wake->users[i], sizeof wake->users[i], user);
            if (user != NULL)
                visit_user(user, visit, self);
        }
        return;
    }
    HASH_ITER(hh, polls->users, user, next) {
        if (wake_concerns(wake, user->user))
            visit_user(user, visit, self);
    }
}

void long_poll_expire(struct long_polls *polls, int64_t now_ms, long_poll_visit *visit, void *self)
{
    int64_t first = polls->turned_ms / LONG_POLL_SLOT_MS, last = now_ms / LONG_POLL_SLOT_MS;
    if (last - first >= LONG_POLL_SLOTS)
        first = last - LONG_POLL_SLOTS + 1;
    for (int64_t at = first; at <= last && polls->n > 0; ++at) {
        struct request_context *context, *next;
        DL_FOREACH_SAFE2(polls->slots[at % LONG_POLL_SLOTS], context, next, slot_next) {
            if (context->r.poll.deadline_ms <= now_ms)
                visit(self, context);
        }
    }
    polls->turned_ms = now_ms;
}

void long_poll_each(struct long_polls *polls, long_poll_visit *visit, void *self)
{
    struct polling_user *user, *next;
    HASH_ITER(hh, polls->users, user, next) {
        visit_user(user, visit, self);
    }
}
