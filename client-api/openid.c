/* OpenID tokens (Client-Server API, "OpenID"; Server-Server API, "OpenID"): a person shows one to another service, a
 * widget or the ticket office of a call, and that service asks here whose it is. It is good for nothing else. Nothing
 * is kept: the token is person and end, sealed (rooms/read/token.h), and stays good over a restart. */
#include "client-api/routes.h"
#include "client-api/user_path.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/users.h"

#define LIFETIME_S 3600
#define SECOND_BITS 32 /* of the number that is sealed; above them the person's */

static bool post_request_token(struct request *r)
{
    struct text token = TEXT_INIT;
    if (!user_path_own(r))
        return false;
    token_add_openid(&token, writer_incarnations(r->server->writer),
                     r->identity.user << SECOND_BITS | (clock_wall_ms() / 1000 + LIFETIME_S));
    json_t *reply = json_pack("{s:s, s:s, s:s, s:i}", "access_token", token.data, "token_type", "Bearer",
                              "matrix_server_name", r->server->config->server_name, "expires_in", LIFETIME_S);
    text_finish(&token);
    return reply_json(r, reply);
}

/* Whose it is; 0: not a token, expired, or of somebody who is out of the school or locked out by now (A3). */
static user_no user_of(struct request *r, const char *token)
{
    int64_t number;
    struct user_row row;
    if (!token_parse_openid(token, writer_incarnations(r->server->writer), &number) ||
        (number & ((INT64_C(1) << SECOND_BITS) - 1)) < clock_wall_ms() / 1000)
        return 0;
    user_no user = number >> SECOND_BITS;
    bool good = users_get(r->db, user, &row) && account_state_may_act(row.state);
    user_row_finish(&row);
    return good ? user : 0;
}

static bool get_userinfo(struct request *r)
{
    const char *token = query_get(r, "access_token");
    user_no user = token != NULL ? user_of(r, token) : 0;
    const char *user_id = user != 0 ? user_names_get(r->server->names, r->db, user) : NULL;
    if (user_id == NULL)
        return refuse(r, ERROR_UNKNOWN_TOKEN, "The token is not known, or has expired.");
    return reply_json(r, json_pack("{s:s}", "sub", user_id));
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/user/{userId}/openid/request_token", post_request_token, ROUTE_AUTH | ROUTE_BODY,
     RATE_WRITE, "requestOpenIdToken"},
    {HTTP_GET, "/_matrix/federation/v1/openid/userinfo", get_userinfo, 0, RATE_READ, NULL},
};
const struct routes OPENID_ROUTES = ROUTES(TABLE);
