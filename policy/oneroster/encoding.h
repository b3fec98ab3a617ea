/* Bytes that a spreadsheet wrote → UTF-8, when it is certain what they are: UTF-8, UTF-16 with its byte order mark, or
 * Windows-1251 that reads as Russian. The last is told from KOI8-R, CP866 and the Latin encodings by what their words
 * would look like in it: capitals behind small letters, Latin beside Cyrillic letters, signs that
 * no Russian text has. */
#ifndef PARTA_POLICY_ONEROSTER_ENCODING_H
#define PARTA_POLICY_ONEROSTER_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/text.h"

enum encoding { ENCODING_UTF8, ENCODING_UTF8_MARKED, ENCODING_UTF16, ENCODING_1251, ENCODING_UNKNOWN };

const char *encoding_name(enum encoding encoding); /* "UTF-16" */

struct encoding_found {
    enum encoding encoding;
    bool sure;       /* ENCODING_1251: there are words that read so; else nothing speaks against it */
    size_t at;       /* ENCODING_UNKNOWN: the byte */
    const char *why; /* and what is wrong there */
};

/* Pure; reads all of the bytes once or a few times. len 0: ENCODING_UTF8. why is static storage, and says nothing of
 * what the text is. */
struct encoding_found encoding_find(const char *bytes, size_t len);

/* Appends the text in UTF-8, without a byte order mark. encoding: as found. */
void encoding_decode(enum encoding encoding, const char *bytes, size_t len, struct text *out);

#endif
