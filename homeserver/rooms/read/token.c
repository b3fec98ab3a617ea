#include "homeserver/rooms/read/token.h"

#include <string.h>

#include "homeserver/base/seal.h"
#include "homeserver/store/driver/incarnations.h"

#define POSITION 't'
#define CURSOR 'c'

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

/* "s12-345", or "s12" of incarnation 0. A number that anybody can make up is taken only where it tells nothing new: of
 * a run that is over. */
static enum token parse_bare(const char *s, const struct incarnations *in, stream_pos *out)
{
    stream_pos pos;
    incarnation_no of = 0;
    if (!read_number(&s, &pos) || (*s == '-' && !read_number((++s, &s), &of)) || *s != '\0' ||
        incarnations_key(in, of) != NULL)
        return TOKEN_NONE;
    if (!incarnations_know(in, of, pos, out))
        return TOKEN_LOST;
    *out = pos;
    return TOKEN_GOOD;
}

static enum token parse_sealed(const char *s, char kind, const struct incarnations *in, user_no whose, int64_t *out,
                               incarnation_no *of)
{
    const char *at = s;
    size_t n = strnlen(s, SEALED_CHARS + 1);
    if (n <= SEALED_CHARS || s[SEALED_CHARS] != '-')
        return TOKEN_NONE;
    at += SEALED_CHARS + 1;
    if (!read_number(&at, of) || *at != '\0')
        return TOKEN_NONE;
    const unsigned char *key = incarnations_key(in, *of);
    if (key == NULL)
        return incarnations_know(in, *of, 0, out) ? TOKEN_NONE : TOKEN_LOST;
    return seal_open(s, key, (struct seal_owner){whose, kind}, out) && *out >= 0 ? TOKEN_GOOD : TOKEN_NONE;
}

enum token token_parse(const char *s, const struct incarnations *in, user_no whose, stream_pos *out)
{
    stream_pos pos = 0;
    incarnation_no of;
    if (s[0] == 's')
        return parse_bare(s + 1, in, out);
    if (s[0] != POSITION)
        return TOKEN_NONE;
    enum token said = parse_sealed(s + 1, POSITION, in, whose, &pos, &of);
    if (said == TOKEN_GOOD && !incarnations_know(in, of, pos, out))
        return TOKEN_LOST;
    *out = pos;
    return said;
}

bool token_parse_cursor(const char *s, const struct incarnations *in, user_no whose, int64_t *out)
{
    incarnation_no of;
    return s[0] == CURSOR && parse_sealed(s + 1, CURSOR, in, whose, out, &of) == TOKEN_GOOD;
}

static void add(struct text *out, char kind, struct incarnations *in, user_no whose, int64_t number)
{
    incarnation_no current = incarnations_current(in);
    text_addc(out, kind);
    seal_add(out, incarnations_key(in, current), (struct seal_owner){whose, kind}, number, incarnations_nonce(in));
    text_addc(out, '-');
    text_add_int(out, current);
}

void token_add(struct text *out, struct incarnations *in, user_no whose, stream_pos pos)
{
    add(out, POSITION, in, whose, pos);
}

void token_add_cursor(struct text *out, struct incarnations *in, user_no whose, int64_t number)
{
    add(out, CURSOR, in, whose, number);
}
