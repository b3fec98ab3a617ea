#include "appservice/ask.h"

#include <stdlib.h>
#include <string.h>

#include "appservice/interest.h"
#include "appservice/registry.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"

#define QUERY_ATTEMPTS 3 /* of who does not answer ("Querying") */
#define BACKOFF_MS 250   /* before the second, then twice as long */

static void begin(struct outgoing_calls *calls, struct ask *ask, const char *prefix, int64_t until_ms)
{
    static const char *const HEADERS[] = {"Content-Type: application/json"};
    struct text url = TEXT_INIT;
    int64_t left_ms = until_ms - clock_mono_ms();
    char *body = ask->body != NULL ? json_dumps(ask->body, JSON_COMPACT) : NULL;
    text_addf(&url, "%s%s%s", ask->service->url, prefix, ask->path);
    const struct outgoing_request request = {.what = "appservice",
                                             .url = url.data,
                                             .network = OUTGOING_ANY, /* the operator's own registration */
                                             .method = ask->method,
                                             .bearer = ask->service->hs_token,
                                             .headers = HEADERS,
                                             .n_headers = body != NULL,
                                             .body = body,
                                             .body_len = body != NULL ? strlen(body) : 0,
                                             .reply_max = ASK_REPLY_MAX,
                                             .deadline_ms = until_ms,
                                             .backoff_ms = BACKOFF_MS,
                                             .attempts_max = ask->attempts != 0 ? ask->attempts : 1,
                                             .attempt_ms = left_ms > 0 ? (int)left_ms : 1};
    outgoing_calls_add(calls, &request, NULL, NULL, &ask->reply);
    text_finish(&url);
    free(body);
}

void ask_all(const struct server *server, struct ask *asks, size_t n, int64_t until_ms)
{
    for (int round = 0; round < 2; ++round) {
        struct outgoing_calls *calls = outgoing_calls_create(server->outgoing);
        for (size_t i = 0; i < n; ++i) {
            /* What answered anything but 200 may have it where older services do. */
            if (round != 0 && (asks[i].good || asks[i].older_prefix == NULL ||
                               asks[i].reply.fault != OUTGOING_ANSWERED || clock_mono_ms() >= until_ms))
                continue;
            outgoing_reply_finish(&asks[i].reply);
            begin(calls, &asks[i], round == 0 ? "/_matrix/app/v1" : asks[i].older_prefix, until_ms);
        }
        outgoing_calls_wait(calls);
        for (size_t i = 0; i < n; ++i)
            asks[i].good = asks[i].reply.fault == OUTGOING_ANSWERED && asks[i].reply.status == 200;
    }
}

bool ask_may(struct request *r, const struct registration_file *service)
{
    return interest_serves(service, r->db, r->server->config->policy.mode == POLICY_SCHOOL, r->identity.user);
}

static bool is_missing(struct request *r, const char *name)
{
    if (name[0] == '@')
        return users_by_id(r->db, r->server->config->server_name, name) == 0;
    struct stmt *q = aliases_rooms(r->db, name);
    bool missing = !stmt_next(q);
    stmt_end(q);
    return missing;
}

static void ask_for(struct request *r, const struct registration_file *service, const char *name, int64_t until_ms)
{
    struct text path = TEXT_INIT;
    text_adds(&path, name[0] == '@' ? "/users/" : "/rooms/");
    text_add_percent(&path, name);
    struct ask ask = {
        .service = service, .method = "GET", .path = path.data, .older_prefix = "", .attempts = QUERY_ATTEMPTS};
    ask_all(r->server, &ask, 1, until_ms);
    outgoing_reply_finish(&ask.reply);
    text_finish(&path);
}

/* One after the other, as the first makes what the second need not. */
void ask_for_missing(struct request *r, const char *name)
{
    enum namespace_kind kind = name[0] == '@' ? NAMESPACE_USERS : NAMESPACE_ALIASES;
    int64_t until_ms = clock_mono_ms() + ASK_MS;
    if (registry_is_empty(r->server->appservices) || (name[0] != '@' && name[0] != '#'))
        return;
    struct appservices *set = registry_get(r->server->appservices);
    for (size_t i = 0; i < set->n && clock_mono_ms() < until_ms; ++i) {
        const struct registration_file *service = set->all[i];
        bool asks_itself = r->identity.service != NULL && strcmp(r->identity.service, service->id) == 0;
        if (service->url != NULL && !asks_itself && registration_has(service, kind, name, false) &&
            is_missing(r, name) && ask_may(r, service))
            ask_for(r, service, name, until_ms);
    }
    appservices_unref(set);
}
