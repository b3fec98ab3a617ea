/* A person's access token, as login gives it (Client-Server API, "Using access tokens"). */
#include "homeserver/http/credentials.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

static bool shows(const struct request *r)
{
    return r->token != NULL;
}

static bool take(struct request *r, const struct session *session)
{
    if (session == NULL)
        return false;
    r->identity = (struct identity){.kind = &SESSION_CREDENTIAL,
                                    .user = session->user,
                                    .device = session->device,
                                    .user_id = session->user_id,
                                    .device_id = session->device_id,
                                    .name = session->user_id,
                                    .state = session->state,
                                    .admin = session->admin,
                                    .session = session};
    return true;
}

/* One that has expired is not in memory: a worker finds out whether soft_logout has to be said. */
static bool find(struct request *r)
{
    return take(r, sessions_find(r->server->sessions, r->token, r->likely));
}

static bool load(struct request *r, struct db *db, struct error *e)
{
    return take(r, sessions_load(r->server->sessions, db, r->token, e));
}

static bool holds(const struct request *r)
{
    return session_holds(r->identity.session);
}

static void used(const struct request *r)
{
    sessions_seen(r->server->sessions, r->identity.session, r->ip);
}

const struct credential_kind SESSION_CREDENTIAL = {.name = "session",
                                                   .accepted = ROUTE_SESSION,
                                                   .shows = shows,
                                                   .find = find,
                                                   .load = load,
                                                   .holds = holds,
                                                   .used = used};
