/* Client-Server API, "Syncing": GET /sync and its waiting. */
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/sync/device_memory.h"
#include "homeserver/sync/filter_cache.h"
#include "homeserver/sync/fast_path.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/recent_wakes.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/sync/v2.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/store/driver/writer.h"

#define TIMEOUT_MAX_MS 300000 /* longer is cut */
#define USE_STATE_AFTER 1u    /* of r->poll.flags */
#define UNSTABLE_NAME 2u      /* … asked for as MSC4222 called it, and answered so */
#define SAID_MAX 64           /* bytes of a token that is told again, whose number may begin with any zeros */

struct params {
    stream_pos since; /* 0: initial */
    const char *said; /* a token that says since; NULL: none that can be told again */
    int64_t timeout_ms;
    bool full_state;
    bool lost; /* since is 0, but the client's token was of a database that is no more; shared: sync/gather.h */
    stream_pos shared;
    enum presence_state presence;
};

static bool read_presence(struct request *r, struct params *out)
{
    const char *name = query_get(r, "set_presence");
    return presence_state_from(name != NULL ? name : "online", &out->presence) ||
           refuse(r, ERROR_INVALID_PARAM, "set_presence must be online, offline or unavailable.");
}

/* Whoever asks is there, unless they do not want that to be known. false: telling others has to wait for a worker. */
static bool note_presence(struct request *r, const struct params *p)
{
    struct presence *presence = r->server->sync->presence;
    return presence == NULL || p->presence == PRESENCE_OFFLINE ||
           presence_asks(presence, r->identity.user, r->identity.device, p->presence,
                         p->timeout_ms + PRESENCE_GRACE_MS);
}

/* Whether it is not an initial sync, for the client. */
static bool goes_on(struct request *r)
{
    const char *since = query_get(r, "since");
    return since != NULL && since[0] != '\0';
}

/* What it says that the client has. */
static enum token open_since(const struct request *r, const char *token, stream_pos *out)
{
    const struct last_told *told = r->told;
    if (told == NULL || told->user != r->identity.user || strcmp(told->token, token) != 0)
        return token_parse(token, writer_incarnations(r->server->writer), r->identity.user, out);
    *out = told->pos;
    return TOKEN_GOOD;
}

static bool read_since(struct request *r, struct params *out)
{
    if (!goes_on(r))
        return true;
    const char *token = query_get(r, "since");
    enum token said = open_since(r, token, &out->since);
    out->lost = said == TOKEN_LOST;
    if (out->lost) {
        out->shared = out->since;
        out->since = 0;
    }
    if (said == TOKEN_GOOD && token[0] == 't' && strnlen(token, SAID_MAX + 1) <= SAID_MAX)
        out->said = token;
    return said != TOKEN_NONE || refuse(r, ERROR_INVALID_PARAM, "This since token is not one of this server's.");
}

/* A parked request goes on from where it waits, which may be later than what its client said. */
static bool read_params(struct request *r, struct params *out)
{
    bool after, unstable;
    *out = (struct params){0};
    if (!read_since(r, out))
        return false;
    if (r->poll.since > out->since) {
        out->since = r->poll.since;
        out->said = NULL;
    }
    if (!query_int(r, "timeout", 0, 0, TIMEOUT_MAX_MS, &out->timeout_ms) ||
        !query_bool(r, "full_state", false, &out->full_state) || !query_bool(r, "use_state_after", false, &after) ||
        !query_bool(r, "org.matrix.msc4222.use_state_after", false, &unstable) || !read_presence(r, out))
        return false;
    r->poll.flags = after ? USE_STATE_AFTER : unstable ? USE_STATE_AFTER | UNSTABLE_NAME : 0;
    return true;
}

static void release_filter(void *filter)
{
    filter_unref(filter);
}

/* The request's filter, kept with it while it waits. Borrowed. NULL: *error says why; or, on a loop, which must not
 * read (db NULL), a worker must find it.
 *
 * Clients make their filter when they start, and never while they run: one whose filter is known no more (200 newer
 * ones have come, or the database was put back from a copy) would be refused for ever. It gets everything instead. */
static const struct filter *filter_of(struct request *r, struct db *db)
{
    struct filter_cache *filters = r->server->sync->filters;
    const char *param = query_get(r, "filter");
    if (r->poll.state != NULL)
        return r->poll.state;
    r->poll.release = release_filter;
    r->poll.state = db != NULL ? filter_cache_load(filters, db, r->identity.user, param, &r->error)
                               : filter_cache_find(filters, r->identity.user, param);
    if (r->poll.state == NULL && db != NULL && goes_on(r) && param[0] != '{') {
        r->error = (struct error){0};
        r->poll.state = filter_cache_load(filters, db, r->identity.user, NULL, &r->error);
    }
    return r->poll.state;
}

/* What is asked for, from where the request waits or would begin to. */
static struct sync_request asked(const struct request *r, stream_pos since)
{
    return (struct sync_request){
        .user = r->identity.user,
        .device = r->identity.device,
        .user_id = r->identity.user_id,
        .since = since,
        .said = r->poll.said,
        .use_state_after = (r->poll.flags & USE_STATE_AFTER) != 0,
        .unstable_state_after = (r->poll.flags & UNSTABLE_NAME) != 0,
        .filter = r->poll.state,
    };
}

static void park_at(struct request *r, const struct params *p, stream_pos since)
{
    r->poll.user = r->identity.user;
    r->poll.since = since;
    r->poll.said = since == p->since ? p->said : NULL;
    if (r->poll.deadline_ms == 0)
        r->poll.deadline_ms = clock_mono_ms() + p->timeout_ms;
    hub_waits(r->server->hub, r->poll.user, r->poll.deadline_ms);
}

static bool has_time(const struct request *r, const struct params *p)
{
    return p->timeout_ms > 0 && !p->full_state && (r->poll.deadline_ms == 0 || clock_mono_ms() < r->poll.deadline_ms);
}

static bool get_sync(struct request *r)
{
    struct params p;
    struct text body = TEXT_INIT;
    stream_pos next;
    if (!read_params(r, &p))
        return false;
    if (!note_presence(r, &p))
        presence_arrive(r->server->sync->presence, r->identity.user, r->identity.device, p.presence,
                        p.timeout_ms + PRESENCE_GRACE_MS);
    if (filter_of(r, r->db) == NULL)
        return false;
    struct sync_request request = asked(r, p.since);
    request.full_state = p.full_state;
    request.lost = p.lost && r->poll.since == 0;
    request.shared = p.shared;
    enum sync_outcome outcome = v2_answer(r->server->sync, r->db, &request, &body, &next, &r->error);
    if (outcome == SYNC_NEWS || (outcome == SYNC_NOTHING && !has_time(r, &p)))
        return reply_text(r, &body);
    text_finish(&body);
    if (outcome == SYNC_REFUSED)
        return false;
    park_at(r, &p, next);
    return r->poll.again = true;
}

/* Nothing new for this user: hold the request without a worker. What is not well-formed a worker refuses. */
static bool wait(struct request *r)
{
    struct params p;
    const struct sync_hub *hub = r->server->hub;
    if (!read_params(r, &p)) {
        r->error = (struct error){0};
        return false;
    }
    if (r->poll.since == 0) /* what a client comes with, it has */
        device_memory_delivered(r->server->sync->devices, r->server->writer, r->identity.device, p.since);
    if (p.since < hub_last_change(hub, r->identity.user) || p.since > hub_pos(hub) || !has_time(r, &p) ||
        !device_memory_knows(r->server->sync->devices, r->identity.device) || !note_presence(r, &p))
        return false;
    park_at(r, &p, p.since);
    filter_of(r, NULL); /* now, and not when a thousand polls wait for their answers */
    return true;
}

static void note_told(const struct request *r, const struct text *body, stream_pos pos)
{
    static const char START[] = "{\"next_batch\":\"";
    struct last_told *told = r->told;
    if (told == NULL || strncmp(body->data, START, sizeof START - 1) != 0)
        return;
    const char *token = body->data + sizeof START - 1, *end = strchr(token, '"');
    if (end == NULL || (size_t)(end - token) >= sizeof told->token)
        return;
    *told = (struct last_told){.user = r->identity.user, .pos = pos};
    memcpy(told->token, token, (size_t)(end - token));
}

/* A parked request has no full_state, and what else it said is in r->poll. */
static bool answer_wakes(struct request *r, struct wake *const *wakes, size_t n)
{
    struct text body = TEXT_INIT;
    if (n == 0 || filter_of(r, NULL) == NULL)
        return false;
    struct sync_request request = asked(r, r->poll.since);
    bool done = fast_path_answer(r->server->sync, wakes, n, &request, &body);
    if (done) {
        note_told(r, &body, wakes[n - 1]->pos);
        reply_text(r, &body);
    }
    text_finish(&body);
    return done;
}

static bool answer_wake(struct request *r, struct wake *wake)
{
    return answer_wakes(r, &wake, 1);
}

/* Who was on the way back when a group was committed, as in a lively room most are, would have been told of it a moment
 * ago. */
static bool answer_missed(struct request *r)
{
    struct params p;
    struct wake *wakes[RECENT_WAKES_MAX];
    if (!read_params(r, &p)) {
        r->error = (struct error){0};
        return false;
    }
    if (p.since == 0 || !has_time(r, &p) || p.since >= hub_last_change(r->server->hub, r->identity.user) ||
        !note_presence(r, &p))
        return false;
    park_at(r, &p, p.since);
    size_t n = hub_missed(r->server->hub, r->identity.user, p.since, wakes);
    bool done = answer_wakes(r, wakes, n);
    for (size_t i = 0; i < n; ++i)
        wake_unref(wakes[i]);
    return done;
}

static void expire(struct request *r)
{
    struct text body = TEXT_INIT;
    struct sync_request request = asked(r, r->poll.since);
    v2_add_idle(&body, &(struct sync_gather){.sync = r->server->sync, .request = &request, .upto = r->poll.since});
    reply_text(r, &body);
}

/* All that there is of all rooms, to be gathered and to be sent. */
static bool costs(struct request *r)
{
    const char *full_state = query_get(r, "full_state");
    return !goes_on(r) || (full_state != NULL && strcmp(full_state, "true") == 0);
}

static const struct long_poll_hooks PARK = {wait, answer_wake, expire, costs, answer_missed};

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/sync", get_sync, ROUTE_AUTH, RATE_NONE, "sync", &PARK},
};
const struct routes SYNC_ROUTES = ROUTES(TABLE);
