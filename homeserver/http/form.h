/* Bodies of forms (application/x-www-form-urlencoded; WHATWG URL, 5.1): "user=anna&password=a+b". Pure. */
#ifndef PARTA_HTTP_FORM_H
#define PARTA_HTTP_FORM_H

#include <jansson.h>
#include <stddef.h>

#include "homeserver/base/error.h"

#define FORM_FIELDS_MAX 32

/* An object of strings, as a handler sees a ROUTE_FORM body: a new reference. NULL: *e says why (another type of
 * content, a broken escape, text that is not UTF-8 or has a NUL, a field that is there twice, too many). type: the
 * Content-Type as it came, or NULL. */
json_t *form_parse(const char *type, const char *bytes, size_t len, struct error *e);

#endif
