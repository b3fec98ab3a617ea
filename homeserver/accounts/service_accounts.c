#include "homeserver/accounts/service_accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/new_account.h"
#include "homeserver/base/config.h"
#include "homeserver/base/text.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/appservices.h"
#include "homeserver/store/matrix/cross_signing.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/users.h"

static bool in_namespace(const struct accounts *accounts, const char *service, const char *user_id)
{
    const struct accounts_hooks *hooks = &accounts->hooks;
    return hooks->in_namespace != NULL && hooks->in_namespace(hooks->of_services, service, user_id);
}

bool service_acts_as(const struct accounts *accounts, struct db *db, const char *service, user_no user,
                     const char *user_id)
{
    if (!in_namespace(accounts, service, user_id))
        return false;
    char *made_by = appservice_users_service(db, user);
    bool own = made_by != NULL ? strcmp(made_by, service) == 0 : accounts->config->policy.mode == POLICY_OPEN;
    free(made_by);
    return own;
}

struct service_job {
    const struct accounts *accounts;
    const char *service, *localpart;
    char user_id[ID_BYTES_MAX + 1];
    const struct device_wish *device;
    struct sign_in in;
    user_no user;
    bool made;
};

static bool job_create(struct tx *tx, void *arg, struct error *e)
{
    struct service_job *job = arg;
    const struct new_account account = {.localpart = job->localpart, .state = ACCOUNT_ACTIVE};
    struct text name = TEXT_INIT;
    text_addf(&name, "appservice:%s", job->service);
    tx_acts(tx, name.data, "user.create");
    text_finish(&name);
    job->user = account_insert(tx, &account, e);
    if (job->user == 0)
        return false;
    if (!appservice_users_put(tx, job->service, job->user))
        return error_set(e, ERROR_BOUND, "This application service has as many users as one may have.");
    return job->device == NULL || sign_in_write(tx, job->user, &job->in, e);
}

bool service_account_create(const struct accounts *accounts, const char *service, const char *localpart,
                            const struct device_wish *device, struct login_result *out, struct error *e)
{
    struct service_job job = {.accounts = accounts, .service = service, .localpart = localpart, .device = device};
    *out = (struct login_result){0};
    if (!localpart_valid_for_new(localpart, accounts->config->server_name))
        return error_set(e, ERROR_INVALID_USERNAME, NULL);
    snprintf(job.user_id, sizeof job.user_id, "@%s:%s", localpart, accounts->config->server_name);
    if (!in_namespace(accounts, service, job.user_id))
        return error_set(e, ERROR_EXCLUSIVE, "This name lies outside of the application service's namespaces.");
    if (device != NULL)
        sign_in_prepare(accounts, device, &job.in);
    if (!writer_run(accounts->writer, job_create, &job, e))
        return false;
    sign_in_result(&job.in, job.user, job.user_id, out);
    return true;
}

static bool job_sign_in(struct tx *tx, void *arg, struct error *e)
{
    struct service_job *job = arg;
    struct user_row row;
    bool there = users_get(tx->db, job->user, &row) && row.state != ACCOUNT_LEFT && row.state != ACCOUNT_LOCKED;
    user_row_finish(&row);
    if (!there || !service_acts_as(job->accounts, tx->db, job->service, job->user, job->user_id))
        return error_set(e, ERROR_FORBIDDEN, "There is no such user of this application service.");
    tx_own(tx, job->user);
    return sign_in_write(tx, job->user, &job->in, e);
}

bool service_account_sign_in(const struct accounts *accounts, struct db *db, const char *service, const char *user,
                             const struct device_wish *device, struct login_result *out, struct error *e)
{
    struct service_job job = {.accounts = accounts, .service = service, .device = device};
    *out = (struct login_result){0};
    if (user[0] == '@')
        snprintf(job.user_id, sizeof job.user_id, "%s", user);
    else
        snprintf(job.user_id, sizeof job.user_id, "@%.200s:%s", user, accounts->config->server_name);
    if (!in_namespace(accounts, service, job.user_id))
        return error_set(e, ERROR_EXCLUSIVE, "This user lies outside of the application service's namespaces.");
    job.user = users_by_id(db, accounts->config->server_name, job.user_id);
    sign_in_prepare(accounts, device, &job.in);
    if (!writer_run(accounts->writer, job_sign_in, &job, e))
        return false;
    sign_in_result(&job.in, job.user, job.user_id, out);
    return true;
}

static bool job_device(struct tx *tx, void *arg, struct error *e)
{
    struct service_job *job = arg;
    const struct device_wish *wish = job->device;
    device_no device = devices_no(tx->db, job->user, wish->device_id);
    tx_own(tx, job->user);
    if (device != 0)
        return wish->display_name == NULL || devices_rename(tx, job->user, device, wish->display_name) ||
               error_set(e, ERROR_UNKNOWN, NULL);
    if (cross_signing_is_key(tx->db, job->user, wish->device_id))
        return error_set_parameter(e, ERROR_INVALID_PARAM, "device_id", "A key has this name.");
    job->made = devices_insert(tx, job->user, wish->device_id, wish->display_name, wish->ip) != 0;
    return (job->made && bound_kept(tx->db, BOUND_DEVICES, job->user, 0, e)) ||
           (!job->made && error_set(e, ERROR_UNKNOWN, NULL));
}

bool service_device_put(const struct accounts *accounts, user_no user, const struct device_wish *device, bool *made,
                        struct error *e)
{
    struct service_job job = {.accounts = accounts, .user = user, .device = device};
    if (!device_wish_valid(device, e) || !writer_run(accounts->writer, job_device, &job, e))
        return false;
    if (made != NULL)
        *made = job.made;
    return true;
}
