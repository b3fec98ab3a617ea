/* Clients register themselves (Client-Server API, "Dynamic client registration flow"; RFC 7591, 3). Nobody is signed
 * in: what they can fill is bounded in all (store/matrix/oauth_clients.h) and, in time, by address (RATE_REGISTER would
 * be a school's at once: RATE_LOGIN is for those who share one). */
#include "client-api/oauth/client_metadata.h"
#include "client-api/oauth/common.h"
#include "client-api/routes.h"
#include "homeserver/base/json.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

static bool register_client(struct request *r, json_t *metadata)
{
    char client_id[OAUTH_CLIENT_ID_CHARS + 1];
    if (!oauth_client_register(r->server->accounts, metadata, client_id, &r->error))
        return r->error.code == ERROR_TOO_LARGE ? oauth_refuse(r, OAUTH_INVALID_CLIENT_METADATA, r->error.sentence)
                                                : false;
    json_t *reply = json_copy(metadata);
    json_object_set_new(reply, "client_id", json_string(client_id));
    return reply_status(r, 201) && oauth_reply(r, reply);
}

static bool post_register(struct request *r)
{
    struct error ignored = {0};
    enum oauth_error why;
    const char *member;
    if (!oauth_is_on(r))
        return false;
    json_t *asked = json_parse(r->raw_body, r->raw_body_len, &ignored);
    json_t *metadata = json_is_object(asked) ? client_metadata_taken(asked, &why, &member) : NULL;
    bool done = metadata != NULL && register_client(r, metadata);
    if (!json_is_object(asked)) {
        oauth_refuse(r, OAUTH_INVALID_CLIENT_METADATA, "The body is not a JSON object.");
    } else if (metadata == NULL) {
        struct text description = TEXT_INIT;
        text_addf(&description, "%s: %s", member, oauth_error_description(why));
        oauth_refuse(r, why, description.data);
        text_finish(&description);
    }
    json_decref(metadata);
    json_decref(asked);
    return done;
}

static const struct route TABLE[] = {
    {HTTP_POST, "/parta/oauth2/register", post_register, 0, RATE_LOGIN, NULL, NULL, oauth_body_max},
};
const struct routes OAUTH_REGISTRATION_ROUTES = ROUTES(TABLE);
