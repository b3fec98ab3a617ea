/* Accounts of application services: users that a service makes, signs in and gives devices without a password
 * (Application Service API, "Server admin style permissions", "Device management").
 *
 * A service acts as users of its namespaces. In a school's mode only as those that it has made itself, whatever its
 * namespaces say: a pattern that matches everybody makes nobody somebody else (school.md J4). */
#ifndef PARTA_ACCOUNTS_SERVICE_ACCOUNTS_H
#define PARTA_ACCOUNTS_SERVICE_ACCOUNTS_H

#include <stdbool.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/login.h"

struct db;

/* Whether the service may act as the user, who is there. */
bool service_acts_as(const struct accounts *accounts, struct db *db, const char *service, user_no user,
                     const char *user_id);

/* A new user: active, without a password. device NULL: no sign-in. false: *e is ERROR_EXCLUSIVE (outside of its
 * namespaces), ERROR_INVALID_USERNAME, ERROR_USER_IN_USE, ERROR_BOUND. Blocks (the writer). */
bool service_account_create(const struct accounts *accounts, const char *service, const char *localpart,
                            const struct device_wish *device, struct login_result *out, struct error *e);

/* Signs a user of the service in; user: a user id or a localpart. false: *e is ERROR_EXCLUSIVE, ERROR_FORBIDDEN (there
 * is no such user). Blocks. */
bool service_account_sign_in(const struct accounts *accounts, struct db *db, const char *service, const char *user,
                             const struct device_wish *device, struct login_result *out, struct error *e);

/* A device without tokens, made if it is not there yet; *made (may be NULL) says so. A name for one that is there
 * replaces its name. false: *e is ERROR_INVALID_PARAM or ERROR_BOUND. Blocks. */
bool service_device_put(const struct accounts *accounts, user_no user, const struct device_wish *device, bool *made,
                        struct error *e);

#endif
