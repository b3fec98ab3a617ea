#include "homeserver/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not by the log, which needs memory. */
static _Noreturn void out_of_memory(void)
{
    static const char SAID[] = "error memory \"out of memory: the process ends\"\n";
    ssize_t ignored = write(STDERR_FILENO, SAID, sizeof SAID - 1);
    (void)ignored;
    abort();
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n != 0 ? n : 1, size != 0 ? size : 1);
    if (p == NULL)
        out_of_memory();
    return p;
}

void *xrealloc(void *p, size_t size)
{
    p = realloc(p, size != 0 ? size : 1);
    if (p == NULL)
        out_of_memory();
    return p;
}

char *xstrndup(const char *s, size_t n)
{
    char *copy = xcalloc(n + 1, 1);
    memcpy(copy, s, n);
    return copy;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

void text_finish(struct text *t)
{
    if (t == NULL)
        return;
    free(t->data);
    *t = TEXT_INIT;
}

void text_clear(struct text *t)
{
    t->len = 0;
    if (t->data != NULL)
        t->data[0] = '\0';
}

static void grow(struct text *t, size_t need)
{
    size_t cap = t->cap < 64 ? 64 : t->cap * 2;
    t->cap = cap < need ? need : cap;
    t->data = xrealloc(t->data, t->cap);
}

/* In line where texts are put together from many small pieces. */
static inline void reserve(struct text *t, size_t more)
{
    size_t need = t->len + more + 1;
    if (need > t->cap)
        grow(t, need);
}

void text_reserve(struct text *t, size_t more)
{
    reserve(t, more);
}

void text_add(struct text *t, const char *bytes, size_t len)
{
    reserve(t, len);
    if (len != 0)
        memcpy(t->data + t->len, bytes, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void text_addc(struct text *t, char c)
{
    reserve(t, 1);
    t->data[t->len++] = c;
    t->data[t->len] = '\0';
}

void text_add_int(struct text *t, int64_t n)
{
    static const char PAIRS[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434"
        "44546474849505152535455565758596061626364656667686970717273747576777879808182838485868788"
        "8990919293949596979899";
    char digits[20], *at = digits + sizeof digits;
    uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
    for (; left >= 100; left /= 100) {
        at -= 2;
        memcpy(at, PAIRS + 2 * (left % 100), 2);
    }
    if (left >= 10)
        memcpy(at -= 2, PAIRS + 2 * left, 2);
    else
        *--at = (char)('0' + left);
    if (n < 0)
        *--at = '-';
    text_add(t, at, (size_t)(digits + sizeof digits - at));
}

void text_addf(struct text *t, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    if (fmt == NULL) /* never; gcc under -fsanitize=undefined wants to be told */
        abort();
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    text_reserve(t, (size_t)n);
    vsnprintf(t->data + t->len, (size_t)n + 1, fmt, again);
    va_end(again);
    t->len += (size_t)n;
}

bool text_fail(struct text *t, const char *fmt, ...)
{
    char why[512]; /* what others said may be long */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    text_clear(t);
    text_adds(t, why);
    return false;
}

static size_t escape(unsigned char c, char out[8])
{
    static const char SHORT[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    out[0] = '\\';
    out[1] = (char)(c == '"' || c == '\\' ? c : c < sizeof SHORT ? SHORT[c] : '\0');
    if (out[1] != '\0')
        return 2;
    return (size_t)snprintf(out, 8, "\\u%04x", c);
}

static bool is_plain_eight(const char *s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t eight;
    memcpy(&eight, s, sizeof eight);
    uint64_t quote = eight ^ ones * '"', slash = eight ^ ones * '\\';
    return ((((eight - ones * 0x20) & ~eight) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & tops) == 0;
}

/* How many of the first characters need no escape, by eights, of which the last two may overlap: the rest is for
 * whoever looks closer. */
static size_t plain_eights(const char *s, size_t len)
{
    size_t i = 0;
    for (; i + 8 <= len; i += 8)
        if (!is_plain_eight(s + i))
            return i;
    return len >= 8 && is_plain_eight(s + len - 8) ? len : i;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

void text_add_json_string(struct text *t, const char *s, size_t len)
{
    size_t start = 0, i = plain_eights(s, len);
    text_reserve(t, len + 2);
    char *at = t->data + t->len;
    at[0] = '"';
    while (i < len && is_plain(s[i]))
        ++i;
    if (i == len) {
        memcpy(at + 1, s, len);
        memcpy(at + 1 + len, "\"", 2);
        t->len += len + 2;
        return;
    }
    ++t->len;
    for (; i < len; ++i) {
        char escaped[8];
        if (is_plain(s[i]))
            continue;
        text_add(t, s + start, i - start);
        text_add(t, escaped, escape((unsigned char)s[i], escaped));
        start = i + 1;
    }
    text_add(t, s + start, len - start);
    text_addc(t, '"');
}

void text_add_json(struct text *t, const char *s)
{
    text_add_json_string(t, s, strlen(s));
}

char *text_take(struct text *t)
{
    text_reserve(t, 0);
    t->data[t->len] = '\0';
    char *data = t->data;
    *t = TEXT_INIT;
    return data;
}

bool text_is_line(const char *s)
{
    for (; *s != '\0'; ++s)
        if ((unsigned char)*s < ' ' || *s == 127)
            return false;
    return true;
}
