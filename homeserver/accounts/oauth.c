#include "homeserver/accounts/oauth.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/tokens.h"
#include "homeserver/store/matrix/users.h"

_Static_assert(OAUTH_CODES_MAX >= 2, "two tabs at once");

/* --- Clients --- */

bool oauth_client_find(struct db *db, const char *client_id, struct oauth_client *out)
{
    struct oauth_client_row row;
    struct error ignored = {0};
    bool found = strlen(client_id) == OAUTH_CLIENT_ID_CHARS && oauth_clients_get(db, client_id, &row);
    *out = (struct oauth_client){0};
    if (!found)
        return false;
    out->no = row.no;
    snprintf(out->client_id, sizeof out->client_id, "%s", row.client_id);
    out->metadata = json_parse(row.metadata, strlen(row.metadata), &ignored);
    oauth_client_row_finish(&row);
    return out->metadata != NULL;
}

void oauth_client_finish(struct oauth_client *client)
{
    json_decref(client->metadata);
    *client = (struct oauth_client){0};
}

struct register_job {
    char client_id[OAUTH_CLIENT_ID_CHARS + 1];
    unsigned char digest[SHA256_BYTES];
    const char *metadata;
};

static bool job_register(struct tx *tx, void *arg, struct error *e)
{
    struct register_job *job = arg;
    struct oauth_client_row row;
    bool done = oauth_clients_put(tx, job->client_id, job->digest, job->metadata, &row);
    snprintf(job->client_id, sizeof job->client_id, "%s", done ? row.client_id : "");
    oauth_client_row_finish(&row);
    if (!done)
        return error_set(e, ERROR_UNKNOWN, NULL);
    if (oauth_clients_count(tx->db) > OAUTH_CLIENTS_MAX)
        oauth_clients_prune(tx, tx->now_ms, 1); /* not the one that was used just now */
    return oauth_clients_count(tx->db) <= OAUTH_CLIENTS_MAX ||
           error_set(e, ERROR_UNAVAILABLE, "There are too many clients: try again later.");
}

bool oauth_client_register(const struct accounts *accounts, const json_t *metadata,
                           char client_id[OAUTH_CLIENT_ID_CHARS + 1], struct error *e)
{
    struct register_job job;
    struct text canonical = TEXT_INIT;
    json_add_canonical(&canonical, metadata);
    bool done =
        canonical.len <= OAUTH_CLIENT_METADATA_MAX || error_set(e, ERROR_TOO_LARGE, "The metadata are too large.");
    random_name(job.client_id, OAUTH_CLIENT_ID_CHARS);
    sha256(canonical.data, canonical.len, job.digest);
    job.metadata = canonical.data;
    done = done && writer_run(accounts->writer, job_register, &job, e);
    if (done)
        memcpy(client_id, job.client_id, OAUTH_CLIENT_ID_CHARS + 1);
    text_finish(&canonical);
    return done;
}

/* --- Allowing --- */

/* What a code is good with alone: the account may sign in, and its password is what it was. */
static bool origin_now(struct tx *tx, user_no user, unsigned char origin[TOKEN_HASH_BYTES], struct error *e)
{
    struct user_row row;
    bool may = users_get(tx->db, user, &row) && sign_in_may(row.state, e);
    login_origin_digest(&row, origin);
    user_row_finish(&row);
    return may || (e->code == ERROR_NONE && error_set(e, ERROR_FORBIDDEN, NULL));
}

struct issue_job {
    const struct oauth_allowed *allowed;
    unsigned char hash[TOKEN_HASH_BYTES];
};

static bool job_issue(struct tx *tx, void *arg, struct error *e)
{
    struct issue_job *job = arg;
    const struct oauth_allowed *allowed = job->allowed;
    struct oauth_code_row row = {.client = allowed->client,
                                 .user = allowed->user,
                                 .redirect_uri = (char *)allowed->redirect_uri,
                                 .challenge = (char *)allowed->challenge,
                                 .device_id = (char *)allowed->device_id,
                                 .scope = (char *)allowed->scope,
                                 .expires_ms = tx->now_ms + OAUTH_CODE_LIFETIME_MS};
    return origin_now(tx, allowed->user, row.origin, e) &&
           ((oauth_clients_used(tx, allowed->client) && oauth_codes_insert(tx, job->hash, &row)) ||
            error_set(e, ERROR_UNKNOWN, NULL));
}

bool oauth_code_issue(const struct accounts *accounts, const struct oauth_allowed *allowed, char code[TOKEN_CHARS + 1],
                      struct error *e)
{
    struct issue_job job = {.allowed = allowed};
    random_name(code, TOKEN_CHARS);
    token_hash(code, job.hash);
    return writer_run(accounts->writer, job_issue, &job, e);
}

/* --- Redeeming --- */

void oauth_answer_finish(struct oauth_answer *answer)
{
    login_result_finish(&answer->tokens);
    free(answer->scope);
    *answer = (struct oauth_answer){0};
}

struct redeem_job {
    const struct accounts *accounts;
    const struct oauth_shown *shown;
    unsigned char hash[TOKEN_HASH_BYTES];
    struct device_wish wish;
    struct sign_in in;
    enum oauth_error refused;
    char *scope;
};

static bool refuse_grant(struct redeem_job *job, enum oauth_error why)
{
    job->refused = why;
    return true;
}

/* The device id is known only now: it came with the code. */
static bool sign_in_by_code(struct tx *tx, struct redeem_job *job, user_no user, const char *device_id,
                            const unsigned char origin[TOKEN_HASH_BYTES], char **scope, struct error *e)
{
    unsigned char now[TOKEN_HASH_BYTES];
    if (!origin_now(tx, user, now, e))
        return false;
    if (!bytes_equal(now, origin, sizeof now))
        return refuse_grant(job, OAUTH_INVALID_GRANT);
    snprintf(job->in.device_id, sizeof job->in.device_id, "%s", device_id);
    job->in.client = job->shown->client->no;
    job->scope = *scope;
    *scope = NULL;
    tx_own(tx, user);
    return oauth_clients_used(tx, job->in.client) && sign_in_finish(tx, &job->accounts->hooks, user, &job->in, e);
}

/* Of a program that has it from somebody else, or that somebody else has had it from. */
static bool end_session(struct tx *tx, user_no user, device_no device)
{
    tx_own(tx, user);
    return device == 0 || devices_delete(tx, user, device);
}

/* RFC 7636, 4.6. */
static bool verifies(const char *verifier, const char *challenge)
{
    unsigned char hash[SHA256_BYTES];
    struct text made = TEXT_INIT;
    sha256(verifier, strlen(verifier), hash);
    text_add_base64url(&made, hash, sizeof hash);
    bool same = strlen(challenge) == made.len && bytes_equal(made.data, challenge, made.len);
    text_finish(&made);
    return same;
}

/* A code that comes with another's particulars is in wrong hands: it is spent by that as well. */
static bool redeem_code(struct tx *tx, struct redeem_job *job, struct oauth_code_row *row, struct error *e)
{
    const struct oauth_shown *shown = job->shown;
    if (row->spent) { /* RFC 6749, 4.1.2: what it brought ends */
        bool same = devices_client(tx->db, row->user, row->device_id) == row->client;
        refuse_grant(job, OAUTH_INVALID_GRANT);
        return end_session(tx, row->user, same ? devices_no(tx->db, row->user, row->device_id) : 0);
    }
    if (!oauth_codes_spend(tx, job->hash))
        return false;
    if (row->expires_ms <= tx->now_ms || row->client != shown->client->no ||
        strcmp(row->redirect_uri, shown->redirect_uri) != 0 || !verifies(shown->verifier, row->challenge))
        return refuse_grant(job, OAUTH_INVALID_GRANT);
    return sign_in_by_code(tx, job, row->user, row->device_id, row->origin, &row->scope, e);
}

static bool job_redeem_code(struct tx *tx, void *arg, struct error *e)
{
    struct redeem_job *job = arg;
    struct oauth_code_row row;
    bool done = oauth_codes_get(tx->db, job->hash, &row) ? redeem_code(tx, job, &row, e)
                                                         : refuse_grant(job, OAUTH_INVALID_GRANT);
    oauth_code_row_finish(&row);
    return done || (e->code == ERROR_NONE && error_set(e, ERROR_UNKNOWN, NULL));
}

/* RFC 8628, 3.5: who asks too often has to wait longer from then on. */
static bool still_waits(struct tx *tx, struct redeem_job *job, const struct oauth_device_code_row *row)
{
    bool soon = tx->now_ms - row->polled_ms < row->interval_ms;
    refuse_grant(job, soon ? OAUTH_SLOW_DOWN : OAUTH_AUTHORIZATION_PENDING);
    return oauth_device_codes_polled(tx, job->hash, row->interval_ms + (soon ? OAUTH_DEVICE_INTERVAL_MS : 0));
}

static bool redeem_device(struct tx *tx, struct redeem_job *job, struct oauth_device_code_row *row, struct error *e)
{
    if (row->client != job->shown->client->no)
        return refuse_grant(job, OAUTH_INVALID_GRANT);
    if (row->expires_ms <= tx->now_ms)
        return refuse_grant(job, OAUTH_EXPIRED_TOKEN);
    if (row->state == OAUTH_DEVICE_WAITING)
        return still_waits(tx, job, row);
    if (!oauth_device_codes_remove(tx, job->hash))
        return false;
    return row->state == OAUTH_DEVICE_ALLOWED
               ? sign_in_by_code(tx, job, row->user, row->device_id, row->origin, &row->scope, e)
               : refuse_grant(job, OAUTH_ACCESS_DENIED);
}

static bool job_redeem_device(struct tx *tx, void *arg, struct error *e)
{
    struct redeem_job *job = arg;
    struct oauth_device_code_row row;
    bool done = oauth_device_codes_get(tx->db, job->hash, &row) ? redeem_device(tx, job, &row, e)
                                                                : refuse_grant(job, OAUTH_INVALID_GRANT);
    oauth_device_code_row_finish(&row);
    return done || (e->code == ERROR_NONE && error_set(e, ERROR_UNKNOWN, NULL));
}

static bool redeem(const struct accounts *accounts, const struct oauth_shown *shown, writer_job *run,
                   struct oauth_answer *out, struct error *e)
{
    const char *name = json_get_string(shown->client->metadata, "client_name");
    struct redeem_job job = {.accounts = accounts, .shown = shown, .wish = {.device_id = "", .ip = shown->ip}};
    job.wish.display_name = name != NULL && device_name_valid(name, "client_name", &(struct error){0}) ? name : NULL;
    job.wish.refresh = true;
    token_hash(shown->code, job.hash);
    sign_in_prepare(accounts, &job.wish, &job.in);
    *out = (struct oauth_answer){0};
    bool done = writer_run(accounts->writer, run, &job, e);
    out->refused = job.refused;
    if (done && job.refused == OAUTH_OK) {
        sign_in_result(&job.in, 0, NULL, &out->tokens);
        out->scope = job.scope;
        job.scope = NULL;
    }
    free(job.scope);
    sodium_memzero(&job, sizeof job);
    return done;
}

bool oauth_code_redeem(const struct accounts *accounts, const struct oauth_shown *shown, struct oauth_answer *out,
                       struct error *e)
{
    return redeem(accounts, shown, job_redeem_code, out, e);
}

bool oauth_device_redeem(const struct accounts *accounts, const struct oauth_shown *shown, struct oauth_answer *out,
                         struct error *e)
{
    return redeem(accounts, shown, job_redeem_device, out, e);
}

/* --- Going on, and ending --- */

bool oauth_refresh(const struct accounts *accounts, const struct oauth_client *client, const char *refresh_token,
                   struct oauth_answer *out, struct error *e)
{
    *out = (struct oauth_answer){0};
    if (login_refresh(accounts, client->no, refresh_token, &out->tokens, e))
        return true;
    if (e->code != ERROR_UNKNOWN_TOKEN)
        return false;
    *e = (struct error){0};
    out->refused = OAUTH_INVALID_GRANT;
    return true;
}

static bool job_revoke(struct tx *tx, void *arg, struct error *e)
{
    const unsigned char *hash = arg;
    struct token_row row;
    struct token_spent spent = {0};
    bool found = tokens_find(tx->db, TOKEN_ACCESS, hash, &row);
    if (!found) {
        token_row_finish(&row);
        found = tokens_find(tx->db, TOKEN_REFRESH, hash, &row);
    }
    if (found)
        spent = (struct token_spent){row.user, row.device};
    else
        tokens_spent(tx->db, hash, &spent);
    token_row_finish(&row);
    return end_session(tx, spent.user, spent.device) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool oauth_revoke(const struct accounts *accounts, const char *token, struct error *e)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(token, hash);
    return writer_run(accounts->writer, job_revoke, hash, e);
}

/* --- Device codes --- */

/* RFC 8628, 6.1: no vowels, so that no words come of it; case and what stands between do not count. */
static const char LETTERS[] = "BCDFGHJKLMNPQRSTVWXZ";

/* false: it cannot be one. */
static bool user_code_hash(const char *typed, unsigned char out[TOKEN_HASH_BYTES])
{
    char code[OAUTH_USER_CODE_CHARS + 1] = {0};
    size_t n = 0;
    for (const char *p = typed; *p != '\0'; ++p) {
        char c = *p;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c == '-' || c == ' ')
            continue;
        if (strchr(LETTERS, c) == NULL || n == OAUTH_USER_CODE_CHARS)
            return false;
        code[n++] = c;
    }
    token_hash(code, out);
    return n == OAUTH_USER_CODE_CHARS;
}

struct begin_job {
    struct oauth_device_code_row row;
    unsigned char hash[TOKEN_HASH_BYTES], user_code[TOKEN_HASH_BYTES], place[TOKEN_HASH_BYTES];
};

/* Where the letters were drawn already for somebody else, the program asks again. */
static bool job_begin(struct tx *tx, void *arg, struct error *e)
{
    struct begin_job *job = arg;
    job->row.expires_ms = tx->now_ms + OAUTH_DEVICE_CODE_LIFETIME_MS;
    if (!oauth_device_codes_have_room(tx->db, job->place))
        return error_set_limited(e, OAUTH_DEVICE_CODE_LIFETIME_MS / 10);
    return (oauth_clients_used(tx, job->row.client) &&
            oauth_device_codes_insert(tx, job->hash, job->user_code, job->place, &job->row)) ||
           error_set(e, ERROR_UNAVAILABLE, NULL);
}

bool oauth_device_begin(const struct accounts *accounts, client_no client, const char *device_id, const char *scope,
                        const char *place, const char *address, struct oauth_device_begun *out, struct error *e)
{
    struct begin_job job = {.row = {.client = client,
                                    .device_id = (char *)device_id,
                                    .scope = (char *)scope,
                                    .address = (char *)address,
                                    .interval_ms = OAUTH_DEVICE_INTERVAL_MS}};
    random_name(out->device_code, TOKEN_CHARS);
    random_letters(out->user_code, OAUTH_USER_CODE_CHARS + 1, LETTERS);
    out->user_code[OAUTH_USER_CODE_CHARS / 2] = '-';
    out->user_code[OAUTH_USER_CODE_CHARS + 1] = '\0';
    token_hash(out->device_code, job.hash);
    token_hash(place, job.place);
    return user_code_hash(out->user_code, job.user_code) && writer_run(accounts->writer, job_begin, &job, e);
}

bool oauth_device_find(struct db *db, const char *user_code, int64_t now_ms, struct oauth_device_code_row *out)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    *out = (struct oauth_device_code_row){0};
    if (user_code_hash(user_code, hash) && oauth_device_codes_by_user_code(db, hash, out) &&
        out->state == OAUTH_DEVICE_WAITING && out->expires_ms > now_ms)
        return true;
    oauth_device_code_row_finish(out);
    return false;
}

struct decide_job {
    unsigned char user_code[TOKEN_HASH_BYTES];
    user_no user;
    bool allows;
};

static bool job_decide(struct tx *tx, void *arg, struct error *e)
{
    const struct decide_job *job = arg;
    unsigned char origin[TOKEN_HASH_BYTES];
    return origin_now(tx, job->user, origin, e) &&
           (oauth_device_codes_decide(tx, job->user_code, job->allows ? OAUTH_DEVICE_ALLOWED : OAUTH_DEVICE_DENIED,
                                      job->user, origin) ||
            error_set(e, ERROR_NOT_FOUND, "This code is not known, was used before, or has expired."));
}

bool oauth_device_decide(const struct accounts *accounts, const char *user_code, user_no user, bool allows,
                         struct error *e)
{
    struct decide_job job = {.user = user, .allows = allows};
    return (user_code_hash(user_code, job.user_code) ||
            error_set(e, ERROR_NOT_FOUND, "This code is not known, was used before, or has expired.")) &&
           writer_run(accounts->writer, job_decide, &job, e);
}
