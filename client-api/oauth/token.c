/* Tokens: for a code, for a device code, for a refresh token, and their end (Client-Server API, "Grant types", "Token
 * revocation"; RFC 6749, 4.1.3, 5 and 6; RFC 7009; RFC 8628, 3.1 to 3.5). */
#include <stdlib.h>
#include <string.h>

#include "client-api/oauth/client_metadata.h"
#include "client-api/oauth/common.h"
#include "client-api/oauth/scope.h"
#include "client-api/routes.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

/* RFC 6749, 5.1. */
static bool reply_tokens(struct request *r, struct oauth_answer *answer)
{
    const struct login_result *tokens = &answer->tokens;
    json_t *reply = json_pack("{s:s, s:s, s:s, s:I, s:s*}", "access_token", tokens->access_token, "token_type",
                              "Bearer", "refresh_token", tokens->refresh_token, "expires_in",
                              (json_int_t)(tokens->expires_in_ms / 1000), "scope", answer->scope);
    oauth_answer_finish(answer);
    return oauth_reply(r, reply);
}

static bool answered(struct request *r, struct oauth_answer *answer)
{
    return answer->refused == OAUTH_OK ? reply_tokens(r, answer) : oauth_refuse(r, answer->refused, NULL);
}

/* A session of a locked account stays, as after M_USER_LOCKED (Client-Server API, "Account locking"): clients take
 * whatever is 4xx here for its end, and come back after 5xx. Who may not begin one is told so. */
static bool refused_sign_in(struct request *r, bool goes_on)
{
    if (r->error.code == ERROR_UNKNOWN || r->error.code == ERROR_UNAVAILABLE)
        return false;
    if (goes_on && r->error.code == ERROR_USER_LOCKED)
        return oauth_refuse(r, OAUTH_TEMPORARILY_UNAVAILABLE, "This account is locked.");
    return oauth_refuse(r, OAUTH_INVALID_GRANT, error_sentence(&r->error));
}

static bool by_code(struct request *r, const json_t *form, const struct oauth_client *client)
{
    struct oauth_shown shown = {.client = client, .ip = r->ip};
    struct oauth_answer answer;
    if (!oauth_needs(r, form, "code", &shown.code) || !oauth_needs(r, form, "redirect_uri", &shown.redirect_uri) ||
        !oauth_needs(r, form, "code_verifier", &shown.verifier))
        return false;
    return oauth_code_redeem(r->server->accounts, &shown, &answer, &r->error) ? answered(r, &answer)
                                                                              : refused_sign_in(r, false);
}

static bool by_device_code(struct request *r, const json_t *form, const struct oauth_client *client)
{
    struct oauth_shown shown = {.client = client, .ip = r->ip};
    struct oauth_answer answer;
    if (!oauth_needs(r, form, "device_code", &shown.code))
        return false;
    return oauth_device_redeem(r->server->accounts, &shown, &answer, &r->error) ? answered(r, &answer)
                                                                                : refused_sign_in(r, false);
}

/* The scope of a refresh may only be narrower (RFC 6749, 6), and narrower there is none. */
static bool by_refresh_token(struct request *r, const json_t *form, const struct oauth_client *client)
{
    const char *token;
    struct oauth_answer answer;
    if (!oauth_needs(r, form, "refresh_token", &token))
        return false;
    return oauth_refresh(r->server->accounts, client, token, &answer, &r->error) ? answered(r, &answer)
                                                                                 : refused_sign_in(r, true);
}

static const struct grant {
    const char *type;
    bool (*give)(struct request *r, const json_t *form, const struct oauth_client *client);
    bool registered; /* the client must have registered for it */
} GRANTS[] = {
    {"authorization_code", by_code, true},
    {"refresh_token", by_refresh_token, false}, /* every session has one */
    {"urn:ietf:params:oauth:grant-type:device_code", by_device_code, true},
};

static bool give(struct request *r, const json_t *form, const struct oauth_client *client, const char *type)
{
    for (size_t i = 0; i < sizeof GRANTS / sizeof *GRANTS; ++i)
        if (strcmp(type, GRANTS[i].type) == 0)
            return !GRANTS[i].registered || client_metadata_allows(client->metadata, type)
                       ? GRANTS[i].give(r, form, client)
                       : oauth_refuse(r, OAUTH_UNAUTHORIZED_CLIENT, NULL);
    return oauth_refuse(r, OAUTH_UNSUPPORTED_GRANT_TYPE, NULL);
}

static bool post_token(struct request *r)
{
    const char *type;
    struct oauth_client client = {0};
    json_t *form = oauth_is_on(r) ? oauth_form(r) : NULL;
    bool done = form != NULL && oauth_needs(r, form, "grant_type", &type) && oauth_client_of(r, form, &client) &&
                give(r, form, &client, type);
    oauth_client_finish(&client);
    json_decref(form);
    return done;
}

/* RFC 7009. client_id is not asked for: whoever finds a token may end it. */
static bool post_revoke(struct request *r)
{
    const char *token, *hint;
    json_t *form = oauth_is_on(r) ? oauth_form(r) : NULL;
    bool done = form != NULL && oauth_needs(r, form, "token", &token);
    hint = oauth_param(form, "token_type_hint");
    if (done && hint != NULL && strcmp(hint, "access_token") != 0 && strcmp(hint, "refresh_token") != 0)
        done = oauth_refuse(r, OAUTH_UNSUPPORTED_TOKEN_TYPE, NULL);
    done = done && oauth_revoke(r->server->accounts, token, &r->error) && oauth_reply(r, json_object());
    json_decref(form);
    return done;
}

static bool begin_device(struct request *r, const struct oauth_client *client, const char *device_id, const char *scope)
{
    struct oauth_device_begun begun;
    struct text url = TEXT_INIT, place = TEXT_INIT;
    oauth_add_place(&place, r->ip);
    bool done =
        oauth_device_begin(r->server->accounts, client->no, device_id, scope, place.data, r->ip, &begun, &r->error);
    text_finish(&place);
    if (!done)
        return false;
    oauth_add_base(&url, r->server->config);
    text_adds(&url, "/parta/device");
    json_t *reply =
        json_pack("{s:s, s:s, s:s, s:i, s:i}", "device_code", begun.device_code, "user_code", begun.user_code,
                  "verification_uri", url.data, "expires_in", (int)(OAUTH_DEVICE_CODE_LIFETIME_MS / 1000), "interval",
                  (int)(OAUTH_DEVICE_INTERVAL_MS / 1000));
    text_add_pair(&url, '?', "user_code", begun.user_code);
    json_object_set_new(reply, "verification_uri_complete", json_string(url.data));
    text_finish(&url);
    return oauth_reply(r, reply);
}

static bool post_device(struct request *r)
{
    char device_id[DEVICE_ID_BYTES_MAX + 1];
    const char *scope;
    struct oauth_client client = {0};
    struct text granted = TEXT_INIT;
    json_t *form = oauth_is_on(r) ? oauth_form(r) : NULL;
    bool done = form != NULL && oauth_client_of(r, form, &client) && oauth_needs(r, form, "scope", &scope) &&
                (client_metadata_allows(client.metadata, "urn:ietf:params:oauth:grant-type:device_code") ||
                 oauth_refuse(r, OAUTH_UNAUTHORIZED_CLIENT, NULL)) &&
                (scope_parse(scope, device_id, &granted) || oauth_refuse(r, OAUTH_INVALID_SCOPE, NULL)) &&
                begin_device(r, &client, device_id, granted.data);
    text_finish(&granted);
    oauth_client_finish(&client);
    json_decref(form);
    return done;
}

static const struct route TABLE[] = {
    {HTTP_POST, "/parta/oauth2/token", post_token, 0, RATE_LOGIN, NULL, NULL, oauth_body_max},
    {HTTP_POST, "/parta/oauth2/revoke", post_revoke, 0, RATE_LOGIN, NULL, NULL, oauth_body_max},
    {HTTP_POST, "/parta/oauth2/device", post_device, 0, RATE_LOGIN, NULL, NULL, oauth_body_max},
};
const struct routes OAUTH_TOKEN_ROUTES = ROUTES(TABLE);
