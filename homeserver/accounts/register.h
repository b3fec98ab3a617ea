/* Making accounts, and what else changes an account as a whole.
 *
 * Who may register is decided in the act: registration.mode closed refuses everybody but the command line and the
 * shared secret; token counts a use of the token in the same job that makes the account; open lets everybody in. In
 * policy.mode school an account that people made for themselves is pending until a school confirms it (A3). */
#ifndef PARTA_ACCOUNTS_REGISTER_H
#define PARTA_ACCOUNTS_REGISTER_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/login.h"
#include "homeserver/accounts/new_account.h"
#include "homeserver/base/account_state.h"

/* Whether the localpart could be had: well-formed, not claimed by an application service, free. false: *e is
 * ERROR_INVALID_USERNAME, ERROR_EXCLUSIVE or ERROR_USER_IN_USE. Blocks (a read). */
bool register_name_free(const struct accounts *accounts, struct db *db, const char *localpart, struct error *e);

/* Whether anybody may register at all. false: *e is ERROR_FORBIDDEN. */
bool register_allowed(const struct accounts *accounts, struct error *e);

/* Somebody registers. false: refused, nothing is done. out: only user and user_id without device. Hashes a password;
 * blocks. */
bool register_account(const struct accounts *accounts, const struct registration *registration,
                      struct login_result *out, struct error *e);

/* The administrator makes an account: active, whatever registration.mode says; token and sid are not looked at. The
 * rest as register_account. */
bool account_create(const struct accounts *accounts, const struct registration *registration, struct login_result *out,
                    struct error *e);

/* Sets a password without asking for the old one and ends every session. by: as the audit log names them. 404: no such
 * user. Hashes; blocks. */
bool account_set_password(const struct accounts *accounts, const char *localpart, const char *by, const char *password,
                          struct error *e);

/* The owner's change: keep is the device that stays signed in; logout_others ends the others. Hashes; blocks. */
bool account_change_password(const struct accounts *accounts, user_no user, device_no keep, bool logout_others,
                             const char *password, struct error *e);

/* A new password for the account whose address the session proves (contacts.h, CODE_RESET); logout ends its sessions.
 * Hashes; blocks. */
bool account_reset_password(const struct accounts *accounts, const char *sid, bool logout, const char *password,
                            struct error *e);

/* Ends an account for ever: no password, no device, no room, no phone number or e-mail address; erase: no account data
 * and no profile either, and what the person wrote goes as well, from now on (hook erase); else that stays. Blocks. */
bool account_deactivate(const struct accounts *accounts, user_no user, bool erase, struct error *e);

/* A registration token: at most 64 characters of A-Z a-z 0-9 . _ ~ -. uses 0: any number; lifetime_ms 0: no end. by: as
 * the audit log names them. */
bool registration_token_create(const struct accounts *accounts, const char *by, const char *token, int64_t uses,
                               int64_t lifetime_ms, struct error *e);
bool registration_token_well_formed(const char *token);

#endif
