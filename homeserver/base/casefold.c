#include "homeserver/base/casefold.h"

#include <locale.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "homeserver/base/text.h"

/* One character of valid UTF-8; moves *s behind it. */
static uint32_t take(const unsigned char **s)
{
    uint32_t c = *(*s)++;
    if (c < 0x80)
        return c;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    c &= 0x3fu >> more;
    for (; more != 0 && **s != '\0'; --more)
        c = c << 6 | (*(*s)++ & 0x3f);
    return c;
}

static void put(struct text *out, uint32_t c)
{
    if (c < 0x80) {
        text_addc(out, (char)c);
        return;
    }
    int more = c >= 0x10000 ? 3 : c >= 0x800 ? 2 : 1;
    text_addc(out, (char)((0xf0u << (3 - more) & 0xff) | c >> 6 * more));
    while (more-- != 0)
        text_addc(out, (char)(0x80 | (c >> 6 * more & 0x3f)));
}

/* Opened once, because that reads files; it never changes. 0: there is none. */
static locale_t locale;

static void open_locale(void)
{
    locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

char *casefold(const char *s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct text out = TEXT_INIT;
    pthread_once(&once, open_locale);
    for (const unsigned char *at = (const unsigned char *)s; *at != '\0';) {
        uint32_t c = take(&at);
        if (locale != (locale_t)0)
            c = (uint32_t)towlower_l((wint_t)c, locale);
        put(&out, c == 0x451 ? 0x435 : c);
    }
    return text_take(&out);
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
