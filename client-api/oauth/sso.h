/* Signing clients in by a browser, without OAuth (Client-Server API, "Client login via SSO"). */
#ifndef PARTA_CLIENT_API_OAUTH_SSO_H
#define PARTA_CLIENT_API_OAUTH_SSO_H

#include <stdbool.h>

#include "homeserver/base/text.h"

#define SSO_REDIRECT_BYTES_MAX 512

/* Whether a browser may be sent there with a token: an http or https address with a host and without a user, or one of
 * an app's own scheme; whole, visible ASCII; none that a browser itself runs or reads (javascript:, data:, file: …).
 * Pure. */
bool sso_redirect_valid(const char *url);

/* The address with the token in its query, before its fragment. Pure. */
void sso_add_redirect(struct text *out, const char *url, const char *token);

#endif
