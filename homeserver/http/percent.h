/* Percent-encoding undone (RFC 3986), for path segments and query strings. Pure. */
#ifndef PARTA_HTTP_PERCENT_H
#define PARTA_HTTP_PERCENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Decodes len bytes of in into out (len + 1 bytes; may be in itself) and ends them with NUL. plus_is_space: as in a
 * query. The length, or −1 if an escape is broken or what comes out holds a NUL or is not UTF-8. */
ssize_t percent_decode(char *out, const char *in, size_t len, bool plus_is_space);

#endif
