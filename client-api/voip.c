/* TURN servers for calls between two people (Client-Server API, "Voice over IP"). Their credentials are those of
 * coturn's use-auth-secret: a name that says until when it is good, and its HMAC under the secret that both servers
 * have. The name holds the same few letters whenever the same person asks, so that the TURN server can bound what one
 * has open, and nothing of who it is (A5). */
#include "client-api/routes.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/log.h"
#include "homeserver/base/secret.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

#define PSEUDONYM_BYTES 9 /* 12 letters */

static void add_credentials(struct request *r, json_t *reply, const char *secret)
{
    unsigned char mac[SHA1_BYTES];
    struct text name = TEXT_INIT, password = TEXT_INIT;
    text_addf(&name, "%lld:", (long long)((clock_wall_ms() + r->server->config->turn.lifetime_ms) / 1000));
    hmac_sha1(secret, r->identity.user_id, mac);
    text_add_base64url(&name, mac, PSEUDONYM_BYTES);
    hmac_sha1(secret, name.data, mac);
    text_add_base64_padded(&password, mac, sizeof mac);
    json_object_set_new(reply, "username", json_string(name.data));
    json_object_set_new(reply, "password", json_string(password.data));
    text_finish(&name);
    text_finish(&password);
}

static bool get_turn_server(struct request *r)
{
    const struct config *config = r->server->config;
    struct text problem = TEXT_INIT;
    if (config->turn.n_uris == 0)
        return reply_empty(r);
    char *secret = secret_read("turn.secret_file", config->turn.secret_file, &problem);
    if (secret == NULL) {
        log_error("voip", "%s", problem.data);
        text_finish(&problem);
        return refuse(r, ERROR_UNAVAILABLE, "The server for calls is not set up rightly.");
    }
    json_t *uris = json_array(), *reply = json_pack("{s:o, s:I}", "uris", uris, "ttl", config->turn.lifetime_ms / 1000);
    for (size_t i = 0; i < config->turn.n_uris; ++i)
        json_array_append_new(uris, json_string(config->turn.uris[i]));
    add_credentials(r, reply, secret);
    secret_free(secret);
    return reply_json(r, reply);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/voip/turnServer", get_turn_server, ROUTE_AUTH, RATE_WRITE, "getTurnServer"},
};
const struct routes VOIP_ROUTES = ROUTES(TABLE);
