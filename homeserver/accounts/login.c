#include "homeserver/accounts/login.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/nonces.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/second_factor.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/names.h"
#include "homeserver/base/text.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/cross_signing.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/page_sessions.h"
#include "homeserver/store/matrix/tokens.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"

_Static_assert(NONCE_CHARS == TOKEN_CHARS, "a login token is a nonce");

#define DEVICE_IDLE_MS (30 * DAY_MS) /* not seen for so long: may make room for a new one */
#define DEVICE_ID_CHARS 10           /* of one that is made up */

bool device_wish_valid(const struct device_wish *wish, struct error *e)
{
    const char *id = wish->device_id, *name = wish->display_name;
    if (id != NULL && (*id == '\0' || strlen(id) > DEVICE_ID_BYTES_MAX || !text_is_line(id)))
        return error_set_parameter(e, ERROR_INVALID_PARAM, "device_id",
                                   "The device id is empty, too long or has control characters.");
    return name == NULL || device_name_valid(name, "initial_device_display_name", e);
}

bool device_name_valid(const char *name, const char *parameter, struct error *e)
{
    return *name == '\0' || name_valid(name, DEVICE_NAME_BYTES_MAX) ||
           error_set_parameter(e, ERROR_INVALID_PARAM, parameter, NAME_SENTENCE);
}

void login_result_finish(struct login_result *result)
{
    free(result->user_id);
    free(result->device_id);
    sodium_memzero(result, sizeof *result);
}

void sign_in_prepare(const struct accounts *accounts, const struct device_wish *wish, struct sign_in *out)
{
    const struct config *config = accounts->config;
    *out = (struct sign_in){.wish = wish, .access_lifetime_ms = config->tokens.session_lifetime_ms};
    if (wish->page)
        out->access_lifetime_ms = PAGE_SESSION_MAX_MS;
    else if (wish->device_id != NULL)
        snprintf(out->device_id, sizeof out->device_id, "%s", wish->device_id);
    else
        random_name(out->device_id, DEVICE_ID_CHARS);
    random_name(out->access_token, TOKEN_CHARS);
    if (!wish->refresh)
        return;
    random_name(out->refresh_token, TOKEN_CHARS);
    out->access_lifetime_ms = config->tokens.access_lifetime_ms;
    out->refresh_lifetime_ms = config->tokens.refresh_lifetime_ms;
}

static int64_t end_of(const struct tx *tx, int64_t lifetime_ms)
{
    return lifetime_ms != 0 ? tx->now_ms + lifetime_ms : 0;
}

/* ends: the refresh token that this pair replaces, or NULL. */
static bool write_tokens(struct tx *tx, device_no device, const struct sign_in *in, const unsigned char *ends)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(in->access_token, hash);
    if (!tokens_insert(tx, TOKEN_ACCESS, device, hash, ends, end_of(tx, in->access_lifetime_ms)))
        return false;
    if (in->refresh_token[0] == '\0')
        return true;
    token_hash(in->refresh_token, hash);
    return tokens_insert(tx, TOKEN_REFRESH, device, hash, ends, end_of(tx, in->refresh_lifetime_ms));
}

/* A known device is signed in anew: what was issued for it before is void. */
bool sign_in_write(struct tx *tx, user_no user, const struct sign_in *in, struct error *e)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    if (in->wish->page) {
        token_hash(in->access_token, hash);
        return page_sessions_insert(tx, user, hash, in->wish->stale) || error_set(e, ERROR_UNKNOWN, NULL);
    }
    device_no device = devices_no(tx->db, user, in->device_id);
    bool ok = device == 0 ||
              (tokens_delete_of_device(tx, user, device) && devices_seen(tx, user, device, tx->now_ms, in->wish->ip));
    bool fresh = device == 0;
    if (fresh && cross_signing_is_key(tx->db, user, in->device_id)) /* key ids share a namespace with them */
        return error_set_parameter(e, ERROR_INVALID_PARAM, "device_id", "A key has this name.");
    if (fresh) {
        device = devices_insert(tx, user, in->device_id, in->wish->display_name, in->wish->ip);
        devices_end_idle(tx, user, bound_most(BOUND_DEVICES), tx->now_ms - DEVICE_IDLE_MS);
    }
    if (fresh && device != 0 && !bound_kept(tx->db, BOUND_DEVICES, user, 0, e))
        return false;
    return (ok && device != 0 && ((fresh && in->client == 0) || devices_signed_in_by(tx, device, in->client)) &&
            write_tokens(tx, device, in, NULL)) ||
           error_set(e, ERROR_UNKNOWN, NULL);
}

/* The device stays, and may be signed in again. */
static bool refuse_softly(struct error *e, enum error_code code, const char *sentence)
{
    error_set(e, code, sentence);
    e->soft_logout = true;
    return false;
}

bool sign_in_may(enum account_state state, struct error *e)
{
    if (state == ACCOUNT_LEFT)
        return error_set(e, ERROR_FORBIDDEN, "Wrong user name or password.");
    return state != ACCOUNT_LOCKED || refuse_softly(e, ERROR_USER_LOCKED, NULL);
}

/* The account may have changed while the password was being hashed, or the code was on its way: it is asked here. */
bool sign_in_finish(struct tx *tx, const struct accounts_hooks *hooks, user_no user, const struct sign_in *in,
                    struct error *e)
{
    struct user_row row;
    enum account_state state = users_get(tx->db, user, &row) ? row.state : ACCOUNT_LEFT;
    user_row_finish(&row);
    return sign_in_may(state, e) && sign_in_write(tx, user, in, e) &&
           (hooks->signed_in == NULL || hooks->signed_in(hooks->self, tx, user, e));
}

void sign_in_result(const struct sign_in *in, user_no user, const char *user_id, struct login_result *out)
{
    *out = (struct login_result){
        .user = user,
        .user_id = user_id != NULL ? xstrdup(user_id) : NULL,
        .device_id = in->device_id[0] != '\0' ? xstrdup(in->device_id) : NULL,
        .expires_in_ms = in->access_lifetime_ms,
    };
    memcpy(out->access_token, in->access_token, sizeof out->access_token);
    memcpy(out->refresh_token, in->refresh_token, sizeof out->refresh_token);
}

static bool find_user(const struct accounts *accounts, struct db *db, const char *user, struct user_row *row)
{
    char localpart[ID_BYTES_MAX + 1], folded[ID_BYTES_MAX + 1];
    const char *start = user;
    size_t len = strlen(user);
    *row = (struct user_row){0};
    if (user[0] == '@' && !user_id_split(user, accounts->config->server_name, &start, &len))
        return false;
    if (len >= sizeof localpart)
        return false;
    memcpy(localpart, start, len);
    localpart[len] = '\0';
    /* New localparts have no capitals, but the keyboards of telephones like to begin with one. */
    return users_find(db, localpart, row) || (localpart_fold(localpart, folded) && users_find(db, folded, row));
}

user_no login_user_of(const struct accounts *accounts, struct db *db, const char *user)
{
    struct user_row row;
    user_no no = find_user(accounts, db, user, &row) ? row.no : 0;
    user_row_finish(&row);
    return no;
}

/* In one piece: whoever has it frees it. */
struct login_job {
    const struct accounts_hooks *hooks;
    user_no user;
    char user_id[ID_BYTES_MAX + 1];
    char verified[PASSWORD_HASH_BYTES];    /* the hash the password was checked against; "": a token was shown, */
    struct nonce_origin origin;            /* which was made of this */
    char replacement[PASSWORD_HASH_BYTES]; /* the same password at today's cost; "": not needed */
    const struct accounts *accounts;
    bool wants_factor;
    const char *code; /* the second factor's; NULL: none was asked for */
    struct device_wish wish;
    struct sign_in in;
};

void login_password_digest(const struct user_row *row, unsigned char out[TOKEN_HASH_BYTES])
{
    token_hash(row->password_hash != NULL ? row->password_hash : "", out);
}

void login_origin_digest(const struct user_row *row, unsigned char out[TOKEN_HASH_BYTES])
{
    char of[PASSWORD_HASH_BYTES + 24];
    snprintf(of, sizeof of, "%lld %s", (long long)row->session_epoch,
             row->password_hash != NULL ? row->password_hash : "");
    token_hash(of, out);
    sodium_memzero(of, sizeof of);
}

void login_origin_of(struct db *db, user_no user, unsigned char out[TOKEN_HASH_BYTES])
{
    struct user_row row;
    users_get(db, user, &row);
    login_origin_digest(&row, out);
    user_row_finish(&row);
}

/* Who ended their sessions, has a new password, or is nobody's account again (a claim undone), has no token either. */
static bool origin_stands(struct db *db, const struct user_row *row, const struct nonce_origin *origin)
{
    unsigned char password[TOKEN_HASH_BYTES];
    login_origin_digest(row, password);
    return bytes_equal(password, origin->password, sizeof password) &&
           (origin->device == 0 || devices_since(db, row->no, origin->device, origin->asked_ms));
}

/* The account may have changed while the password was being hashed: everything is looked at again. */
bool login_write(struct tx *tx, void *arg, struct error *e)
{
    struct login_job *job = arg;
    struct user_row row;
    bool found = users_get(tx->db, job->user, &row);
    bool by_token = job->verified[0] == '\0';
    bool same = found && (by_token ? origin_stands(tx->db, &row, &job->origin)
                                   : row.password_hash != NULL && strcmp(row.password_hash, job->verified) == 0);
    bool may = sign_in_may(same ? row.state : ACCOUNT_LEFT, e);
    user_row_finish(&row);
    if (!may)
        return false;
    tx_own(tx, job->user);
    if (!by_token && second_factors_has(tx->db, job->user))
        return error_set(e, ERROR_FORBIDDEN,
                         "This account has a second factor: sign in in the browser, or take a password for one sign-in"
                         " from the account's page there.");
    if (job->code != NULL && !second_factor_spend(tx, job->accounts, job->user, job->code, e))
        return false;
    if (job->replacement[0] != '\0' && !users_set_password(tx, job->user, job->replacement))
        return error_set(e, ERROR_UNKNOWN, NULL);
    return sign_in_finish(tx, job->hooks, job->user, &job->in, e);
}

static struct login_job *job_for(const struct accounts *accounts, const struct user_row *row,
                                 const struct device_wish *wish)
{
    const struct config *config = accounts->config;
    struct login_job *job = xcalloc(1, sizeof *job);
    job->accounts = accounts;
    job->hooks = &accounts->hooks;
    job->user = row->no;
    job->wish = *wish;
    snprintf(job->user_id, sizeof job->user_id, "@%s:%s", row->localpart, config->server_name);
    sign_in_prepare(accounts, &job->wish, &job->in);
    return job;
}

struct login_job *login_begin(const struct accounts *accounts, struct db *db, const char *user, const char *password,
                              const struct device_wish *wish, struct error *e)
{
    struct user_row row;
    struct login_job *job = NULL;
    if (!device_wish_valid(wish, e))
        return NULL;
    find_user(accounts, db, user, &row);
    bool factor = row.no != 0 && second_factors_has(db, row.no);
    struct nonce_origin origin;
    if (factor && strlen(password) == NONCE_CHARS &&
        nonces_redeem(accounts->login_tokens, password, clock_mono_ms(), &origin) && origin.user == row.no) {
        job = job_for(accounts, &row, wish);
        job->origin = origin;
    } else if (password_verify(accounts->config, row.password_hash, password)) {
        job = job_for(accounts, &row, wish);
        job->wants_factor = factor;
        snprintf(job->verified, sizeof job->verified, "%s", row.password_hash);
        login_origin_digest(&row, job->origin.password);
        char *replacement =
            password_outdated(accounts->config, row.password_hash) ? password_hash(accounts->config, password) : NULL;
        snprintf(job->replacement, sizeof job->replacement, "%s", replacement != NULL ? replacement : "");
        free(replacement);
    } else {
        error_set(e, ERROR_FORBIDDEN, "Wrong user name or password.");
    }
    user_row_finish(&row);
    return job;
}

static struct login_job *begin_by_nonce(const struct accounts *accounts, struct db *db, struct nonces *pool,
                                        const char *token, const struct device_wish *wish, struct error *e)
{
    struct user_row row = {0};
    struct login_job *job = NULL;
    struct nonce_origin origin;
    if (!device_wish_valid(wish, e))
        return NULL;
    if (nonces_redeem(pool, token, clock_mono_ms(), &origin) && users_get(db, origin.user, &row)) {
        job = job_for(accounts, &row, wish);
        job->origin = origin;
    } else {
        error_set(e, ERROR_FORBIDDEN, "The token is not known, was used before or has expired.");
    }
    user_row_finish(&row);
    return job;
}

bool login_wants_factor(const struct login_job *job)
{
    return job->wants_factor;
}

user_no login_job_user(const struct login_job *job)
{
    return job->user;
}

void login_factor_issue(const struct accounts *accounts, const struct login_job *job, char token[TOKEN_CHARS + 1])
{
    struct nonce_origin origin = job->origin;
    origin.user = job->user;
    if (job->verified[0] != '\0')
        origin.asked_ms = clock_wall_ms();
    nonces_issue(accounts->factor_tokens, &origin, clock_mono_ms(), LOGIN_FACTOR_LIFETIME_MS, token);
}

struct login_job *login_begin_by_factor(const struct accounts *accounts, struct db *db, const char *token,
                                        const char *code, const struct device_wish *wish, struct error *e)
{
    struct login_job *job = begin_by_nonce(accounts, db, accounts->factor_tokens, token, wish, e);
    if (job != NULL)
        job->code = code;
    return job;
}

static void issue(struct nonces *pool, int64_t lifetime_ms, struct db *db, user_no user, device_no device,
                  char token[TOKEN_CHARS + 1])
{
    struct nonce_origin origin = {.user = user, .device = device, .asked_ms = clock_wall_ms()};
    login_origin_of(db, user, origin.password);
    nonces_issue(pool, &origin, clock_mono_ms(), lifetime_ms, token);
}

void login_factor_issue_to(const struct accounts *accounts, struct db *db, user_no user, char token[TOKEN_CHARS + 1])
{
    issue(accounts->factor_tokens, LOGIN_FACTOR_LIFETIME_MS, db, user, 0, token);
}

void login_once_issue(const struct accounts *accounts, struct db *db, user_no user, char password[TOKEN_CHARS + 1])
{
    issue(accounts->login_tokens, LOGIN_FACTOR_LIFETIME_MS, db, user, 0, password);
}

void login_token_issue(const struct accounts *accounts, struct db *db, user_no user, device_no device,
                       char token[TOKEN_CHARS + 1])
{
    issue(accounts->login_tokens, LOGIN_TOKEN_LIFETIME_MS, db, user, device, token);
}

struct login_job *login_begin_by_token(const struct accounts *accounts, struct db *db, const char *token,
                                       const struct device_wish *wish, struct error *e)
{
    return begin_by_nonce(accounts, db, accounts->login_tokens, token, wish, e);
}

void login_end(struct login_job *job, struct login_result *out)
{
    sign_in_result(&job->in, job->user, job->user_id, out);
    sodium_memzero(job, sizeof *job);
}

bool login_check_password(const struct accounts *accounts, struct db *db, user_no user, const char *password)
{
    struct user_row row;
    users_get(db, user, &row);
    bool ok = password_verify(accounts->config, row.password_hash, password);
    user_row_finish(&row);
    return ok;
}

struct refresh_job {
    unsigned char hash[TOKEN_HASH_BYTES];
    client_no client;
    bool reused;
    struct sign_in in;
};

static bool refresh_by(struct tx *tx, struct refresh_job *job, const struct token_row *row, struct error *e)
{
    if (row->state == ACCOUNT_LEFT || row->client != job->client)
        return error_set(e, ERROR_UNKNOWN_TOKEN, "The refresh token is not known.");
    if (row->expires_ms != 0 && row->expires_ms <= tx->now_ms)
        return refuse_softly(e, ERROR_UNKNOWN_TOKEN, "The refresh token has expired.");
    if (row->state == ACCOUNT_LOCKED)
        return refuse_softly(e, ERROR_USER_LOCKED, NULL);
    return (tokens_used(tx, TOKEN_REFRESH, job->hash) &&
            tokens_make_room(tx, job->hash, job->client != 0 ? TOKENS_PAIRS_OAUTH : TOKENS_PAIRS_MAX) &&
            write_tokens(tx, row->device, &job->in, job->hash)) ||
           error_set(e, ERROR_UNKNOWN, NULL);
}

/* One of the two who have it is a thief, and nobody knows which: the session ends (RFC 9700,
 * 4.14.2). The job stands. */
static bool refresh_unknown(struct tx *tx, struct refresh_job *job, struct error *e)
{
    struct token_spent spent;
    job->reused = job->client != 0 && tokens_spent(tx->db, job->hash, &spent);
    if (!job->reused)
        return error_set(e, ERROR_UNKNOWN_TOKEN, "The refresh token is not known.");
    tx_own(tx, spent.user);
    return devices_delete(tx, spent.user, spent.device) || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool job_refresh(struct tx *tx, void *arg, struct error *e)
{
    struct refresh_job *job = arg;
    struct token_row row;
    bool done = tokens_find(tx->db, TOKEN_REFRESH, job->hash, &row) ? refresh_by(tx, job, &row, e)
                                                                    : refresh_unknown(tx, job, e);
    token_row_finish(&row);
    return done;
}

bool login_refresh(const struct accounts *accounts, client_no client, const char *refresh_token,
                   struct login_result *out, struct error *e)
{
    static const struct device_wish REFRESHING = {.device_id = "", .refresh = true};
    struct refresh_job job = {.client = client};
    *out = (struct login_result){0};
    token_hash(refresh_token, job.hash);
    sign_in_prepare(accounts, &REFRESHING, &job.in);
    bool ok = writer_run(accounts->writer, job_refresh, &job, e) &&
              (!job.reused || error_set(e, ERROR_UNKNOWN_TOKEN, "The refresh token was used before."));
    if (ok)
        sign_in_result(&job.in, 0, NULL, out);
    sodium_memzero(&job, sizeof job);
    return ok;
}
