/* Sliding sync (MSC4186): as merged, and under the name by which clients know it, which has what belongs to waiting in
 * the query. */
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json_scan.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/sync/connections.h"
#include "homeserver/sync/device_memory.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/sliding/answer.h"
#include "homeserver/sync/sliding/live.h"
#include "homeserver/sync/sliding/request_cache.h"
#include "homeserver/sync/sync_service.h"

/* The loop digests the body, and looks through it; clients ask with some kilobytes. */
#define BODY_BYTES_MAX 131072

/* What the unstable form has in its query. */
static bool read_query(struct request *r, struct sliding_request *ask)
{
    const char *presence = query_get(r, "set_presence");
    ask->pos = query_get(r, "pos");
    ask->presence = PRESENCE_ONLINE;
    if (!query_int(r, "timeout", 0, 0, SLIDING_TIMEOUT_MAX_MS, &ask->timeout_ms))
        return false;
    return presence == NULL || presence_state_from(presence, &ask->presence) ||
           refuse(r, ERROR_INVALID_PARAM, "set_presence must be online, offline or unavailable.");
}

/* The body's digest stays with the request: it may wait long, and be woken often. */
static struct sliding_asker asker_of(struct request *r)
{
    if (r->poll.mark == 0)
        r->poll.mark = connections_body(r->server->sync->connections, r->raw_body, r->raw_body_len);
    return (struct sliding_asker){r->identity.user, r->identity.device, r->identity.user_id, r->poll.mark};
}

/* As in GET /sync. false: telling others has to wait for a worker. */
static bool note_presence(const struct request *r, const struct sliding_request *ask)
{
    struct presence *presence = r->server->sync->presence;
    return presence == NULL || ask->presence == PRESENCE_OFFLINE ||
           presence_asks(presence, r->identity.user, r->identity.device, ask->presence,
                         ask->timeout_ms + PRESENCE_GRACE_MS);
}

static void park_at(struct request *r, stream_pos since, const struct sliding_request *ask)
{
    r->poll.user = r->identity.user;
    r->poll.since = since;
    if (r->poll.deadline_ms == 0)
        r->poll.deadline_ms = clock_mono_ms() + ask->timeout_ms;
    hub_waits(r->server->hub, r->poll.user, r->poll.deadline_ms);
}

/* Without a pos the answer never waits. */
static bool has_time(const struct request *r, const struct sliding_request *ask)
{
    return ask->pos != NULL && ask->timeout_ms > 0 &&
           (r->poll.deadline_ms == 0 || clock_mono_ms() < r->poll.deadline_ms);
}

static bool answer(struct request *r, struct sliding_request *ask)
{
    struct text body = TEXT_INIT;
    stream_pos next;
    const struct sliding_asker asker = asker_of(r);
    if (!note_presence(r, ask))
        presence_arrive(r->server->sync->presence, asker.user, asker.device, ask->presence,
                        ask->timeout_ms + PRESENCE_GRACE_MS);
    enum sync_outcome outcome = sliding_answer(r->server->sync, r->db, &asker, ask, &body, &next, &r->error);
    if (outcome == SYNC_NEWS || (outcome == SYNC_NOTHING && !has_time(r, ask)))
        return reply_text(r, &body);
    text_finish(&body);
    if (outcome == SYNC_REFUSED)
        return false;
    r->poll.flags = sliding_interest(ask);
    park_at(r, next, ask);
    return r->poll.again = true;
}

static bool post_sync(struct request *r)
{
    struct sliding_request ask;
    bool good = sliding_request_parse(&ask, SLIDING_STABLE, r->body, &r->error) && answer(r, &ask);
    sliding_request_finish(&ask);
    return good;
}

static bool post_unstable_sync(struct request *r)
{
    const struct sliding_known *known =
        sliding_request_cache_get(r->server->sliding, r->raw_body, r->raw_body_len, asker_of(r).body, &r->error);
    if (known == NULL)
        return false;
    struct sliding_request ask = known->request;
    bool good = read_query(r, &ask) && answer(r, &ask);
    sliding_known_unref(known);
    return good;
}

/* A client that asks the same again, and for whom there is nothing new: no worker looks at it, nor is its body read.
 * What the stable form says of waiting is in the body: a worker looks once. */
static bool wait(struct request *r)
{
    stream_pos upto;
    unsigned interest;
    struct sliding_request ask = {0};
    struct sync_service *sync = r->server->sync;
    if (!read_query(r, &ask)) {
        r->error = (struct error){0};
        return false;
    }
    const struct sliding_asker asker = asker_of(r);
    if (!has_time(r, &ask) || strlen(ask.pos) > TOKEN_POS_MAX ||
        !connections_find(sync->connections, sliding_owner(&asker), ask.pos, asker.body, &upto, &interest) ||
        upto < hub_last_change(r->server->hub, r->identity.user) || upto > hub_pos(r->server->hub) ||
        ((interest & INTEREST_KEYS) != 0 && !device_memory_knows(sync->devices, r->identity.device)) ||
        !note_presence(r, &ask))
        return false;
    r->poll.flags = interest;
    park_at(r, upto, &ask);
    return true;
}

static bool never_waits_at_once(struct request *r)
{
    return false;
}

/* Whether what changed there may be news to the connection: who asks for no rooms is not woken by what is said in
 * them. */
static bool concerns(unsigned interest, unsigned kinds)
{
    static const struct {
        enum change_kind kind;
        unsigned interest;
    } ALONE[] = {{CHANGE_TYPING, INTEREST_TYPING}, {CHANGE_RECEIPT, INTEREST_RECEIPTS}};
    if ((interest & INTEREST_ROOMS) == 0)
        return false;
    for (size_t i = 0; i < sizeof ALONE / sizeof *ALONE; ++i)
        if ((interest & ALONE[i].interest) == 0)
            kinds &= ~(1u << ALONE[i].kind);
    return kinds != 0;
}

/* A string of the body. false: it has none, or one that is too long. */
static bool scan_string(const struct request *r, const char *name, char *out, size_t size)
{
    const struct json_scan_value body = json_scan_text(r->raw_body, r->raw_body_len);
    const struct json_scan_value value = json_scan_find(&body, name, 1);
    if (value.kind != '"' || value.len >= size)
        return false;
    out[json_scan_unescape(out, &value)] = '\0';
    return true;
}

/* What many people get in the same words the loop answers itself. */
static bool answer_live(struct request *r, const struct wake *wake)
{
    struct text body = TEXT_INIT;
    const char *pos = query_get(r, "pos");
    if (pos == NULL)
        return false;
    const struct sliding_asker asker = asker_of(r);
    bool done = sliding_live_answer(r->server->sync, wake, &asker, r->poll.since, pos, &body) && reply_text(r, &body);
    text_finish(&body);
    return done;
}

/* A worker answers, or the loop; unless nothing of it concerns the connection: then it goes on waiting from there. */
static bool answer_wake(struct request *r, struct wake *wake)
{
    ptrdiff_t at = wake_find(wake, r->identity.user);
    bool news = at < 0 || wake->before[at] > r->poll.since;
    for (size_t i = at >= 0 ? wake->first[at] : 0; !news && i < wake->first[at + 1]; ++i)
        news = wake->items[i].room < 0 || concerns(r->poll.flags, wake->rooms[wake->items[i].room].kinds);
    if (!news)
        r->poll.since = wake->pos;
    return news && answer_live(r, wake);
}

static void expire(struct request *r)
{
    struct text body = TEXT_INIT;
    char pos[TOKEN_POS_MAX + 1] = "", txn_id[SLIDING_ID_MAX + 1];
    const struct sliding_asker asker = {r->identity.user, r->identity.device, r->identity.user_id, 0};
    const char *said = query_get(r, "pos");
    if (said == NULL) {
        scan_string(r, "pos", pos, sizeof pos);
        said = pos;
    }
    bool has_txn_id = scan_string(r, "txn_id", txn_id, sizeof txn_id);
    sliding_answer_idle(&body, r->server->sync, &asker, said, has_txn_id ? txn_id : NULL,
                        (r->poll.flags & INTEREST_KEYS) != 0);
    reply_text(r, &body);
}

/* All of the rooms in range, to be gathered and to be sent. */
static bool costs(struct request *r)
{
    char pos[TOKEN_POS_MAX + 1];
    return query_get(r, "pos") == NULL && !scan_string(r, "pos", pos, sizeof pos);
}

static size_t body_bytes_max(const struct server *server)
{
    return BODY_BYTES_MAX;
}

static const struct long_poll_hooks PARK = {never_waits_at_once, answer_wake, expire, costs},
                                    PARK_UNSTABLE = {wait, answer_wake, expire, costs};

/* The unstable form reads its body itself, where it is not known already. */
static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v4/sync", post_sync, ROUTE_AUTH | ROUTE_BODY, RATE_NONE, NULL, &PARK, body_bytes_max},
    {HTTP_POST, "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", post_unstable_sync, ROUTE_AUTH,
     RATE_NONE, NULL, &PARK_UNSTABLE, body_bytes_max},
};
const struct routes SLIDING_SYNC_ROUTES = ROUTES(TABLE);
