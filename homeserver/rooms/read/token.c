#include "homeserver/rooms/read/token.h"

#include <string.h>

#include "homeserver/base/seal.h"
#include "homeserver/store/driver/incarnations.h"

#define POSITION 't'
#define CURSOR 'c'
#define OPENID 'o'
#define CONNECTION 'p'

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

/* The incarnation behind the sealed part of n characters. */
static bool read_incarnation(const char *s, size_t n, incarnation_no *of)
{
    if (strnlen(s, n + 1) <= n || s[n] != '-')
        return false;
    s += n + 1;
    return read_number(&s, of) && *s == '\0';
}

static enum token open_sealed(const char *s, char kind, const struct incarnations *in, incarnation_no of, int64_t whose,
                              int64_t *out)
{
    const unsigned char *key = incarnations_key(in, of);
    if (key == NULL)
        return incarnations_know(in, of, 0, out) ? TOKEN_NONE : TOKEN_LOST;
    return seal_open(s, key, (struct seal_owner){whose, kind}, out) && *out >= 0 ? TOKEN_GOOD : TOKEN_NONE;
}

static enum token parse_sealed(const char *s, char kind, const struct incarnations *in, user_no whose, int64_t *out,
                               incarnation_no *of)
{
    if (!read_incarnation(s, SEALED_CHARS, of))
        return TOKEN_NONE;
    return open_sealed(s, kind, in, *of, whose, out);
}

/* The position of a pos, whatever connection it is of. */
static enum token parse_pos(const char *s, const struct incarnations *in, user_no whose, stream_pos *out,
                            incarnation_no *of)
{
    if (!read_incarnation(s, (size_t)2 * SEALED_CHARS, of))
        return TOKEN_NONE;
    return open_sealed(s, POSITION, in, *of, whose, out);
}

enum token token_parse(const char *s, const struct incarnations *in, user_no whose, stream_pos *out)
{
    stream_pos pos = 0;
    incarnation_no of;
    if (s[0] == 's')
        return parse_bare(s + 1, in, out);
    if (s[0] != POSITION && s[0] != CONNECTION)
        return TOKEN_NONE;
    enum token said =
        s[0] == POSITION ? parse_sealed(s + 1, POSITION, in, whose, &pos, &of) : parse_pos(s + 1, in, whose, &pos, &of);
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

bool token_parse_openid(const char *s, const struct incarnations *in, int64_t *out)
{
    incarnation_no of;
    return s[0] == OPENID && parse_sealed(s + 1, OPENID, in, 0, out, &of) == TOKEN_GOOD;
}

enum token token_parse_pos(const char *s, const struct incarnations *in, user_no whose, int64_t connection,
                           struct token_pos *out)
{
    incarnation_no of;
    stream_pos pos = 0, shared;
    *out = (struct token_pos){0};
    if (s[0] != CONNECTION)
        return TOKEN_NONE;
    enum token said = parse_pos(s + 1, in, whose, &pos, &of);
    if (said == TOKEN_GOOD)
        said = open_sealed(s + 1 + SEALED_CHARS, CONNECTION, in, of, connection, &out->more);
    if (said == TOKEN_GOOD && !incarnations_know(in, of, pos, &shared))
        return TOKEN_LOST;
    out->pos = pos;
    return said;
}

void token_add_pos(struct text *out, struct incarnations *in, user_no whose, int64_t connection,
                   const struct token_pos *what)
{
    incarnation_no current = incarnations_current(in);
    const unsigned char *key = incarnations_key(in, current);
    text_addc(out, CONNECTION);
    seal_add(out, key, (struct seal_owner){whose, POSITION}, what->pos, incarnations_nonce(in));
    seal_add(out, key, (struct seal_owner){connection, CONNECTION}, what->more, incarnations_nonce(in));
    text_addc(out, '-');
    text_add_int(out, current);
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

void token_add_openid(struct text *out, struct incarnations *in, int64_t number)
{
    add(out, OPENID, in, 0, number);
}
