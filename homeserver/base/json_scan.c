#include "homeserver/base/json_scan.h"

#include <string.h>

static void skip_space(struct json_scan *in)
{
    while (in->p < in->end && (*in->p == ' ' || *in->p == '\n' || *in->p == '\r' || *in->p == '\t'))
        ++in->p;
}

static bool accept(struct json_scan *in, char c)
{
    skip_space(in);
    if (in->p == in->end || *in->p != c)
        return false;
    ++in->p;
    return true;
}

/* Reads the rest of a string, behind its opening quote. */
static bool read_string(struct json_scan *in, struct json_scan_value *out)
{
    *out = (struct json_scan_value){.s = in->p, .kind = '"'};
    const char *quote = memchr(in->p, '"', (size_t)(in->end - in->p));
    const char *escape = quote != NULL ? memchr(in->p, '\\', (size_t)(quote - in->p)) : NULL;
    in->p = escape != NULL ? escape : quote != NULL ? quote : in->end; /* nothing before it is looked at one by one */
    while (in->p < in->end && *in->p != '"') {
        if (*in->p == '\\') {
            out->escaped = true;
            if (++in->p == in->end)
                return false;
        }
        ++in->p;
    }
    if (in->p == in->end)
        return false;
    out->len = (size_t)(in->p++ - out->s);
    return true;
}

/* Passes over an object or array, whose first bracket is at in->p. */
static bool skip_nested(struct json_scan *in)
{
    struct json_scan_value string;
    for (size_t depth = 0; in->p < in->end;) {
        char c = *in->p++;
        if (c == '"' && !read_string(in, &string))
            return false;
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (depth == 0)
            return true;
    }
    return false;
}

static bool is_integer(const char *s, size_t len)
{
    size_t i = s[0] == '-';
    if (i == len || len > 20)
        return false;
    for (; i < len; ++i)
        if (s[i] < '0' || s[i] > '9')
            return false;
    return true;
}

static char scalar_kind(const char *s, size_t len)
{
    if (len == 4 && memcmp(s, "true", 4) == 0)
        return 't';
    if (len == 5 && memcmp(s, "false", 5) == 0)
        return 'f';
    if (len == 4 && memcmp(s, "null", 4) == 0)
        return 'n';
    return is_integer(s, len) ? 'i' : '?';
}

static bool read_scalar(struct json_scan *in, struct json_scan_value *out)
{
    out->s = in->p;
    while (in->p < in->end && strchr(",]} \t\r\n", *in->p) == NULL)
        ++in->p;
    out->len = (size_t)(in->p - out->s);
    if (out->len == 0)
        return false;
    out->kind = scalar_kind(out->s, out->len);
    return true;
}

static bool read_value(struct json_scan *in, struct json_scan_value *out)
{
    *out = (struct json_scan_value){0};
    if (accept(in, '"'))
        return read_string(in, out);
    if (in->p == in->end)
        return false;
    if (*in->p != '{' && *in->p != '[')
        return read_scalar(in, out);
    out->kind = *in->p;
    out->s = in->p;
    if (!skip_nested(in))
        return false;
    out->len = (size_t)(in->p - out->s);
    return true;
}

struct json_scan_value json_scan_text(const char *text, size_t len)
{
    struct json_scan in = {text, text + len};
    struct json_scan_value value;
    return read_value(&in, &value) ? value : (struct json_scan_value){0};
}

bool json_scan_enter(struct json_scan *in, const struct json_scan_value *value, char kind)
{
    if (value->kind != kind)
        return false;
    *in = (struct json_scan){value->s + 1, value->s + value->len - 1};
    skip_space(in);
    return in->p < in->end;
}

bool json_scan_item(struct json_scan *in, struct json_scan_value *value)
{
    skip_space(in);
    if (in->p == in->end || !read_value(in, value))
        return false;
    accept(in, ',');
    return true;
}

bool json_scan_key(struct json_scan *in, struct json_scan_value *key)
{
    return !accept(in, '}') && accept(in, '"') && read_string(in, key) && accept(in, ':');
}

bool json_scan_go_in(struct json_scan *in)
{
    return accept(in, '{');
}

void json_scan_go_on(struct json_scan *in)
{
    accept(in, ',');
}

bool json_scan_member(struct json_scan *in, struct json_scan_value *key, struct json_scan_value *value)
{
    if (!accept(in, '"') || !read_string(in, key) || !accept(in, ':'))
        return false;
    return json_scan_item(in, value);
}

static struct json_scan_value find_member(const struct json_scan_value *object, const char *name, size_t len)
{
    struct json_scan in;
    struct json_scan_value key, value;
    if (!json_scan_enter(&in, object, '{'))
        return (struct json_scan_value){0};
    while (json_scan_member(&in, &key, &value))
        if (key.len == len && memcmp(key.s, name, len) == 0)
            return value;
    return (struct json_scan_value){0};
}

struct json_scan_value json_scan_find(const struct json_scan_value *object, const char *names, size_t n)
{
    struct json_scan_value value = *object;
    for (; n > 0; --n) {
        size_t len = strlen(names);
        value = find_member(&value, names, len);
        names += len + 1;
    }
    return value;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits behind "\u", 0 if they are not there. */
static unsigned read_u(const char *s, const char *end)
{
    unsigned n = 0;
    for (int i = 0; i < 4; ++i) {
        if (s + i >= end || hex(s[i]) < 0)
            return 0;
        n = n << 4 | (unsigned)hex(s[i]);
    }
    return n;
}

static size_t put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; --i, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00 >> n & 0xFF) | c);
    return n;
}

/* Unescapes what follows a backslash at *s. */
static size_t unescape_one(char *out, const char **s, const char *end)
{
    static const char PLAIN[][2] = {{'b', '\b'}, {'f', '\f'}, {'n', '\n'}, {'r', '\r'}, {'t', '\t'}};
    char c = *(*s)++;
    for (size_t i = 0; i < sizeof PLAIN / sizeof *PLAIN; ++i)
        if (c == PLAIN[i][0])
            c = PLAIN[i][1];
    out[0] = c;
    unsigned high = c == 'u' ? read_u(*s, end) : 0;
    if (high == 0)
        return 1;
    *s += 4;
    bool pair = high >= 0xD800 && high < 0xDC00 && end - *s >= 6 && (*s)[0] == '\\' && (*s)[1] == 'u';
    unsigned low = pair ? read_u(*s + 2, end) : 0;
    if (low < 0xDC00 || low > 0xDFFF)
        return put_utf8(out, high);
    *s += 6;
    return put_utf8(out, 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
}

size_t json_scan_unescape(char *out, const struct json_scan_value *value)
{
    const char *s = value->s, *end = s + value->len;
    char *to = out;
    if (!value->escaped) {
        memcpy(out, s, value->len);
        return value->len;
    }
    while (s < end) {
        if (*s != '\\' || s + 1 == end) {
            *to++ = *s++;
            continue;
        }
        ++s;
        to += unescape_one(to, &s, end);
    }
    return (size_t)(to - out);
}

int64_t json_scan_integer(const struct json_scan_value *value)
{
    uint64_t n = 0;
    bool negative = value->s[0] == '-';
    for (size_t i = negative; i < value->len; ++i)
        n = n * 10 + (uint64_t)(value->s[i] - '0');
    return (int64_t)(negative ? 0 - n : n);
}
