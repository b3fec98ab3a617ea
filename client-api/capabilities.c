/* What this server offers to a signed-in client (Client-Server API, "Capabilities negotiation"). */
#include "client-api/login_common.h"
#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "client-api/uia_threepid.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/pdu/version.h"

/* oauth: also in a session by OAuth, where what needs the password is done on the pages of the account. */
static const struct {
    const char *name;
    bool enabled, oauth;
} SWITCHES[] = {
    {"m.change_password", true, false},
    {"m.get_login_token", true, false},
    {"m.forget_forced_upon_leave", false, false},
};

/* What of a profile its owner may change: in a school little (accounts/profile.h). */
static void add_profile(struct request *r, json_t *capabilities)
{
    bool school_mode = room_access_school_mode(r);
    bool named = gate_name(school_mode, r->db, r->identity.user, &(struct error){0});
    json_t *fields = json_pack("{s:b}", "enabled", 1);
    if (school_mode)
        json_object_set_new(fields, "allowed", json_pack(named ? "[s, s]" : "[s]", "avatar_url", "displayname"));
    json_object_set_new(capabilities, "m.profile_fields", fields);
    json_object_set_new(capabilities, "m.set_displayname", json_pack("{s:b}", "enabled", (int)named));
    json_object_set_new(capabilities, "m.set_avatar_url", json_pack("{s:b}", "enabled", 1));
}

static json_t *room_versions(const struct config *config)
{
    const struct room_version *version;
    json_t *available = json_object();
    for (size_t i = 0; (version = room_version_at(i)) != NULL; ++i)
        json_object_set_new(available, version->name, json_string("stable"));
    return json_pack("{s:s, s:o}", "default", config->rooms.default_version, "available", available);
}

static bool get_capabilities(struct request *r)
{
    json_t *capabilities = json_pack("{s:o}", "m.room_versions", room_versions(r->server->config));
    bool oauth = session_is_oauth(r);
    for (size_t i = 0; i < sizeof SWITCHES / sizeof *SWITCHES; ++i)
        json_object_set_new(capabilities, SWITCHES[i].name,
                            json_pack("{s:b}", "enabled", oauth ? SWITCHES[i].oauth : SWITCHES[i].enabled));
    add_profile(r, capabilities);
    json_object_set_new(capabilities, "m.3pid_changes",
                        json_pack("{s:b}", "enabled", !oauth && uia_threepid_offered_any(r)));
    return reply_json(r, json_pack("{s:o}", "capabilities", capabilities));
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/capabilities", get_capabilities, ROUTE_AUTH, RATE_NONE, "getCapabilities"},
};
const struct routes CAPABILITY_ROUTES = ROUTES(TABLE);
