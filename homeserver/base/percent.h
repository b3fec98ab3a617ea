/* Percent-encoding (RFC 3986, 2.1), for path segments, query strings, forms and headers. Pure. */
#ifndef PARTA_BASE_PERCENT_H
#define PARTA_BASE_PERCENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "homeserver/base/text.h"

/* Encoded, all but the unreserved characters (2.3): what stands in a path, a query, a form (spaces as %20), an
 * ext-value of a header (RFC 8187), and before it becomes a user and a password of Basic authentication in OAuth 2
 * (RFC 6749, 2.3.1). */
void text_add_percent(struct text *out, const char *s);

/* One of a query or a form: sep ('?' or '&'), then name=value, both encoded. */
void text_add_pair(struct text *out, char sep, const char *name, const char *value);

/* Decodes len bytes of in into out (len + 1 bytes; may be in itself) and ends them with NUL. plus_is_space: as in a
 * query. The length, or −1 if an escape is broken or what comes out holds a NUL or is not UTF-8. */
ssize_t percent_decode(char *out, const char *in, size_t len, bool plus_is_space);

#endif
