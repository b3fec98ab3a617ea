#include "homeserver/http/credentials.h"

#include <stdlib.h>

#include "homeserver/http/limits.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

static const struct credential_kind *kind_shown(const struct request *r)
{
    const struct credential_kind *const *kind = r->server->credentials;
    while (kind != NULL && *kind != NULL && ((r->route->flags & (*kind)->accepted) == 0 || !(*kind)->shows(r)))
        ++kind;
    return kind != NULL ? *kind : NULL;
}

bool credential_find(struct request *r, bool *found)
{
    *found = true;
    if ((r->route->flags & ROUTE_CREDENTIALS) == 0)
        return true;
    r->identity.kind = kind_shown(r);
    if (r->identity.kind == NULL)
        return (r->route->flags & ROUTE_ANONYMOUS) != 0 || refuse(r, ERROR_MISSING_TOKEN, NULL);
    *found = r->identity.kind->find != NULL && r->identity.kind->find(r);
    return true;
}

bool credential_load(struct request *r, struct db *db)
{
    if (db == NULL)
        return refuse(r, ERROR_UNKNOWN, NULL);
    return r->identity.kind->load(r, db, &r->error) ||
           (r->error.code == ERROR_NONE ? refuse(r, ERROR_UNKNOWN_TOKEN, NULL) : false);
}

bool credential_holds(struct request *r)
{
    const struct credential_kind *kind = r->identity.kind;
    if (kind == NULL || kind->holds == NULL || kind->holds(r))
        return true;
    identity_finish(&r->identity);
    r->identity.kind = kind;
    return false;
}

bool credential_recheck(const struct request *r, struct db *db, struct error *e)
{
    const struct credential_kind *kind = r->identity.kind;
    return kind == NULL || kind->recheck == NULL || kind->recheck(r, db, e);
}

void credential_used(const struct request *r)
{
    if (r->identity.kind != NULL && r->identity.kind->used != NULL)
        r->identity.kind->used(r);
}

int64_t credential_rate(const struct request *r, int64_t now_ms)
{
    if (r->identity.kind != NULL && r->identity.kind->rate != NULL)
        return r->identity.kind->rate(r, now_ms);
    return limits_take(r->server->limits, r->route->rate, r->identity.user, r->ip, r->raw_body_len, now_ms);
}

void identity_finish(struct identity *identity)
{
    session_unref(identity->session);
    free(identity->kept);
    *identity = (struct identity){0};
}
