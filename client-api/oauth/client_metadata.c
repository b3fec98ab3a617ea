#include "client-api/oauth/client_metadata.h"

#include <string.h>

#include "client-api/oauth/redirect_uri.h"
#include "homeserver/base/json.h"
#include "homeserver/base/names.h"

/* What is being read: asked, into taken. */
struct reading {
    const json_t *asked;
    json_t *taken;
    char host[URI_HOST_MAX + 1]; /* of client_uri */
    enum application_type type;
    bool by_code;
    enum oauth_error *why;
    const char **parameter;
};

static bool wrong(struct reading *reading, enum oauth_error why, const char *parameter)
{
    *reading->why = why;
    *reading->parameter = parameter;
    return false;
}

static bool keep(struct reading *reading, const char *member, const char *value)
{
    json_object_set_new(reading->taken, member, json_string(value));
    return true;
}

/* *out NULL: not there. */
static bool text_member(struct reading *reading, const char *member, const char **out)
{
    const json_t *value = json_object_get(reading->asked, member);
    *out = json_string_value(value);
    return *out != NULL || value == NULL || json_is_null(value) ||
           wrong(reading, OAUTH_INVALID_CLIENT_METADATA, member);
}

static bool take_client_uri(struct reading *reading, const char *member)
{
    const char *uri;
    return text_member(reading, member, &uri) &&
           (uri != NULL && https_uri_host(uri, reading->host) ? keep(reading, member, uri)
                                                              : wrong(reading, OAUTH_INVALID_CLIENT_METADATA, member));
}

/* A name that could be mistaken is none: people see where they are sent to, which is proven. */
static bool take_name(struct reading *reading, const char *member)
{
    const char *name;
    return text_member(reading, member, &name) &&
           (name == NULL ||
            (name_valid(name, CLIENT_NAME_BYTES_MAX) ? keep(reading, member, name)
                                                     : wrong(reading, OAUTH_INVALID_CLIENT_METADATA, member)));
}

static bool take_uri(struct reading *reading, const char *member)
{
    const char *uri;
    return text_member(reading, member, &uri) &&
           (uri == NULL ||
            (https_uri_is_of(uri, reading->host) ? keep(reading, member, uri)
                                                 : wrong(reading, OAUTH_INVALID_CLIENT_METADATA, member)));
}

/* Public clients only: absent, which RFC 7591 reads as a secret, becomes "none", and the reply says so. */
static bool take_auth_method(struct reading *reading, const char *member)
{
    const char *method;
    return text_member(reading, member, &method) &&
           (method == NULL || strcmp(method, "none") == 0 ? keep(reading, member, "none")
                                                          : wrong(reading, OAUTH_INVALID_CLIENT_METADATA, member));
}

static bool take_type(struct reading *reading, const char *member)
{
    const char *type;
    if (!text_member(reading, member, &type))
        return false;
    bool native = type != NULL && strcmp(type, "native") == 0;
    reading->type = native ? APPLICATION_NATIVE : APPLICATION_WEB;
    return native || type == NULL || strcmp(type, "web") == 0 ? keep(reading, member, native ? "native" : "web")
                                                              : wrong(reading, OAUTH_INVALID_CLIENT_METADATA, member);
}

/* Of the values that are asked for, those of known, in its order; absent: the first. What is not known is ignored. */
static bool take_values(struct reading *reading, const char *member, const char *const *known)
{
    const json_t *asked = json_object_get(reading->asked, member);
    json_t *values = json_array(), *value;
    size_t i;
    bool strings = asked == NULL || json_is_array(asked);
    json_array_foreach(asked, i, value)
        strings = strings && json_is_string(value);
    for (; strings && *known != NULL; ++known)
        json_array_foreach(asked, i, value)
            if (strcmp(json_string_value(value), *known) == 0) {
                json_array_append_new(values, json_string(*known));
                break;
            }
    json_object_set_new(reading->taken, member, values);
    return strings || wrong(reading, OAUTH_INVALID_CLIENT_METADATA, member);
}

static bool take_grant_types(struct reading *reading, const char *member)
{
    static const char *const KNOWN[] = {"authorization_code", "refresh_token",
                                        "urn:ietf:params:oauth:grant-type:device_code", NULL};
    if (!take_values(reading, member, KNOWN))
        return false;
    if (json_object_get(reading->asked, member) == NULL)
        json_object_set_new(reading->taken, member, json_pack("[s]", "authorization_code"));
    reading->by_code = client_metadata_allows(reading->taken, "authorization_code");
    return json_array_size(json_object_get(reading->taken, member)) > 0 ||
           wrong(reading, OAUTH_INVALID_CLIENT_METADATA, member);
}

static bool take_response_types(struct reading *reading, const char *member)
{
    static const char *const KNOWN[] = {"code", NULL};
    if (!take_values(reading, member, KNOWN))
        return false;
    if (json_object_get(reading->asked, member) == NULL && reading->by_code)
        json_object_set_new(reading->taken, member, json_pack("[s]", "code"));
    return !reading->by_code || json_array_size(json_object_get(reading->taken, member)) > 0 ||
           wrong(reading, OAUTH_INVALID_CLIENT_METADATA, member);
}

static bool take_redirect_uris(struct reading *reading, const char *member)
{
    const json_t *uris = json_object_get(reading->asked, member), *uri;
    size_t i, n = json_array_size(uris);
    if ((uris != NULL && !json_is_array(uris)) || n > REDIRECT_URIS_MAX || (n == 0 && reading->by_code))
        return wrong(reading, OAUTH_INVALID_REDIRECT_URI, member);
    json_array_foreach(uris, i, uri)
        if (!json_is_string(uri) || !redirect_uri_valid(json_string_value(uri), reading->host, reading->type))
            return wrong(reading, OAUTH_INVALID_REDIRECT_URI, member);
    json_object_set_new(reading->taken, member, uris != NULL ? json_deep_copy(uris) : json_array());
    return true;
}

/* In this order: what is read first says how the rest is read. */
static const struct {
    const char *member;
    bool (*take)(struct reading *reading, const char *member);
} MEMBERS[] = {
    {"client_uri", take_client_uri},
    {"client_name", take_name},
    {"logo_uri", take_uri},
    {"tos_uri", take_uri},
    {"policy_uri", take_uri},
    {"token_endpoint_auth_method", take_auth_method},
    {"application_type", take_type},
    {"grant_types", take_grant_types},
    {"response_types", take_response_types},
    {"redirect_uris", take_redirect_uris},
};

json_t *client_metadata_taken(const json_t *asked, enum oauth_error *why, const char **parameter)
{
    struct reading reading = {.asked = asked, .taken = json_object(), .why = why, .parameter = parameter};
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; ++i)
        if (!MEMBERS[i].take(&reading, MEMBERS[i].member)) {
            json_decref(reading.taken);
            return NULL;
        }
    return reading.taken;
}

bool client_metadata_allows(const json_t *metadata, const char *grant_type)
{
    const json_t *value;
    size_t i;
    json_array_foreach(json_object_get(metadata, "grant_types"), i, value)
        if (strcmp(json_string_value(value), grant_type) == 0)
            return true;
    return false;
}

bool client_metadata_has_redirect(const json_t *metadata, const char *uri)
{
    const json_t *value;
    size_t i;
    json_array_foreach(json_object_get(metadata, "redirect_uris"), i, value)
        if (redirect_uri_matches(json_string_value(value), uri))
            return true;
    return false;
}
