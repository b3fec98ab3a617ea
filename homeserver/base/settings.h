/* YAML as settings: scalars and lists of scalars under "name" or "section.name", nothing deeper (libcyaml beneath).
 *
 * The caller names what may be there; anything else, a name given twice, a list where a scalar belongs, anchors, a
 * second document are refused with their line. What a scalar means is the caller's: values come as text with their
 * line, so that a number out of range is refused as precisely as a misspelt name. A name without a value ("key:" or
 * "key: null") counts as not given. */
#ifndef PARTA_BASE_SETTINGS_H
#define PARTA_BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/text.h"

#define SETTINGS_BYTES_MAX (256 * 1024) /* of a file */
#define SETTINGS_ITEMS_MAX 256          /* of a list */

struct setting_name {
    const char *name; /* "server_name", "http.body_max_bytes" */
    bool list;
};

struct setting_value {
    int line;     /* where it stands; 0: not given */
    char *text;   /* of a scalar; NULL: not given */
    char **items; /* of a list */
    size_t n_items;
};

/* Reads len bytes; file is what problems call them. values has n elements; settings_finish frees what is in them, also
 * after a failure. false: *problem has "file:line: what is wrong". */
bool settings_read(const char *file, const char *bytes, size_t len, const struct setting_name *names, size_t n,
                   struct setting_value *values, struct text *problem);
void settings_finish(struct setting_value *values, size_t n);

#endif
