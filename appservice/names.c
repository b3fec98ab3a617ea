#include "appservice/names.h"

#include <string.h>

#include "appservice/registry.h"
#include "homeserver/accounts/service_accounts.h"
#include "homeserver/base/log.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/appservices.h"
#include "homeserver/store/matrix/tokens.h"

#define DEVICES_AT_ONCE 64

bool names_exclusive(void *registry, const char *user_id)
{
    struct appservices *set = registry_get(registry);
    bool exclusive = appservices_exclusive(set, NAMESPACE_USERS, user_id) != NULL;
    appservices_unref(set);
    return exclusive;
}

bool names_in_namespace(void *registry, const char *service, const char *user_id)
{
    struct appservices *set = registry_get(registry);
    const struct registration_file *file = appservices_by_id(set, service);
    bool has = file != NULL && registration_has(file, NAMESPACE_USERS, user_id, false);
    appservices_unref(set);
    return has;
}

static bool taken(const struct appservices *set, struct db *db, const char *alias, user_no user)
{
    for (size_t i = 0; i < set->n; ++i)
        if (appservice_users_has(db, set->all[i]->id, user))
            return !registration_has(set->all[i], NAMESPACE_ALIASES, alias, false);
    return appservices_exclusive(set, NAMESPACE_ALIASES, alias) != NULL;
}

bool names_alias_taken(void *registry, struct db *db, const char *alias, user_no user)
{
    if (registry_is_empty(registry))
        return false;
    struct appservices *set = registry_get(registry);
    bool is_taken = taken(set, db, alias, user);
    appservices_unref(set);
    return is_taken;
}

void names_make_senders(struct registry *registry, const struct accounts *accounts)
{
    struct appservices *set = registry_get(registry);
    for (size_t i = 0; i < set->n; ++i) {
        struct login_result made;
        struct error e = {0};
        if (!service_account_create(accounts, set->all[i]->id, set->all[i]->sender, NULL, &made, &e) &&
            e.code != ERROR_USER_IN_USE)
            log_error("appservice", "%s: its user could not be made: %s", set->all[i]->id, error_sentence(&e));
        login_result_finish(&made);
    }
    appservices_unref(set);
}

struct signing_out {
    const struct appservices *set;
    user_no user; /* who was signed out last; 0: nobody yet */
    bool more;
};

/* Of one user, up to so many devices: a further turn finds what is left. */
static bool job_sign_out(struct tx *tx, void *arg, struct error *e)
{
    struct signing_out *out = arg;
    struct appservice_session row;
    device_no devices[DEVICES_AT_ONCE];
    size_t n = 0;
    user_no user = 0;
    struct stmt *q = appservice_sessions(tx->db, out->user);
    while (n < DEVICES_AT_ONCE && appservice_sessions_next(q, &row) && (user == 0 || row.user == user))
        if (appservices_by_id(out->set, row.service) == NULL) {
            user = row.user;
            devices[n++] = row.device;
        }
    stmt_end(q);
    tx_own(tx, user);
    for (size_t i = 0; i < n; ++i)
        if (!tokens_delete_of_device(tx, user, devices[i]))
            return error_set(e, ERROR_UNKNOWN, NULL);
    out->more = n != 0;
    out->user = n < DEVICES_AT_ONCE ? user : out->user;
    return true;
}

void names_sign_out_gone(struct registry *registry, const struct accounts *accounts)
{
    struct signing_out out = {.set = registry_get(registry), .more = true};
    struct error e = {0};
    while (out.more)
        if (!writer_run(accounts->writer, job_sign_out, &out, &e)) {
            log_error("appservice", "users of services that are gone could not be signed out: %s", error_sentence(&e));
            break;
        }
    appservices_unref((struct appservices *)out.set);
}
