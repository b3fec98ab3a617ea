/* Files by which clients find the server and people find help (Client-Server API, "Well-known URIs"; school.md H2). */
#include "client-api/routes.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/school/schools.h"

/* E9: what Element Web is told of encryption (io.element.e2ee): never by itself; and in new rooms not at all where no
 * school of this server allows it in rooms that people make. Element X does not look here: what it asks for is taken
 * out (gate_strips). */
static bool no_school_encrypts(struct db *db)
{
    static const enum room_kind MADE[] = {ROOM_DIRECT, ROOM_CLUB};
    struct school_row school;
    bool none = true;
    struct stmt *q = schools_all(db);
    while (none && schools_next(q, &school)) {
        struct school_policy policy;
        school_no no = school.no;
        bool ended = school.ended;
        school_row_finish(&school);
        policies_in_force(db, no, &policy);
        for (size_t i = 0; i < sizeof MADE / sizeof *MADE; ++i)
            none = none && (ended || policy.encryption[MADE[i]] == ENCRYPTION_FORBIDDEN);
    }
    stmt_end(q);
    return none;
}

static bool get_client(struct request *r)
{
    const struct config *config = r->server->config;
    const char *url = config->well_known.base_url != NULL ? config->well_known.base_url : config->public_baseurl;
    struct text assumed = TEXT_INIT;
    text_addf(&assumed, "https://%s", config->server_name);
    json_t *reply = json_pack("{s:{s:s}}", "m.homeserver", "base_url", url != NULL ? url : assumed.data);
    text_finish(&assumed);
    if (config->policy.mode == POLICY_SCHOOL)
        json_object_set_new(reply, "io.element.e2ee",
                            json_pack("{s:b, s:b}", "default", false, "force_disable", (int)no_school_encrypts(r->db)));
    return reply_json(r, reply);
}

static json_t *contact(const struct config *config)
{
    json_t *one = json_pack("{s:s}", "role", "m.role.admin");
    if (config->support.email != NULL)
        json_object_set_new(one, "email_address", json_string(config->support.email));
    if (config->support.matrix_id != NULL)
        json_object_set_new(one, "matrix_id", json_string(config->support.matrix_id));
    return one;
}

static bool get_support(struct request *r)
{
    const struct config *config = r->server->config;
    bool person = config->support.email != NULL || config->support.matrix_id != NULL;
    if (!person && config->support.page == NULL)
        return refuse(r, ERROR_NOT_FOUND, "No support contact is configured.");
    json_t *reply = json_object();
    if (person)
        json_object_set_new(reply, "contacts", json_pack("[o]", contact(config)));
    if (config->support.page != NULL)
        json_object_set_new(reply, "support_page", json_string(config->support.page));
    return reply_json(r, reply);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/.well-known/matrix/client", get_client, 0, RATE_NONE, "getWellknown"},
    {HTTP_GET, "/.well-known/matrix/support", get_support, 0, RATE_NONE, "getWellknownSupport"},
};
const struct routes WELLKNOWN_ROUTES = ROUTES(TABLE);
