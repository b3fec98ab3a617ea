#include "homeserver/accounts/register.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/profile.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/filters.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/cross_signing.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/tokens.h"
#include "homeserver/store/matrix/key_backup.h"
#include "homeserver/store/matrix/identities.h"
#include "homeserver/store/matrix/page_sessions.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"

bool register_name_free(const struct accounts *accounts, struct db *db, const char *localpart, struct error *e)
{
    char folded[ID_BYTES_MAX + 1];
    if (!registration_name_allowed(accounts, localpart, e))
        return false;
    /* Somebody of an earlier time may have it with its capitals, and signs in by it so. */
    return (localpart_fold(localpart, folded) && users_no(db, folded) == 0 && users_no(db, localpart) == 0) ||
           error_set(e, ERROR_USER_IN_USE, NULL);
}

bool register_allowed(const struct accounts *accounts, struct error *e)
{
    if (accounts->config->registration.mode != REGISTRATION_CLOSED)
        return true;
    error_set(e, ERROR_FORBIDDEN, "Регистрация на этом сервере закрыта: войти можно по личной ссылке от школы.");
    e->translation = "Registration is closed on this server: the school's personal link lets people in.";
    return false;
}

struct register_job {
    struct account_making making;
    bool by_operator;
};

/* The gate of registration: asked inside the job that makes the account. */
static bool admitted(struct tx *tx, const struct register_job *job, struct error *e)
{
    const struct accounts *accounts = job->making.accounts;
    const char *token = job->making.wanted->token;
    if (job->by_operator)
        return true;
    if (!register_allowed(accounts, e))
        return false;
    return accounts->config->registration.mode == REGISTRATION_OPEN ||
           (token != NULL && registration_tokens_use(tx, token)) ||
           error_set(e, ERROR_FORBIDDEN, "The registration token is not valid any more.");
}

static bool job_register(struct tx *tx, void *arg, struct error *e)
{
    struct register_job *job = arg;
    struct account_making *m = &job->making;
    bool confirmed = job->by_operator || m->accounts->config->policy.mode != POLICY_SCHOOL; /* A3 */
    if (!admitted(tx, job, e) || !account_making_insert(tx, m, confirmed ? ACCOUNT_ACTIVE : ACCOUNT_PENDING, e))
        return false;
    if (job->by_operator)
        tx_acts(tx, m->wanted->by, "user.create");
    else
        tx_own(tx, m->user);
    return (m->wanted->sid == NULL || contacts_claim(tx, m->wanted->sid, CODE_REGISTER, m->user, 0, e)) &&
           account_making_sign_in(tx, m, e);
}

static bool make(const struct accounts *accounts, const struct registration *registration, bool by_operator,
                 struct login_result *out, struct error *e)
{
    struct register_job job = {.by_operator = by_operator};
    *out = (struct login_result){0};
    return account_making_begin(&job.making, accounts, registration, e) &&
           account_making_end(&job.making, writer_run(accounts->writer, job_register, &job, e), NULL, out);
}

bool register_account(const struct accounts *accounts, const struct registration *registration,
                      struct login_result *out, struct error *e)
{
    *out = (struct login_result){0};
    return register_allowed(accounts, e) && make(accounts, registration, false, out, e);
}

bool account_create(const struct accounts *accounts, const struct registration *registration, struct login_result *out,
                    struct error *e)
{
    return make(accounts, registration, true, out, e);
}

struct password_job {
    const char *localpart; /* whose, or NULL: */
    const char *by;        /* an operator; NULL: the owner */
    const char *sid;       /* who proves an address, or NULL: */
    user_no user;
    const char *hash;
    bool logout;    /* end sessions … */
    device_no keep; /* … but this; 0: none */
};

/* Whose password it is. false: *e; there may still be no such user. */
static bool job_whose(struct tx *tx, const struct password_job *job, user_no *out, struct error *e)
{
    struct contact_address address;
    int64_t verified_ms;
    *out = job->localpart != NULL ? users_no(tx->db, job->localpart) : job->user;
    if (job->sid == NULL)
        return true;
    if (!contacts_take(tx, job->sid, CODE_RESET, &address, &verified_ms, e))
        return false;
    *out = contacts_owner(tx->db, &address);
    return true;
}

static bool job_password(struct tx *tx, void *arg, struct error *e)
{
    struct password_job *job = arg;
    struct user_row row;
    user_no user;
    if (!job_whose(tx, job, &user, e))
        return false;
    bool found = users_get(tx->db, user, &row);
    bool left = found && row.state == ACCOUNT_LEFT;
    user_row_finish(&row);
    if (!found)
        return error_set(e, ERROR_NOT_FOUND, "There is no such user.");
    if (left)
        return error_set(e, ERROR_USER_DEACTIVATED, NULL);
    if (job->by != NULL)
        tx_acts(tx, job->by, "user.password");
    else
        tx_own(tx, user);
    /* Who has lost the password and the second factor has nobody but the operator. */
    return (users_set_password(tx, user, job->hash) && (job->by == NULL || second_factors_forget(tx, user)) &&
            page_sessions_delete_of(tx, user) && (!job->logout || devices_delete_all(tx, user, job->keep))) ||
           error_set(e, ERROR_UNKNOWN, NULL);
}

static bool set_password(const struct accounts *accounts, struct password_job *job, const char *password,
                         struct error *e)
{
    if (!password_acceptable(accounts->config, password, e))
        return false;
    char *hash = password_hash(accounts->config, password);
    if (hash == NULL)
        return error_set(e, ERROR_UNKNOWN, NULL);
    job->hash = hash;
    bool ok = writer_run(accounts->writer, job_password, job, e);
    free(hash);
    return ok;
}

bool account_set_password(const struct accounts *accounts, const char *localpart, const char *by, const char *password,
                          struct error *e)
{
    struct password_job job = {.localpart = localpart, .by = by, .logout = true};
    return set_password(accounts, &job, password, e);
}

bool account_change_password(const struct accounts *accounts, user_no user, device_no keep, bool logout_others,
                             const char *password, struct error *e)
{
    struct password_job job = {.user = user, .logout = logout_others, .keep = keep};
    return set_password(accounts, &job, password, e);
}

bool account_reset_password(const struct accounts *accounts, const char *sid, bool logout, const char *password,
                            struct error *e)
{
    struct password_job job = {.sid = sid, .logout = logout};
    return set_password(accounts, &job, password, e);
}

struct deactivate_job {
    const struct accounts *accounts;
    user_no user;
    bool erase;
};

static bool job_deactivate(struct tx *tx, void *arg, struct error *e)
{
    struct deactivate_job *job = arg;
    const struct accounts_hooks *hooks = &job->accounts->hooks;
    char *id = users_id(tx->db, job->accounts->config->server_name, job->user);
    tx_acts(tx, id != NULL ? id : "", "account.deactivate");
    free(id);
    if (hooks->leave_all != NULL && !hooks->leave_all(hooks->self, tx, job->user, e))
        return false;
    if (job->erase && hooks->erase != NULL && !hooks->erase(hooks->self, tx, job->user, e))
        return false;
    bool ok = users_set_password(tx, job->user, NULL) && users_set_state(tx, job->user, ACCOUNT_LEFT) &&
              users_set_admin(tx, job->user, false) && devices_delete_all(tx, job->user, 0) &&
              contacts_forget(tx, job->user) && cross_signing_forget(tx, job->user) &&
              key_backups_forget(tx, job->user) && second_factors_forget(tx, job->user) &&
              identities_forget(tx, job->user);
    if (ok && job->erase)
        ok = account_data_forget(tx, job->user) && filters_forget(tx, job->user) && profiles_forget(tx, job->user);
    return ok || error_set(e, ERROR_UNKNOWN, NULL);
}

bool account_deactivate(const struct accounts *accounts, user_no user, bool erase, struct error *e)
{
    struct deactivate_job job = {accounts, user, erase};
    return writer_run(accounts->writer, job_deactivate, &job, e);
}

bool registration_token_well_formed(const char *token)
{
    size_t len = strspn(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-");
    return len != 0 && token[len] == '\0' && len <= REGISTRATION_TOKEN_MAX;
}

struct token_job {
    const char *by, *token;
    int64_t uses, lifetime_ms;
};

static bool job_token(struct tx *tx, void *arg, struct error *e)
{
    struct token_job *job = arg;
    int64_t expires_ms = job->lifetime_ms != 0 ? tx->now_ms + job->lifetime_ms : 0;
    tx_acts(tx, job->by, "token.create");
    return registration_tokens_insert(tx, job->token, job->uses, expires_ms) ||
           error_set(e, ERROR_INVALID_PARAM, "There is such a token already.");
}

bool registration_token_create(const struct accounts *accounts, const char *by, const char *token, int64_t uses,
                               int64_t lifetime_ms, struct error *e)
{
    struct token_job job = {by, token, uses, lifetime_ms};
    if (!registration_token_well_formed(token) || uses < 0 || lifetime_ms < 0)
        return error_set(e, ERROR_INVALID_PARAM, "A token has up to 64 of A-Z, a-z, 0-9 and ._~- only.");
    return writer_run(accounts->writer, job_token, &job, e);
}
