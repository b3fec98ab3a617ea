/* What login, registration and interactive authentication say alike. */
#ifndef PARTA_CLIENT_API_LOGIN_COMMON_H
#define PARTA_CLIENT_API_LOGIN_COMMON_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/accounts/login.h"
#include "homeserver/http/uia.h"
#include "policy/signup/signup.h"

struct request;

/* The services of signing up by a school's link. */
struct signing_up request_signing_up(struct request *r);

/* Whom a login or auth object names: identifier {"type": "m.id.user", "user": …}, the older top-level "user", or a
 * phone number or e-mail address (m.id.phone, m.id.thirdparty) where this server verifies them. Borrowed, or in out.
 * NULL: r->error is set. Whether an address is anybody's does not show. */
#define IDENTIFIER_BYTES (ID_BYTES_MAX + 16)
const char *identifier_user(struct request *r, const json_t *object, char out[IDENTIFIER_BYTES]);

/* device_id, initial_device_display_name, refresh_token of the body, and the client's address. false: refused. */
bool body_device_wish(struct request *r, struct device_wish *out);

/* The answer of login and registration; empties *result. */
bool reply_signed_in(struct request *r, struct login_result *result);

/* The same for an account made without signing in. */
bool reply_made(struct request *r, struct login_result *result);

/* Counts an attempt on an account. false: too many, r->error is set. */
bool account_attempt(struct request *r, const char *user);

/* Stages. The password is that of the signed-in user; the registration token is left as the stage's value. */
extern const struct uia_stage STAGE_PASSWORD;
extern const struct uia_stage STAGE_REGISTRATION_TOKEN;

/* The flow of everything that a signed-in person confirms with the password. */
extern const struct uia_flow PASSWORD_FLOW;

#endif
