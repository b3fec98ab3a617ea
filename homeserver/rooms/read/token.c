#include "homeserver/rooms/read/token.h"

#include <stdbool.h>

#include "homeserver/store/driver/incarnations.h"

/* One digit or more; *s stands behind them afterwards. */
static bool read_number(const char **s, int64_t *out)
{
    const char *at = *s;
    for (*out = 0; *at >= '0' && *at <= '9'; ++at) {
        if (*out > INT64_MAX / 10 - 1)
            return false;
        *out = *out * 10 + (*at - '0');
    }
    bool any = at != *s;
    *s = at;
    return any;
}

enum token token_parse(const char *s, const struct incarnations *in, stream_pos *out)
{
    stream_pos pos;
    incarnation_no of = 0;
    if (*s++ != 's' || !read_number(&s, &pos) || (*s == '-' && !read_number((++s, &s), &of)) || *s != '\0')
        return TOKEN_NONE;
    if (!incarnations_know(in, of, pos, out))
        return TOKEN_LOST;
    *out = pos;
    return TOKEN_GOOD;
}

void token_add(struct text *out, const struct incarnations *in, stream_pos pos)
{
    text_addc(out, 's');
    text_add_int(out, pos);
    if (incarnations_current(in) == 0)
        return;
    text_addc(out, '-');
    text_add_int(out, incarnations_current(in));
}
