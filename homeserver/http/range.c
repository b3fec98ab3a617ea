#include "homeserver/http/range.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Digits; −1: there are none. What does not fit is the largest there is. */
static int64_t read_number(const char **at)
{
    int64_t n = isdigit((unsigned char)**at) ? 0 : -1;
    for (; isdigit((unsigned char)**at); ++*at)
        n = n > (INT64_MAX - 9) / 10 ? INT64_MAX : n * 10 + (**at - '0');
    return n;
}

enum range_outcome range_find(const char *range, const char *if_range, const char *etag, int64_t size,
                              struct byte_range *out)
{
    static const char UNIT[] = "bytes=";
    if (range == NULL || strncasecmp(range, UNIT, sizeof UNIT - 1) != 0)
        return RANGE_WHOLE;
    if (if_range != NULL && (etag == NULL || strncmp(etag, "W/", 2) == 0 || strcmp(if_range, etag) != 0))
        return RANGE_WHOLE;
    const char *at = range + sizeof UNIT - 1;
    at += strspn(at, " \t");
    int64_t first = read_number(&at);
    if (*at++ != '-')
        return RANGE_WHOLE;
    int64_t last = read_number(&at);
    at += strspn(at, " \t");
    if (*at != '\0' || (first < 0 && last < 0) || (first >= 0 && last >= 0 && last < first))
        return RANGE_WHOLE;
    if (first < 0) { /* "-500": the last 500 bytes */
        if (last == 0)
            return RANGE_UNSATISFIABLE;
        if (size == 0)
            return RANGE_WHOLE;
        *out = (struct byte_range){last < size ? size - last : 0, size - 1};
        return RANGE_PART;
    }
    if (first >= size)
        return RANGE_UNSATISFIABLE;
    *out = (struct byte_range){first, last >= 0 && last < size ? last : size - 1};
    return RANGE_PART;
}
