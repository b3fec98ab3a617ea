/* The OAuth 2.0 API's grants: what a person lets a program have becomes a session, and how that session goes on and
 * ends (Client-Server API, "OAuth 2.0 API"; RFC 6749, 7009, 7636, 8628).
 *
 * There is one kind of session: a device with opaque tokens (login.h). What OAuth adds is how it begins (by a code
 * instead of a password) and a few rules on it: it belongs to a client; its refresh tokens rotate, and one that was
 * replaced, and its replacement used, ends the session when it comes again (store/matrix/tokens.h, tokens_spent).
 * Whether an account may sign in is asked where every sign-in asks it, inside the job (sign_in_finish).
 *
 * A refusal by OAuth's own rules is a value, not a failure of the job: what has to be written for it (a code is spent,
 * a session ends) is. Every act blocks for one job of the writer. */
#ifndef PARTA_ACCOUNTS_OAUTH_H
#define PARTA_ACCOUNTS_OAUTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "homeserver/accounts/login.h"
#include "homeserver/base/crypto.h"
#include "homeserver/store/matrix/oauth_clients.h"
#include "homeserver/store/matrix/oauth_codes.h"

#define OAUTH_CODE_LIFETIME_MS INT64_C(120000)
#define OAUTH_DEVICE_CODE_LIFETIME_MS INT64_C(900000)
#define OAUTH_DEVICE_INTERVAL_MS INT64_C(5000)
#define OAUTH_USER_CODE_CHARS 8 /* of 20 letters: 34 bits, for a quarter of an hour */

enum oauth_error {
    OAUTH_OK,
#define X(name, wire, status, sentence) OAUTH_##name,
#include "homeserver/accounts/oauth_errors.def"
#undef X
    OAUTH_ERROR__COUNT
};

/* A registered client, as a worker read it. */
struct oauth_client {
    client_no no;
    char client_id[OAUTH_CLIENT_ID_CHARS + 1];
    json_t *metadata; /* what it registered: an object */
};
/* true: found, the caller finishes *out. Blocks (a read). */
bool oauth_client_find(struct db *db, const char *client_id, struct oauth_client *out);
void oauth_client_finish(struct oauth_client *client);

/* The client of that metadata, which was checked; the same metadata is the same client. false: *e is ERROR_TOO_LARGE,
 * or ERROR_UNAVAILABLE where there are OAUTH_CLIENTS_MAX that are in use. */
bool oauth_client_register(const struct accounts *accounts, const json_t *metadata,
                           char client_id[OAUTH_CLIENT_ID_CHARS + 1], struct error *e);

/* What a person has allowed. Borrowed. */
struct oauth_allowed {
    user_no user;
    client_no client;
    const char *redirect_uri, *challenge; /* RFC 7636: base64url of SHA-256 */
    const char *device_id, *scope;        /* scope: as it was asked for, and will be answered */
};
/* The code for it. false: *e, as a sign-in is refused (ERROR_FORBIDDEN, ERROR_USER_LOCKED). */
bool oauth_code_issue(const struct accounts *accounts, const struct oauth_allowed *allowed, char code[TOKEN_CHARS + 1],
                      struct error *e);

/* What the token endpoint answers. refused: by OAuth's rules, then there are no tokens. oauth_answer_finish. */
struct oauth_answer {
    enum oauth_error refused;
    struct login_result tokens;
    char *scope; /* NULL: as it was */
};
void oauth_answer_finish(struct oauth_answer *answer);

/* Whoever shows a code. Borrowed. */
struct oauth_shown {
    const struct oauth_client *client;
    const char *code;
    const char *redirect_uri, *verifier; /* of an authorization code */
    const char *ip;
};
/* false: *e: the account may not sign in, or has as many sessions as it may. */
bool oauth_code_redeem(const struct accounts *accounts, const struct oauth_shown *shown, struct oauth_answer *out,
                       struct error *e);
bool oauth_device_redeem(const struct accounts *accounts, const struct oauth_shown *shown, struct oauth_answer *out,
                         struct error *e);

/* RFC 6749, 6. false: *e is ERROR_USER_LOCKED or a failure. */
bool oauth_refresh(const struct accounts *accounts, const struct oauth_client *client, const char *refresh_token,
                   struct oauth_answer *out, struct error *e);

/* Ends the session that an access or refresh token is of. True also if there is none (RFC 7009, 2.2). */
bool oauth_revoke(const struct accounts *accounts, const char *token, struct error *e);

/* A device code and what the person types. false: *e is ERROR_LIMIT_EXCEEDED: too many wait. */
struct oauth_device_begun {
    char device_code[TOKEN_CHARS + 1];
    char user_code[OAUTH_USER_CODE_CHARS + 2]; /* "WDJB-MJHT" */
};
bool oauth_device_begin(const struct accounts *accounts, client_no client, const char *device_id, const char *scope,
                        const char *place, const char *address, struct oauth_device_begun *out, struct error *e);

/* What waits under a user code, however it was typed: the caller finishes *out. false: nothing (any more). */
bool oauth_device_find(struct db *db, const char *user_code, int64_t now_ms, struct oauth_device_code_row *out);

/* What the person decides of it, once. false: *e is ERROR_NOT_FOUND, or a sign-in is refused. */
bool oauth_device_decide(const struct accounts *accounts, const char *user_code, user_no user, bool allows,
                         struct error *e);

#endif
