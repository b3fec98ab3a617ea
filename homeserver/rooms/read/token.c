#include "homeserver/rooms/read/token.h"

bool token_parse(const char *s, stream_pos *out)
{
    stream_pos pos = 0;
    if (*s++ != 's' || *s == '\0')
        return false;
    for (; *s >= '0' && *s <= '9'; ++s) {
        if (pos > INT64_MAX / 10 - 1)
            return false;
        pos = pos * 10 + (*s - '0');
    }
    *out = pos;
    return *s == '\0';
}

void token_add(struct text *out, stream_pos pos)
{
    text_addc(out, 's');
    text_add_int(out, pos);
}
