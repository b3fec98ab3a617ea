#include "appservice/diary/incoming.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/names.h"
#include "homeserver/base/secret.h"

#define KEEP_MS (30 * DAY_MS) /* an id that is that old does not come again */

struct waiting {
    struct exchange *exchange;
    char *txn;
    json_t *body;
};

struct incoming {
    char *hs_token;
    pthread_mutex_t lock; /* of what waits */
    struct waiting waiting[INCOMING_MAX];
    size_t n;
};

struct incoming *incoming_create(const char *hs_token)
{
    struct incoming *in = xcalloc(1, sizeof *in);
    in->hs_token = xstrdup(hs_token);
    pthread_mutex_init(&in->lock, NULL);
    return in;
}

static void finish(struct waiting *w)
{
    free(w->txn);
    json_decref(w->body);
}

void incoming_destroy(struct incoming *in)
{
    if (in == NULL)
        return;
    for (size_t i = 0; i < in->n; ++i)
        finish(&in->waiting[i]);
    pthread_mutex_destroy(&in->lock);
    secret_free(in->hs_token);
    free(in);
}

static bool is_homeserver(const struct incoming *in, struct exchange *exchange)
{
    if (exchange_bears(exchange, in->hs_token))
        return true;
    exchange_reply_json(exchange, 401, "{\"errcode\":\"M_UNKNOWN_TOKEN\",\"error\":\"This is not the hs_token.\"}");
    return false;
}

void incoming_ping(struct incoming *in, struct exchange *exchange)
{
    if (is_homeserver(in, exchange))
        exchange_reply_json(exchange, 200, "{}");
}

void incoming_unknown(struct incoming *in, struct exchange *exchange)
{
    if (is_homeserver(in, exchange))
        exchange_reply_json(exchange, 404, "{\"errcode\":\"M_NOT_FOUND\",\"error\":\"There is none.\"}");
}

static bool queue(struct incoming *in, struct waiting w)
{
    pthread_mutex_lock(&in->lock);
    bool room = in->n < INCOMING_MAX;
    if (room)
        in->waiting[in->n++] = w;
    pthread_mutex_unlock(&in->lock);
    return room;
}

bool incoming_take(struct incoming *in, struct exchange *exchange)
{
    size_t len;
    struct error e;
    const char *body = exchange_body(exchange, &len), *txn = exchange_rest(exchange);
    if (!is_homeserver(in, exchange))
        return false;
    struct waiting w = {exchange, xstrdup(txn), json_parse(body, len, &e)};
    bool good =
        json_get_array(w.body, "events") != NULL && token_fault(txn) == NULL && strlen(txn) <= INCOMING_TXN_BYTES_MAX;
    if (good && queue(in, w))
        return true;
    if (good)
        exchange_reply_json(exchange, 503, "{\"errcode\":\"M_UNKNOWN\",\"error\":\"Too much waits already.\"}");
    else
        exchange_reply_json(exchange, 400, "{\"errcode\":\"M_BAD_JSON\",\"error\":\"This is no transaction.\"}");
    finish(&w);
    return false;
}

static bool next(struct incoming *in, struct waiting *w)
{
    pthread_mutex_lock(&in->lock);
    bool there = in->n != 0;
    if (there) {
        *w = in->waiting[0];
        memmove(in->waiting, in->waiting + 1, --in->n * sizeof *in->waiting);
    }
    pthread_mutex_unlock(&in->lock);
    return there;
}

static bool hear(const struct waiting *w, struct state *state, const struct sink *sink)
{
    size_t i;
    json_t *event;
    int64_t now_ms = clock_wall_ms();
    bool done = true;
    if (state_transaction_done(state, w->txn))
        return true;
    if (!state_sound(state))
        return false;
    json_array_foreach(json_get_array(w->body, "events"), i, event)
        done = done && (sink->hear == NULL || sink->hear(sink->self, event));
    if (!done)
        return false;
    state_begin(state);
    state_transaction_note(state, w->txn, now_ms, now_ms - KEEP_MS);
    return state_commit(state);
}

void incoming_hear_all(struct incoming *in, struct state *state, const struct sink *sink)
{
    struct waiting w;
    while (next(in, &w)) {
        if (hear(&w, state, sink))
            exchange_reply_json(w.exchange, 200, "{}");
        else
            exchange_reply_json(w.exchange, 503, "{\"errcode\":\"M_UNKNOWN\",\"error\":\"Not now.\"}");
        finish(&w);
    }
}
