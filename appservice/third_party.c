/* Third-party networks (Client-Server API, "Third-party Lookups"): whatever is known of them the application services
 * that bridge them know. Without one there are no protocols, and nothing is found (school.md A5: the operator turns
 * lookups on by registering a service with protocols). */
#include <stdlib.h>
#include <string.h>

#include "appservice/ask.h"
#include "appservice/registry.h"
#include "appservice/routes.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

#define OLDER "/_matrix/app/unstable"
#define ITEMS_MAX 1000 /* of an answer */
#define LIST_MS 3000   /* clients show a list of all networks: it does not wait for one that hangs */
#define ASKS_MAX 128   /* questions of one request: what is beyond is not asked */

static bool has_protocol(const struct registration_file *service, const char *protocol)
{
    for (size_t i = 0; i < service->n_protocols; ++i)
        if (strcmp(service->protocols[i], protocol) == 0)
            return true;
    return false;
}

/* What is asked of whom, all at once. */
struct lookup {
    struct appservices *set;
    struct ask asks[ASKS_MAX];
    const char *protocols[ASKS_MAX]; /* of an ask; borrowed */
    size_t n;
};

static void lookup_begin(struct request *r, struct lookup *lookup)
{
    *lookup = (struct lookup){.set = registry_get(r->server->appservices)};
}

/* path: taken. */
static void add_ask(struct lookup *lookup, const struct registration_file *service, const char *protocol, char *path)
{
    if (lookup->n == ASKS_MAX) {
        free(path);
        return;
    }
    lookup->protocols[lookup->n] = protocol;
    lookup->asks[lookup->n++] = (struct ask){.service = service, .method = "GET", .path = path, .older_prefix = OLDER};
}

static void lookup_run(struct request *r, struct lookup *lookup, int64_t ms)
{
    ask_all(r->server, lookup->asks, lookup->n, clock_mono_ms() + ms);
}

/* NULL: nothing that is JSON. A new reference. */
static json_t *said(const struct ask *ask)
{
    return ask->good ? json_loadb(ask->reply.body.data, ask->reply.body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

static void lookup_finish(struct lookup *lookup)
{
    for (size_t i = 0; i < lookup->n; ++i) {
        free((char *)lookup->asks[i].path);
        outgoing_reply_finish(&lookup->asks[i].reply);
    }
    appservices_unref(lookup->set);
}

/* protocol NULL: all that it bridges. */
static void add_protocols(struct lookup *lookup, const struct registration_file *service, const char *protocol)
{
    for (size_t i = 0; i < service->n_protocols; ++i) {
        struct text path = TEXT_INIT;
        if (protocol != NULL && strcmp(service->protocols[i], protocol) != 0)
            continue;
        text_adds(&path, "/thirdparty/protocol/");
        text_add_percent(&path, service->protocols[i]);
        add_ask(lookup, service, service->protocols[i], text_take(&path));
    }
}

/* {protocol: what is said of it}: of several services it is the first one's, with the instances of all. */
static json_t *protocols_of(struct request *r, const char *protocol)
{
    struct lookup lookup;
    json_t *all = json_object();
    lookup_begin(r, &lookup);
    for (size_t i = 0; i < lookup.set->n; ++i)
        if (lookup.set->all[i]->url != NULL && ask_may(r, lookup.set->all[i]))
            add_protocols(&lookup, lookup.set->all[i], protocol);
    lookup_run(r, &lookup, protocol != NULL ? ASK_MS : LIST_MS);
    for (size_t i = 0; i < lookup.n; ++i) {
        json_t *one = said(&lookup.asks[i]), *instances = json_object_get(one, "instances");
        json_t *found = json_object_get(all, lookup.protocols[i]);
        if (json_is_object(one) && json_is_array(instances) && found == NULL)
            json_object_set(all, lookup.protocols[i], one);
        else if (json_is_array(instances) && json_array_size(instances) <= ITEMS_MAX)
            json_array_extend(json_object_get(found, "instances"), instances);
        json_decref(one);
    }
    lookup_finish(&lookup);
    return all;
}

static bool reply_found(struct request *r, json_t *found)
{
    return found != NULL ? reply_json(r, found) : refuse(r, ERROR_NOT_FOUND, "No third-party network is bridged here.");
}

static bool get_protocols(struct request *r)
{
    return reply_json(r, protocols_of(r, NULL));
}

static bool get_protocol(struct request *r)
{
    json_t *all = protocols_of(r, r->params[0]);
    json_t *found = json_incref(json_object_get(all, r->params[0]));
    json_decref(all);
    return reply_found(r, found);
}

/* The query's fields go on to the service, but for what says who asks. */
static void add_fields(struct request *r, struct text *path)
{
    static const char *const OURS[] = {"access_token", "user_id", "device_id", "org.matrix.msc3202.device_id"};
    char before = '?';
    for (int i = 0; i < r->n_query; ++i) {
        bool ours = false;
        for (size_t k = 0; k < sizeof OURS / sizeof *OURS; ++k)
            ours |= strcmp(r->query[i].name, OURS[k]) == 0;
        if (ours)
            continue;
        text_add_pair(path, before, r->query[i].name, r->query[i].value);
        before = '&';
    }
}

/* Asks those services that bridge the protocol, or, with NULL, have the name in a namespace; lists are one list. NULL:
 * there is none. */
static json_t *list_of(struct request *r, const char *path, const char *protocol, enum namespace_kind kind,
                       const char *name)
{
    struct lookup lookup;
    json_t *all = NULL;
    lookup_begin(r, &lookup);
    for (size_t i = 0; i < lookup.set->n; ++i) {
        const struct registration_file *service = lookup.set->all[i];
        bool asked = protocol != NULL ? has_protocol(service, protocol)
                                      : service->n_protocols != 0 && registration_has(service, kind, name, false);
        if (asked && service->url != NULL && ask_may(r, service))
            add_ask(&lookup, service, NULL, xstrdup(path));
    }
    lookup_run(r, &lookup, ASK_MS);
    for (size_t i = 0; i < lookup.n; ++i) {
        json_t *one = said(&lookup.asks[i]);
        if (json_is_array(one) && all == NULL)
            all = json_array();
        if (json_is_array(one) && json_array_size(all) + json_array_size(one) <= ITEMS_MAX)
            json_array_extend(all, one);
        json_decref(one);
    }
    lookup_finish(&lookup);
    return all;
}

static bool find_by_protocol(struct request *r, const char *what)
{
    struct text path = TEXT_INIT;
    text_addf(&path, "/thirdparty/%s/", what);
    text_add_percent(&path, r->params[0]);
    add_fields(r, &path);
    json_t *found = list_of(r, path.data, r->params[0], NAMESPACE_USERS, NULL);
    text_finish(&path);
    return reply_found(r, found);
}

static bool find_by_name(struct request *r, const char *what, const char *parameter, enum namespace_kind kind)
{
    struct text path = TEXT_INIT;
    const char *name = query_get(r, parameter);
    if (name == NULL)
        return refuse_parameter(r, ERROR_MISSING_PARAM, parameter, "A parameter is missing.");
    text_addf(&path, "/thirdparty/%s?%s=", what, parameter);
    text_add_percent(&path, name);
    json_t *found = list_of(r, path.data, NULL, kind, name);
    text_finish(&path);
    return reply_found(r, found);
}

static bool get_location(struct request *r)
{
    return find_by_protocol(r, "location");
}

static bool get_user(struct request *r)
{
    return find_by_protocol(r, "user");
}

static bool get_location_of(struct request *r)
{
    return find_by_name(r, "location", "alias", NAMESPACE_ALIASES);
}

static bool get_user_of(struct request *r)
{
    return find_by_name(r, "user", "userid", NAMESPACE_USERS);
}

#define V3 "/_matrix/client/v3/thirdparty"
static const struct route TABLE[] = {
    {HTTP_GET, V3 "/protocols", get_protocols, ROUTE_AUTH, RATE_READ, "getProtocols"},
    {HTTP_GET, V3 "/protocol/{protocol}", get_protocol, ROUTE_AUTH, RATE_READ, "getProtocolMetadata"},
    {HTTP_GET, V3 "/location", get_location_of, ROUTE_AUTH, RATE_READ, "queryLocationByAlias"},
    {HTTP_GET, V3 "/location/{protocol}", get_location, ROUTE_AUTH, RATE_READ, "queryLocationByProtocol"},
    {HTTP_GET, V3 "/user", get_user_of, ROUTE_AUTH, RATE_READ, "queryUserByID"},
    {HTTP_GET, V3 "/user/{protocol}", get_user, ROUTE_AUTH, RATE_READ, "queryUserByProtocol"},
};
const struct routes THIRD_PARTY_ROUTES = ROUTES(TABLE);
