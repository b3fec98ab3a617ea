/* Signing in: passwords and refresh tokens against devices and access tokens (Client-Server API, "Legacy API",
 * "Refreshing access tokens"). */
#ifndef PARTA_ACCOUNTS_LOGIN_H
#define PARTA_ACCOUNTS_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/base/account_state.h"
#include "homeserver/base/crypto.h"

struct db;
struct user_row;

#define TOKEN_CHARS 43 /* 256 bits */
#define DEVICE_ID_BYTES_MAX 255
#define DEVICE_NAME_BYTES_MAX 256

/* How the new session is to be. Borrowed. */
struct device_wish {
    const char *device_id;    /* NULL: one is made up */
    const char *display_name; /* for a new device; NULL: none */
    const char *ip;           /* of the client; NULL: not known */
    bool refresh;             /* the client knows refresh tokens */
    bool stale;               /* page: whoever comes has not proven who they are now, but some time before, elsewhere */
    bool page;                /* a browser on the server's own pages: no device, and the access token is its cookie's
                               * (store/matrix/page_sessions.h) */
};

/* Checks lengths and characters. false: *e is ERROR_INVALID_PARAM. */
bool device_wish_valid(const struct device_wish *wish, struct error *e);
bool device_name_valid(const char *name, const char *parameter, struct error *e); /* "": none; parameter: called so */

/* What the client gets. Heap strings: login_result_finish, which wipes the tokens. */
struct login_result {
    user_no user;
    char *user_id;
    char *device_id;
    char access_token[TOKEN_CHARS + 1];
    char refresh_token[TOKEN_CHARS + 1]; /* "": none */
    int64_t expires_in_ms;               /* of the access token; 0: never */
};
void login_result_finish(struct login_result *result);

/* Signing in with a password goes in three steps, so that no thread need wait for the disk: the password is checked
 * here (hashes and blocks), the writer runs login_write with what this returns, login_end says what came of it.
 *
 * user: a whole user id or a localpart (upper case is accepted for an account that has none). The strings of wish are
 * borrowed until login_write has run. NULL: *e is ERROR_FORBIDDEN for any wrong pair. Else one piece of memory, to be
 * freed. */
struct login_job;
struct login_job *login_begin(const struct accounts *accounts, struct db *db, const char *user, const char *password,
                              const struct device_wish *wish, struct error *e);

/* A token by which another device of the person signs in (m.login.token), as long as the session that asks for it is
 * there and the password is what it is now. Reads the database. */
void login_token_issue(const struct accounts *accounts, struct db *db, user_no user, device_no device,
                       char token[TOKEN_CHARS + 1]);

/* Whether the password was right, and the account has a second factor: login_write refuses such a job. Instead
 * login_factor_issue gives a token of LOGIN_FACTOR_LIFETIME_MS, with which and a code login_begin_by_factor begins
 * anew; it is spent by that, whatever comes of it, and another can be had for it (token, once more) where the code was
 * wrong. code is borrowed until login_write has run. */
#define LOGIN_FACTOR_LIFETIME_MS INT64_C(300000)
bool login_wants_factor(const struct login_job *job);
void login_factor_issue(const struct accounts *accounts, const struct login_job *job, char token[TOKEN_CHARS + 1]);
/* The same for whoever has proven who they are by a provider (policy/signup/provider_sign_in.h). Reads. */
void login_factor_issue_to(const struct accounts *accounts, struct db *db, user_no user, char token[TOKEN_CHARS + 1]);
struct login_job *login_begin_by_factor(const struct accounts *accounts, struct db *db, const char *token,
                                        const char *code, const struct device_wish *wish, struct error *e);

/* A password for one sign-in (m.login.password) of somebody with a second factor, who has just proven it on a page: for
 * apps that know nothing else. Good for LOGIN_FACTOR_LIFETIME_MS. Reads the database. */
void login_once_issue(const struct accounts *accounts, struct db *db, user_no user, char password[TOKEN_CHARS + 1]);

/* Whom login_begin or login_begin_by_factor has recognised; job is not NULL. That they may sign in is said by
 * login_write alone. */
user_no login_job_user(const struct login_job *job);

/* As login_begin for whoever shows such a token, which is spent by this: nothing is hashed. */
struct login_job *login_begin_by_token(const struct accounts *accounts, struct db *db, const char *token,
                                       const struct device_wish *wish, struct error *e);

/* A writer_job. false: *e is ERROR_FORBIDDEN, or ERROR_USER_LOCKED for a locked account. */
bool login_write(struct tx *tx, void *job, struct error *e);

/* After login_write, once it is durable. Wipes the job. The caller finishes *out. */
void login_end(struct login_job *job, struct login_result *out);

/* Whether the password is that of the user, who is known by number. Hashes; blocks. */
bool login_check_password(const struct accounts *accounts, struct db *db, user_no user, const char *password);

/* The number of whom "user" means, 0: nobody of this server. */
user_no login_user_of(const struct accounts *accounts, struct db *db, const char *user);

/* A new pair for a refresh token of a session that client has, 0: one that no client has by OAuth; out's user_id and
 * device_id stay NULL. false: *e is ERROR_UNKNOWN_TOKEN. A client's that was replaced long ago ends its session
 * (tokens_spent). Blocks. */
bool login_refresh(const struct accounts *accounts, client_no client, const char *refresh_token,
                   struct login_result *out, struct error *e);

/* For jobs that sign somebody in: draws tokens, then, inside the job, writes device and tokens. */
struct sign_in {
    const struct device_wish *wish;
    char device_id[DEVICE_ID_BYTES_MAX + 1];
    char access_token[TOKEN_CHARS + 1], refresh_token[TOKEN_CHARS + 1];
    int64_t access_lifetime_ms, refresh_lifetime_ms; /* 0: no end */
    client_no client;                                /* by OAuth; 0: by none */
};
/* Pure but for the draws; any thread. wish is borrowed as long as out is used. */
void sign_in_prepare(const struct accounts *accounts, const struct device_wish *wish, struct sign_in *out);
/* A device that is there loses the tokens it had. false: *e is ERROR_INVALID_PARAM (a key of theirs is called so),
 * ERROR_BOUND (too many devices), ERROR_UNKNOWN. */
bool sign_in_write(struct tx *tx, user_no user, const struct sign_in *sign_in, struct error *e);
/* Inside a job, for whoever has proven who they are, by whatever: asks whether the account may sign in (A3), which
 * sign_in_may does alone, writes and tells the hook. false: *e is ERROR_FORBIDDEN, or ERROR_USER_LOCKED. */
bool sign_in_may(enum account_state state, struct error *e);
bool sign_in_finish(struct tx *tx, const struct accounts_hooks *hooks, user_no user, const struct sign_in *sign_in,
                    struct error *e);
/* What tells whether the password is what it was. */
void login_password_digest(const struct user_row *row, unsigned char out[TOKEN_HASH_BYTES]);
/* The same, and whether all sessions were ended since: every proof that is to become a session, or stands for one, and
 * outlives the request keeps it, and is good for nothing once it is another (tests/unit/accounts.c names them all). */
void login_origin_digest(const struct user_row *row, unsigned char out[TOKEN_HASH_BYTES]);
void login_origin_of(struct db *db, user_no user, unsigned char out[TOKEN_HASH_BYTES]); /* reads the database */
void sign_in_result(const struct sign_in *sign_in, user_no user, const char *user_id, struct login_result *out);

#endif
