#include "homeserver/http/body_head.h"

#include <string.h>
#include <strings.h>

/* The value of a header line of that name, without the spaces around it; NULL: another header. */
static const char *value_of(const char *line, size_t len, const char *name, size_t *value_len)
{
    size_t name_len = strlen(name);
    if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
        return NULL;
    const char *value = line + name_len + 1, *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        ++value;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        --end;
    *value_len = (size_t)(end - value);
    return value;
}

static int64_t number(const char *digits, size_t len)
{
    int64_t n = len > 0 ? 0 : -1;
    for (size_t i = 0; i < len && n >= 0; ++i)
        n = digits[i] >= '0' && digits[i] <= '9' && n <= (INT64_MAX - 9) / 10 ? n * 10 + (digits[i] - '0') : -1;
    return n;
}

static void take_line(const char *line, size_t len, struct body_head *out, bool *has_length)
{
    size_t value_len;
    const char *value = value_of(line, len, "content-length", &value_len);
    if (value != NULL && !*has_length) {
        out->length = number(value, value_len);
        *has_length = true;
    }
    if (value_of(line, len, "transfer-encoding", &value_len) != NULL)
        out->encoded = true;
    value = value_of(line, len, "expect", &value_len);
    if (value != NULL)
        out->waits = value_len == strlen("100-continue") && strncasecmp(value, "100-continue", value_len) == 0;
}

bool body_head_scan(const char *bytes, size_t len, struct body_head *out)
{
    bool has_length = false;
    *out = (struct body_head){.length = -1};
    for (size_t at = 0, n = 0;; ++n) {
        const char *newline = at < len ? memchr(bytes + at, '\n', len - at) : NULL;
        if (newline == NULL)
            return false;
        size_t line_len = (size_t)(newline - bytes) - at;
        if (line_len > 0 && newline[-1] == '\r')
            --line_len;
        if (line_len > 0)
            take_line(bytes + at, line_len, out, &has_length);
        at = (size_t)(newline - bytes) + 1;
        if (line_len == 0 && n > 0) { /* one empty line may stand before the request */
            out->head_len = at;
            return true;
        }
    }
}
