/* What a client says of itself when it registers (Client-Server API, "Client metadata"; RFC 7591, 2). Pure. */
#ifndef PARTA_CLIENT_API_OAUTH_CLIENT_METADATA_H
#define PARTA_CLIENT_API_OAUTH_CLIENT_METADATA_H

#include <jansson.h>

#include "homeserver/accounts/oauth.h"

#define REDIRECT_URIS_MAX 16
#define CLIENT_NAME_BYTES_MAX 256

/* What is registered of asked: the members that mean something here, with values that are supported, defaults filled
 * in; the rest is left out (RFC 7591, 3.2.1). A new reference, or NULL: *why and *parameter (static storage) say what
 * is wrong with which member. */
json_t *client_metadata_taken(const json_t *asked, enum oauth_error *why, const char **parameter);

/* Whether grant_types of what client_metadata_taken gave has it. Pure. */
bool client_metadata_allows(const json_t *metadata, const char *grant_type);

/* Whether the redirect URI is one that was registered. */
bool client_metadata_has_redirect(const json_t *metadata, const char *uri);

#endif
