#include "homeserver/base/percent.h"

#include <string.h>

#include "homeserver/base/ids.h"

void text_add_percent(struct text *out, const char *s)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *s != '\0'; ++s)
        if (strchr(PLAIN, *s) != NULL)
            text_addc(out, *s);
        else
            text_addf(out, "%%%02X", (unsigned)(unsigned char)*s);
}

void text_add_pair(struct text *out, char sep, const char *name, const char *value)
{
    text_addc(out, sep);
    text_add_percent(out, name);
    text_addc(out, '=');
    text_add_percent(out, value);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ssize_t percent_decode(char *out, const char *in, size_t len, bool plus_is_space)
{
    size_t plain = memchr(in, '%', len) == NULL && memchr(in, '+', len) == NULL ? len : 0; /* most of what comes */
    memmove(out, in, plain);
    char *to = out + plain;
    for (size_t i = plain; i < len; ++i) {
        char c = in[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(in[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(in[i + 2]) : -1;
            if (low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        *to++ = c;
    }
    size_t n = (size_t)(to - out);
    *to = '\0';
    return utf8_valid(out, n) ? (ssize_t)n : -1;
}
