#include "client-api/oauth/common.h"

#include <string.h>

#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/http/address.h"
#include "homeserver/http/form.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

static const struct {
    const char *wire;
    int status;
    const char *sentence;
} ERRORS[OAUTH_ERROR__COUNT] = {
#define X(name, wire_, status_, sentence_) [OAUTH_##name] = {wire_, status_, sentence_},
#include "homeserver/accounts/oauth_errors.def"
#undef X
};

size_t oauth_body_max(const struct server *server)
{
    return OAUTH_BODY_MAX;
}

void oauth_add_base(struct text *out, const struct config *config)
{
    if (config->public_baseurl != NULL)
        text_adds(out, config->public_baseurl);
    else
        text_addf(out, "https://%s", config->server_name);
}

bool oauth_is_on(struct request *r)
{
    return config_oauth_obstacle(r->server->config) == NULL ||
           refuse(r, ERROR_UNRECOGNIZED, "Legacy authentication is in use on this homeserver.");
}

json_t *oauth_form(struct request *r)
{
    struct error e = {0};
    json_t *form = form_parse(r->headers[HEADER_CONTENT_TYPE], r->raw_body, r->raw_body_len, &e);
    if (form == NULL)
        oauth_refuse(r, OAUTH_INVALID_REQUEST, error_sentence(&e));
    return form;
}

const char *oauth_param(const json_t *form, const char *name)
{
    const char *value = json_get_string(form, name);
    return value != NULL && *value != '\0' ? value : NULL;
}

bool oauth_needs(struct request *r, const json_t *form, const char *name, const char **out)
{
    struct text description = TEXT_INIT;
    *out = oauth_param(form, name);
    if (*out != NULL)
        return true;
    text_addf(&description, "%s is missing.", name);
    oauth_refuse(r, OAUTH_INVALID_REQUEST, description.data);
    text_finish(&description);
    return false;
}

bool oauth_client_of(struct request *r, const json_t *form, struct oauth_client *out)
{
    const char *client_id;
    return oauth_needs(r, form, "client_id", &client_id) &&
           (oauth_client_find(r->db, client_id, out) || oauth_refuse(r, OAUTH_INVALID_CLIENT, NULL));
}

const char *oauth_error_name(enum oauth_error why)
{
    return ERRORS[why].wire;
}

const char *oauth_error_description(enum oauth_error why)
{
    return ERRORS[why].sentence;
}

bool oauth_refuse(struct request *r, enum oauth_error why, const char *description)
{
    r->error = (struct error){0};
    oauth_reply(r, json_pack("{s:s, s:s}", "error", ERRORS[why].wire, "error_description",
                             description != NULL ? description : ERRORS[why].sentence));
    reply_status(r, ERRORS[why].status);
    r->reply.complete = true;
    return false;
}

bool oauth_reply(struct request *r, json_t *value)
{
    reply_header(r, "cache-control", "no-store");
    reply_header(r, "pragma", "no-cache");
    return reply_json(r, value);
}

void oauth_add_place(struct text *out, const char *ip)
{
    struct address address;
    char text[ADDRESS_TEXT] = "";
    if (address_parse(ip, strlen(ip), &address)) {
        address_place(&address);
        address_text(&address, text);
    }
    text_adds(out, text);
}
