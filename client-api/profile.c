/* Profiles (Client-Server API, "Profiles"). */
#include <stdlib.h>
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/accounts/profile.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/users.h"

/* Whose profile the path names, if it may be read. 0: r->error is set. */
static user_no readable_owner(struct request *r)
{
    if (!user_id_valid(r->params[0])) {
        refuse(r, ERROR_INVALID_PARAM, "This is not a user id.");
        return 0;
    }
    if (r->identity.user != 0 && r->server->ask_services != NULL)
        r->server->ask_services(r, r->params[0]);
    user_no owner = users_by_id(r->db, r->server->config->server_name, r->params[0]);
    user_no asker = r->identity.user;
    return profile_readable(r->server->accounts, r->db, asker, owner, &r->error) ? owner : 0;
}

struct writing {
    struct text *out;
    bool first;
};

static void add_field(void *arg, const char *field, const char *value)
{
    struct writing *w = arg;
    text_addc(w->out, w->first ? '{' : ',');
    text_add_json(w->out, field);
    text_addc(w->out, ':');
    text_adds(w->out, value);
    w->first = false;
}

static bool get_profile(struct request *r)
{
    struct text body = TEXT_INIT;
    struct writing w = {&body, true};
    user_no owner = readable_owner(r);
    if (owner == 0)
        return false;
    profiles_each(r->db, owner, add_field, &w);
    text_adds(&body, w.first ? "{}" : "}");
    return reply_text(r, &body);
}

static bool get_field(struct request *r)
{
    const char *field = r->params[1];
    struct text body = TEXT_INIT;
    struct writing w = {&body, true};
    user_no owner = profile_field_valid(field, &r->error) ? readable_owner(r) : 0;
    if (owner == 0)
        return false;
    char *value = profiles_get(r->db, owner, field);
    if (value == NULL)
        return refuse(r, ERROR_NOT_FOUND, "The profile has no such field.");
    add_field(&w, field, value);
    text_addc(&body, '}');
    free(value);
    return reply_text(r, &body);
}

static bool is_own(struct request *r)
{
    return strcmp(r->params[0], r->identity.user_id) == 0 ||
           refuse(r, ERROR_FORBIDDEN, "Only one's own profile can be changed.");
}

static bool put_field(struct request *r)
{
    const char *field = r->params[1];
    if (!is_own(r) || !profile_field_valid(field, &r->error))
        return false;
    const json_t *value = json_object_get(r->body, field);
    if (value == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The body has no member of the field's name.");
    return profile_set(r->server->accounts, r->identity.user, field, value, &r->error) && reply_empty(r);
}

static bool delete_field(struct request *r)
{
    return is_own(r) && profile_clear(r->server->accounts, r->identity.user, r->params[1], &r->error) && reply_empty(r);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/profile/{userId}", get_profile, ROUTE_AUTH_OPTIONAL, RATE_READ, "getUserProfile"},
    {HTTP_GET, "/_matrix/client/v3/profile/{userId}/{keyName}", get_field, ROUTE_AUTH_OPTIONAL, RATE_READ,
     "getProfileField"},
    {HTTP_PUT, "/_matrix/client/v3/profile/{userId}/{keyName}", put_field, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "setProfileField"},
    {HTTP_DELETE, "/_matrix/client/v3/profile/{userId}/{keyName}", delete_field, ROUTE_AUTH, RATE_WRITE,
     "deleteProfileField"},
};
const struct routes PROFILE_ROUTES = ROUTES(TABLE);
