/* JSON from outside, made safe to read (jansson beneath).
 *
 * json_parse is the one door for bytes from clients and files: valid UTF-8, no duplicate keys, no NUL, bounded depth.
 * The getters borrow; they answer NULL or a default when the key is absent *or of another type*, so that code that
 * needs a required value asks for it once and refuses once. */
#ifndef PARTA_BASE_JSON_H
#define PARTA_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"

#define JSON_DEPTH_MAX 100                     /* arrays and objects inside each other */
#define JSON_INT_MAX INT64_C(9007199254740991) /* 2^53 - 1: canonical JSON's bound, both ways */

/* Parses len bytes. NULL: *e is ERROR_NOT_JSON (or ERROR_BAD_JSON when nested too deep, with a key twice, a NUL
 * or a number beyond 64 bits). The caller owns the result. */
json_t *json_parse(const char *bytes, size_t len, struct error *e);

/* Whether the value may stand in an event: no reals, integers within ±(2^53−1) (Appendices, "Canonical JSON"). */
bool json_is_canonical_value(const json_t *value);

const char *json_get_string(const json_t *object, const char *key); /* borrowed; NULL: absent or not a string */
json_t *json_get_object(const json_t *object, const char *key);     /* borrowed; NULL: absent or not an object */
json_t *json_get_array(const json_t *object, const char *key);      /* borrowed; NULL: absent or not an array */
/* otherwise: absent, or not an integer; not a boolean. A NULL object has nothing. */
int64_t json_get_int(const json_t *object, const char *key, int64_t otherwise);
bool json_get_bool(const json_t *object, const char *key, bool otherwise);

/* Appends canonical JSON: sorted keys, no spaces, lower-case escapes (Appendices, "Canonical JSON"). Account data and
 * profiles may hold reals, which canonical JSON does not know: they are written so that they read back the same. What
 * goes into an event passes json_is_canonical_value first. */
void json_add_canonical(struct text *out, const json_t *value);
char *json_canonical(const json_t *value); /* the same as a string; the caller frees it */

#endif
