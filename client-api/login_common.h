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

/* The type by which an application service registers and signs in its users, and whether the request shows a service's
 * token (identity.service). false: refused. */
#define LOGIN_BY_SERVICE "m.login.application_service"
bool service_shown(struct request *r);

/* The answer of login and registration; empties *result. */
bool reply_signed_in(struct request *r, struct login_result *result);

/* The same for an account made without signing in. */
bool reply_made(struct request *r, struct login_result *result);

/* Counts an attempt on an account. Strangers to the account share one counter; whoever is none has a counter of their
 * own, which strangers' attempts leave alone (H1): known (a browser by its cookie, pages/known_browser.h; NULL: none),
 * the session that asks, or the place (an IPv4 address, an IPv6 /64) where one of the account's sessions was last seen.
 * false: too many, r->error is set. */
bool account_attempt(struct request *r, const char *user, const char *known);

/* Stages. The password is that of the signed-in user; what handlers give uia_pass is NULL, or the string of a known
 * browser. The registration token is left as the stage's value. */
extern const struct uia_stage STAGE_PASSWORD;
extern const struct uia_stage STAGE_REGISTRATION_TOKEN;

/* Whether who is signed in has a password: who came by a provider has none at first. Reads the database. */
bool has_password(const struct request *r);

/* The flow of everything that a signed-in person confirms: by the password, or by having just signed in on the pages
 * where they have none (m.login.sso); and by the second factor where they have one ({"type":
 * "org.parta.second_factor", "code": …}). Reads the database. */
const struct uia_flow *proof_flow(const struct request *r);
extern const struct uia_stage STAGE_SECOND_FACTOR, STAGE_SIGNED_IN;

/* uia_pass with it. Endpoints that ask for that are none for a session by OAuth, whose client never sees a password
 * (Client-Server API, "OAuth 2.0 API"): 404 M_UNRECOGNIZED, and people go to the pages of their account. */
bool password_proven(struct request *r);
bool session_is_oauth(const struct request *r);

#endif
