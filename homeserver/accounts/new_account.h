/* Making an account: the one way for whoever registers, signs up by a link, stands in a roster or is made by the
 * operator. Who may is decided elsewhere, in the job that makes it (register.h, policy/signup, policy/oneroster). */
#ifndef PARTA_ACCOUNTS_NEW_ACCOUNT_H
#define PARTA_ACCOUNTS_NEW_ACCOUNT_H

#include <stdbool.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/login.h"
#include "homeserver/base/account_state.h"

/* An opaque localpart, "p" and ten characters (A5). */
#define LOCALPART_BYTES 12
void localpart_draw(char out[LOCALPART_BYTES]);

struct new_account {
    const char *localpart;     /* allowed here (registration_name_allowed); NULL: drawn */
    const char *password_hash; /* NULL: nobody signs in until somebody sets a password */
    const char *display_name;  /* NULL: none */
    enum account_state state;
    bool admin; /* server administrator */
};

/* Inside a job. 0: *e: ERROR_USER_IN_USE, or the database failed. A drawn name that is taken is drawn again. */
user_no account_insert(struct tx *tx, const struct new_account *account, struct error *e);

/* --- For people who are there to say how it is to be --- */

/* What somebody asks for. Borrowed. */
struct registration {
    const char *localpart; /* NULL: drawn */
    const char *password;
    const char *display_name; /* NULL: none */
    const char *token;        /* registration token or link; NULL: none given */
    const char *sid;          /* of a verified address (contacts.h, CODE_REGISTER), bound in the same job; NULL: none */
    const struct device_wish *device; /* NULL: no sign-in */
    /* For account_create alone: */
    bool admin;
    const char *by; /* who makes it, as the audit log names them: "operator:parta" (J2) */
};

/* What takes its time, or is random, and so is done before the job. */
struct account_making {
    const struct accounts *accounts;
    const struct registration *wanted;
    char localpart[ID_BYTES_MAX + 1]; /* as wanted, in lower case; or drawn */
    char *hash;                       /* of the password */
    struct sign_in in;                /* if a device is wanted */
    user_no user;                     /* once it is made; or known (a personal link's) */
};

/* Refuses names and passwords that will not do, then hashes. false: *e, and there is nothing to end. Blocks. */
bool account_making_begin(struct account_making *m, const struct accounts *accounts, const struct registration *wanted,
                          struct error *e);

/* Inside the job: makes the account; signs m->user in, if a device is wanted. */
bool account_making_insert(struct tx *tx, struct account_making *m, enum account_state state, struct error *e);
bool account_making_sign_in(struct tx *tx, const struct account_making *m, struct error *e);

/* Frees what begin made, and returns done, which says that the job was: *out is filled (only user and user_id without a
 * device), otherwise empty. user_id: of an account that was there before; NULL: of the new one. */
bool account_making_end(struct account_making *m, bool done, const char *user_id, struct login_result *out);

/* Whether the name, in lower case, may be anybody's here: well-formed, and not claimed by an application service.
 * false: *e is ERROR_INVALID_USERNAME or ERROR_EXCLUSIVE. */
bool registration_name_allowed(const struct accounts *accounts, const char *localpart, struct error *e);

#endif
