#include "homeserver/http/long_poll.h"

#include <stdlib.h>
#include <utlist.h>

#include "homeserver/base/text.h"
#include "homeserver/sync/hub.h"

#define CHAINS_MIN 64

void long_polls_init(struct long_polls *polls, int64_t now_ms)
{
    *polls = (struct long_polls){.turned_ms = now_ms, .n_chains = CHAINS_MIN};
    polls->chains = xcalloc(polls->n_chains, sizeof(struct request_context *));
}

void long_polls_finish(struct long_polls *polls)
{
    free(polls->chains);
    polls->chains = NULL;
}

static struct request_context **slot_of(struct long_polls *polls, const struct request_context *context)
{
    return &polls->slots[context->r.poll.deadline_ms / LONG_POLL_SLOT_MS % LONG_POLL_SLOTS];
}

/* Users have dense numbers, so neighbours have neighbouring chains, which a wake walks in order. */
static struct request_context **chain_of(const struct long_polls *polls, user_no user)
{
    return &polls->chains[(size_t)user & (polls->n_chains - 1)];
}

static void grow(struct long_polls *polls)
{
    struct request_context **old = polls->chains, *context, *next;
    size_t n = polls->n_chains;
    polls->n_chains *= 2;
    polls->chains = xcalloc(polls->n_chains, sizeof(struct request_context *));
    for (size_t i = 0; i < n; ++i)
        DL_FOREACH_SAFE2(old[i], context, next, user_next) {
            struct request_context **chain = chain_of(polls, context->r.poll.user);
            DL_APPEND2(*chain, context, user_prev, user_next);
        }
    free(old);
}

void long_poll_add(struct long_polls *polls, struct request_context *context, int64_t now_ms)
{
    if (polls->n == 0) /* nobody looked at the wheel meanwhile */
        polls->turned_ms = now_ms;
    if (context->r.poll.deadline_ms < polls->turned_ms)
        context->r.poll.deadline_ms = polls->turned_ms; /* in the past: the next slot to be looked at */
    if (polls->n == polls->n_chains)
        grow(polls);
    struct request_context **chain = chain_of(polls, context->r.poll.user), **slot = slot_of(polls, context);
    DL_APPEND2(*chain, context, user_prev, user_next);
    DL_APPEND2(*slot, context, slot_prev, slot_next);
    ++polls->n;
}

void long_poll_remove(struct long_polls *polls, struct request_context *context)
{
    struct request_context **chain = chain_of(polls, context->r.poll.user), **slot = slot_of(polls, context);
    DL_DELETE2(*slot, context, slot_prev, slot_next);
    DL_DELETE2(*chain, context, user_prev, user_next);
    --polls->n;
}

struct long_poll_counts long_poll_count(const struct long_polls *polls, user_no user, device_no device)
{
    struct long_poll_counts counts = {0};
    struct request_context *context;
    DL_FOREACH2(*chain_of(polls, user), context, user_next)
    {
        counts.of_user += context->r.poll.user == user;
        counts.of_device += context->r.poll.user == user && context->r.identity.device == device;
    }
    return counts;
}

struct request_context *long_poll_oldest(const struct long_polls *polls, user_no user, device_no device,
                                         int64_t begun_us)
{
    struct request_context *context, *oldest = NULL;
    DL_FOREACH2(*chain_of(polls, user), context, user_next)
    {
        bool is_one = context->r.poll.user == user && (device == 0 || context->r.identity.device == device);
        if (is_one && context->begun_us < begun_us && (oldest == NULL || context->begun_us < oldest->begun_us))
            oldest = context;
    }
    return oldest;
}

/* A wake of a whole school visits thousands of requests, none of which any cache remembers: most of the time would go
 * by waiting for memory, line after line. What the next ones need is asked for while this one is served: first the
 * request, then what it points to. */
#define REQUEST_AHEAD 4
#define REST_AHEAD 2

static struct request_context *ahead(const struct long_polls *polls, const struct wake *wake, size_t i)
{
    return i < wake->n_users ? *chain_of(polls, wake->users[i]) : NULL;
}

static void wake_users(struct long_polls *polls, const struct wake *wake, long_poll_visit *visit, long_poll_visit *soon,
                       void *self)
{
    struct request_context *context, *next;
    for (size_t i = 0; i < wake->n_users; ++i) {
        if ((context = ahead(polls, wake, i + REQUEST_AHEAD)) != NULL)
            request_context_prefetch(context);
        if ((context = ahead(polls, wake, i + REST_AHEAD)) != NULL)
            soon(self, context);
        DL_FOREACH_SAFE2(*chain_of(polls, wake->users[i]), context, next, user_next) {
            if (context->r.poll.user == wake->users[i])
                visit(self, context);
        }
    }
}

void long_poll_wake(struct long_polls *polls, const struct wake *wake, long_poll_visit *visit, long_poll_visit *soon,
                    void *self)
{
    struct request_context *context, *next;
    if (wake->n_users <= polls->n) {
        wake_users(polls, wake, visit, soon, self);
        return;
    }
    for (size_t i = 0; i < polls->n_chains; ++i)
        DL_FOREACH_SAFE2(polls->chains[i], context, next, user_next) {
            if (wake_concerns(wake, context->r.poll.user))
                visit(self, context);
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
    struct request_context *context, *next;
    for (size_t i = 0; i < polls->n_chains; ++i)
        DL_FOREACH_SAFE2(polls->chains[i], context, next, user_next) {
            visit(self, context);
        }
}
