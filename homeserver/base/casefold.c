#include "homeserver/base/casefold.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>

#include "homeserver/base/text.h"

static const char YO[] = "ё", YE[] = "е"; /* of the same length */
static const char DIAERESIS[] = "\u0308"; /* combining: another one would make a ё of the е again */

char *casefold(const char *s)
{
    size_t len = 0;
    uint8_t *lower = u8_tolower((const uint8_t *)s, strlen(s), NULL, UNINORM_NFC, NULL, &len);
    char *folded = lower != NULL ? xstrndup((const char *)lower, len) : xstrdup(s);
    free(lower);
    for (char *yo = folded; (yo = strstr(yo, YO)) != NULL;) {
        memcpy(yo, YE, sizeof YE - 1);
        yo += sizeof YE - 1;
        size_t more = 0;
        while (strncmp(yo + more, DIAERESIS, sizeof DIAERESIS - 1) == 0)
            more += sizeof DIAERESIS - 1;
        memmove(yo, yo + more, strlen(yo + more) + 1);
    }
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
