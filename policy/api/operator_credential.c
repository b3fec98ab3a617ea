#include "policy/api/operator_credential.h"

#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/http/limits.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/school/operators.h"
#include "policy/admin/operators.h"

static bool shows(const struct request *r)
{
    return r->token != NULL && strncmp(r->token, OPERATOR_TOKEN_PREFIX, sizeof OPERATOR_TOKEN_PREFIX - 1) == 0;
}

/* identity NULL: only whether the token is good. */
static bool look_up(const char *token, struct db *db, struct identity *identity, struct error *e)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    struct operator_row row;
    token_hash(token, hash);
    struct stmt *q = operators_find(db, hash);
    bool found = operators_next(q, &row) && operator_valid(&row, clock_wall_ms());
    if (found && identity != NULL) {
        struct text name = TEXT_INIT;
        text_addf(&name, "operator:%s", row.name);
        identity->kept = text_take(&name);
        identity->name = identity->kept;
        identity->scopes = operator_scopes_from(row.scopes);
    }
    stmt_end(q);
    return found ||
           error_set(e, ERROR_UNKNOWN_TOKEN, "This operator's token is not known, has expired or was revoked.");
}

static bool load(struct request *r, struct db *db, struct error *e)
{
    return look_up(r->token, db, &r->identity, e);
}

static bool recheck(const struct request *r, struct db *db, struct error *e)
{
    return look_up(r->token, db, NULL, e);
}

/* A program that asks for a whole school has a bucket of its own, whatever it asks for: that of people is too small. */
static int64_t rate(const struct request *r, int64_t now_ms)
{
    return limits_take_key(r->server->limits, RATE_OPERATOR, r->identity.name, now_ms);
}

const struct credential_kind OPERATOR_CREDENTIAL = {
    .name = "operator", .accepted = ROUTE_OPERATOR, .shows = shows, .load = load, .recheck = recheck, .rate = rate};
