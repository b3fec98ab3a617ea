#include "appservice/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/registry.h"
#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/service_accounts.h"
#include "homeserver/base/config.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/limits.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/users.h"

static bool is_known(const struct request *r)
{
    if (r->token == NULL || r->server->appservices == NULL || registry_is_empty(r->server->appservices))
        return false;
    struct appservices *set = registry_get(r->server->appservices);
    bool known = appservices_by_token(set, r->token) != NULL;
    appservices_unref(set);
    return known;
}

/* The device: named and known, or the service's own of that user, made when it is first needed. */
static bool take_device(struct request *r, struct db *db, user_no user, const char *named, struct error *e)
{
    char own[REGISTRATION_ID_BYTES_MAX + 16];
    snprintf(own, sizeof own, "appservice-%s", r->identity.service);
    r->identity.device = devices_no(db, user, named != NULL ? named : own);
    if (named != NULL)
        return r->identity.device != 0 || error_set(e, ERROR_UNKNOWN_DEVICE, NULL);
    const struct device_wish wish = {.device_id = own, .display_name = r->identity.service};
    if (r->identity.device == 0 && !service_device_put(r->server->accounts, user, &wish, NULL, e))
        return false;
    if (r->identity.device == 0) { /* this connection's snapshot may be older: it is not in one here */
        r->identity.device = devices_no(db, user, own);
        return r->identity.device != 0 || error_set(e, ERROR_UNKNOWN, NULL);
    }
    return true;
}

/* "service\0user id\0device id\0" is what the identity's strings point into. */
static void keep_names(struct identity *identity, const char *service, const char *user_id, const char *device_id)
{
    size_t service_len = strlen(service) + 1, user_len = strlen(user_id) + 1;
    struct text kept = TEXT_INIT;
    text_add(&kept, service, service_len);
    text_add(&kept, user_id, user_len);
    text_adds(&kept, device_id != NULL ? device_id : "");
    identity->kept = text_take(&kept);
    identity->service = identity->kept;
    identity->user_id = identity->name = identity->kept + service_len;
    identity->device_id = device_id != NULL ? identity->kept + service_len + user_len : NULL;
}

static bool act_as(struct request *r, struct db *db, const struct registration_file *service, struct error *e)
{
    const char *user_id = query_get(r, "user_id"), *device_id = query_get(r, "device_id");
    struct user_row row;
    bool itself =
        (r->route->flags & ROUTE_APPSERVICE) != 0; /* it makes, or signs in, whom a client library names there */
    if (user_id == NULL || itself)
        user_id = service->sender_id;
    if (device_id == NULL)
        device_id = query_get(r, "org.matrix.msc3202.device_id");
    if (itself)
        device_id = NULL;
    user_no user = users_by_id(db, r->server->config->server_name, user_id);
    if (user == 0 || !service_acts_as(r->server->accounts, db, service->id, user, user_id))
        return error_set(e, ERROR_FORBIDDEN, "The application service has no such user.");
    bool found = users_get(db, user, &row);
    r->identity.user = user;
    r->identity.state = found ? row.state : ACCOUNT_LEFT; /* never an administrator, whoever it acts as (J4) */
    user_row_finish(&row);
    keep_names(&r->identity, service->id, user_id, device_id);
    return r->identity.state == ACCOUNT_LEFT || take_device(r, db, user, device_id, e);
}

static bool load(struct request *r, struct db *db, struct error *e)
{
    struct appservices *set = registry_get(r->server->appservices);
    const struct registration_file *service = appservices_by_token(set, r->token);
    bool done = service != NULL ? act_as(r, db, service, e) : error_set(e, ERROR_UNKNOWN_TOKEN, NULL);
    appservices_unref(set);
    return done;
}

/* Whomever it acts as: one bucket; as itself it is not limited, nor if the registration says so (Application Service
 * API, "Registration", rate_limited). */
static int64_t rate(const struct request *r, int64_t now_ms)
{
    struct appservices *set = registry_get(r->server->appservices);
    const struct registration_file *service = appservices_by_id(set, r->identity.service);
    bool limited = service == NULL || (service->rate_limited && strcmp(r->identity.user_id, service->sender_id) != 0);
    appservices_unref(set);
    return limited ? limits_take_key(r->server->limits, RATE_APPSERVICE, r->identity.service, now_ms) : 0;
}

const struct credential_kind APPSERVICE_CREDENTIAL = {.name = "appservice",
                                                      .accepted = ROUTE_SESSION | ROUTE_APPSERVICE,
                                                      .shows = is_known,
                                                      .load = load,
                                                      .holds = is_known,
                                                      .rate = rate};
