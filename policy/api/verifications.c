/* Codes for phone numbers and e-mail addresses, as a client submits them (school.md C3). The sessions come from the
 * Client-Server API's requestToken endpoints, which name the first of these as submit_url; it answers as the Identity
 * Service API's submitToken does. Nobody is signed in: the sid and the client's secret say whose it is. */
#include "homeserver/accounts/contacts.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "policy/api/routes.h"

static bool is_on(struct request *r)
{
    return r->server->contacts != NULL || refuse(r, ERROR_NO_VALID_SESSION, NULL);
}

/* The submit_url of requestToken: clients say the sid in the body, too (Client-Server API, "submitToken"). */
static bool post_code(struct request *r)
{
    const char *secret, *code, *sid;
    return is_on(r) && body_string_or(r, "sid", r->params[0], &sid) && body_string(r, "client_secret", &secret) &&
           body_string(r, "token", &code) && request_strict(r) &&
           contacts_submit_code(r->server->contacts, sid, secret, code, &r->error) &&
           reply_json(r, json_pack("{s:b}", "success", 1));
}

/* How far it is, so that a page can say that the message has been sent, or that it could not. The secret is in the
 * body, because addresses end up in logs. */
static bool post_state(struct request *r)
{
    const char *secret;
    struct code_session session;
    return is_on(r) && body_string(r, "client_secret", &secret) &&
           contacts_session(r->db, r->params[0], secret, clock_wall_ms(), &session, &r->error) &&
           reply_json(r, json_pack("{s:s, s:s, s:b}", "medium", contact_medium_name(session.address.medium), "delivery",
                                   code_delivery_name(session.delivery), "validated", (int)session.validated));
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_parta/v1/verifications/{sid}/code", post_code, ROUTE_BODY | ROUTE_STRICT, RATE_CODES, NULL},
    {HTTP_POST, "/_parta/v1/verifications/{sid}/state", post_state, ROUTE_BODY | ROUTE_STRICT, RATE_READ, NULL},
};
const struct routes API_VERIFICATION_ROUTES = ROUTES(TABLE);
