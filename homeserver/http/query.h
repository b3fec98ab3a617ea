/* Query strings ("a=1&b=x+y"). Pure. */
#ifndef PARTA_HTTP_QUERY_H
#define PARTA_HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/http/request.h"

/* Cuts and decodes len bytes (behind the '?') in place and lists up to QUERY_MAX pairs; bytes needs room for one more
 * (a NUL). The number of pairs, or −1 when there are more, or one cannot be decoded (broken escape, NUL, not UTF-8). */
int query_parse(char *bytes, size_t len, struct query_pair pairs[QUERY_MAX]);

#endif
