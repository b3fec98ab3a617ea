/* Where a client may have its answers sent (Client-Server API, "Redirect URI validation"; RFC 8252, 7; RFC 9700, 2.1).
 * A client proves who it is by being reached there, so that what is taken is narrow: whole URIs of visible ASCII,
 * without a fragment, whose host or scheme follows from the host of client_uri. Pure. */
#ifndef PARTA_CLIENT_API_OAUTH_REDIRECT_URI_H
#define PARTA_CLIENT_API_OAUTH_REDIRECT_URI_H

#include <stdbool.h>
#include <stddef.h>

#define REDIRECT_URI_BYTES_MAX 2000
#define URI_HOST_MAX 253

enum application_type { APPLICATION_WEB, APPLICATION_NATIVE };

/* An https URI with a host name of two labels or more, no user or password, lower-cased into host. */
bool https_uri_host(const char *uri, char host[URI_HOST_MAX + 1]);

/* Whether the URI is an https one on that host or a subdomain of it: the other URIs of the metadata. */
bool https_uri_is_of(const char *uri, const char *client_host);

/* Whether a client of that type and client_uri's host may register it. */
bool redirect_uri_valid(const char *uri, const char *client_host, enum application_type type);

/* Whether what a request asks for is the one that was registered: the same bytes; on the loopback interface with any
 * port. */
bool redirect_uri_matches(const char *registered, const char *asked);

/* What people are shown of a URI that is valid: the host with its port, or the scheme of a program's own. *len bytes
 * within uri, never none. */
const char *redirect_uri_place(const char *uri, size_t *len);

#endif
