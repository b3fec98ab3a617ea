#include "homeserver/base/casefold.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <unistr.h>

#include "homeserver/base/text.h"

#define YE 0x435
#define DIAERESIS 0x308 /* combining: what ё has and е has not */

/* Takes the dots off every ё of len bytes of decomposed text, wherever they stand among its marks. Answers how many
 * bytes are left. */
static size_t make_ye_of_yo(uint8_t *s, size_t len)
{
    size_t kept = 0;
    ucs4_t c, letter = 0;
    for (size_t at = 0, n; at < len; at += n) {
        n = (size_t)u8_mbtouc_unsafe(&c, s + at, len - at);
        if (uc_combining_class(c) == 0)
            letter = c;
        if (letter == YE && c == DIAERESIS)
            continue;
        memmove(s + kept, s + at, n);
        kept += n;
    }
    return kept;
}

char *casefold(const char *s)
{
    size_t len = 0;
    uint8_t *lower = u8_tolower((const uint8_t *)s, strlen(s), NULL, UNINORM_NFD, NULL, &len), *whole = NULL;
    if (lower != NULL)
        whole = u8_normalize(UNINORM_NFC, lower, make_ye_of_yo(lower, len), NULL, &len);
    char *folded = whole != NULL ? xstrndup((const char *)whole, len) : xstrdup(s);
    free(lower);
    free(whole);
    return folded;
}

bool casefold_contains(const char *s, const char *needle)
{
    if (s == NULL)
        return false;
    char *folded = casefold(s);
    bool contains = strstr(folded, needle) != NULL;
    free(folded);
    return contains;
}
