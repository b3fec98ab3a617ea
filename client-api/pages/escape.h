/* How what people wrote goes into HTML: the compiler of pages (compile.py) writes a call of the one that fits for every
 * hole. Pure. NULL is written as "". */
#ifndef PARTA_CLIENT_API_PAGES_ESCAPE_H
#define PARTA_CLIENT_API_PAGES_ESCAPE_H

#include <stdbool.h>

#include "homeserver/base/text.h"

/* In text and in quoted values of attributes: & < > " '. Control characters but for newline and tab are left out. */
void put_text(struct text *out, const char *s);

/* A whole address, in a quoted value: of this server ("/…"), https:, mailto: or data:image/svg+xml. Anything else,
 * which might run a script or lead elsewhere unseen, is "#". */
void put_url(struct text *out, const char *url);

/* A piece of an address: percent-encoded but for letters, digits and -._~ (RFC 3986, 2.3). */
void put_url_piece(struct text *out, const char *s);

/* What a template has written. */
void put_html(struct text *out, const struct text *html);

/* Whether it is a path of this server that a browser takes for nothing else: no open redirects. */
bool path_is_local(const char *path);

#endif
