/* Paths like "content.m\.relates_to.rel_type" (Matrix, Appendices, "Dot-separated property paths"). */
#ifndef PARTA_BASE_JSON_PATH_H
#define PARTA_BASE_JSON_PATH_H

#include <stddef.h>

#include "homeserver/base/text.h"

/* Appends the names that path goes through, each with a NUL behind it, and returns how many there are (at least 1). A
 * backslash makes a dot or a backslash part of the name; before anything else it is itself. */
size_t json_path_split(struct text *out, const char *path);

#endif
