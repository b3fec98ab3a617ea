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
#include "policy/oneroster/archive.h"
#include "policy/oneroster/problems.h"

struct conversion {
    struct text archive;             /* the zip */
    struct text changes;             /* a line for each kind of change of each file, with counts */
    struct roster_problems problems; /* why it is refused */
};

/* A file that comes out of it. */
struct converted_file {
    char name[64]; /* as the standard writes it: "users.csv" */
    struct text bytes;
};

/* bytes: the archive, borrowed. *out is filled in either way, for the caller to finish. false: refused. */
bool roster_convert(const void *bytes, size_t len, struct conversion *out);
void conversion_finish(struct conversion *conversion);

/* The same of files that are unpacked already: out->archive stays empty, converted gets them, *n of them, each to be
 * finished by the caller also when they are refused. */
bool roster_convert_files(const struct archive_files *files, struct converted_file converted[ROSTER_ENTRIES_MAX],
                          size_t *n, struct conversion *out);

/* A day as it may be written, for tests: in out "2015-03-04"; NULL: nothing is wrong. */
#define DATE_TEXT_BYTES 11
const char *convert_date(const char *value, char out[DATE_TEXT_BYTES]);

#endif
