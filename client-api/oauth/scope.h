/* What a client asks for (Client-Server API, "Scope"; RFC 6749, 3.3). Pure. */
#ifndef PARTA_CLIENT_API_OAUTH_SCOPE_H
#define PARTA_CLIENT_API_OAUTH_SCOPE_H

#include <stdbool.h>

#include "homeserver/accounts/login.h"
#include "homeserver/base/text.h"

#define SCOPE_BYTES_MAX 1024

/* A scope is tokens with a space between; of those, here is exactly one for a device and one for the whole API, each in
 * the spelling of v1.15 or in that of the proposal (MSC2967), which Element X still asks with. What else is asked for
 * is not given: granted has the tokens that are, as they came. device_id: of a token's characters, at most
 * DEVICE_ID_BYTES_MAX. false: the scope is not valid; granted may have something. */
bool scope_parse(const char *scope, char device_id[DEVICE_ID_BYTES_MAX + 1], struct text *granted);

#endif
