/* A OneRoster export that a spreadsheet has saved → one that can be imported (parta roster convert).
 *
 * Changed is what can be told for certain: encodings (encoding.h), semicolons and tabs for commas, dates, words and
 * numbers in the spreadsheet's language, names of files, a folder around them all, rows and columns of nothing.
 * Whatever may mean two things (01/02/2015, a number that has lost digits) is refused with its place. What a value
 * means is not judged: the import does that. Blocks on nothing but memory, of which it takes what the
 * archive unpacks to, twice. */
#ifndef PARTA_POLICY_ONEROSTER_CONVERT_H
#define PARTA_POLICY_ONEROSTER_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/problems.h"

struct conversion {
    struct text archive;             /* the zip */
    struct text changes;             /* a line for each kind of change of each file, with counts */
    struct roster_problems problems; /* why it is refused */
};

/* bytes: the archive, borrowed. *out is filled in either way, for the caller to finish. false: refused. */
bool roster_convert(const void *bytes, size_t len, struct conversion *out);
void conversion_finish(struct conversion *conversion);

/* A day as it may be written, for tests: in out "2015-03-04"; NULL: nothing is wrong. */
#define DATE_TEXT_BYTES 11
const char *convert_date(const char *value, char out[DATE_TEXT_BYTES]);

#endif
