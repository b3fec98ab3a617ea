#include "homeserver/base/ids.h"

#include <string.h>

const char *id_server(const char *id)
{
    const char *colon = strchr(id, ':');
    return colon != NULL ? colon + 1 : "";
}

bool server_name_valid(const char *s)
{
    bool literal = s[0] == '[';
    size_t len = literal ? strspn(s + 1, "0123456789abcdefABCDEF:.")
                         : strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.");
    const char *end = s + len;
    if (literal ? len < 2 || len > 45 || s[len + 1] != ']' : len < 1 || len > 255)
        return false;
    end += literal ? 2 : 0;
    size_t digits = *end == ':' ? strspn(end + 1, "0123456789") : 0;
    return *end == '\0' || (digits >= 1 && digits <= 5 && end[1 + digits] == '\0');
}

/* Of the right sigil and length, with something behind the sigil. */
static bool shaped(const char *s, char sigil)
{
    size_t len = s != NULL ? strnlen(s, ID_BYTES_MAX + 1) : 0;
    return len >= 2 && len <= ID_BYTES_MAX && s[0] == sigil && utf8_valid(s, len);
}

bool user_id_valid(const char *s)
{
    return shaped(s, '@') && server_name_valid(id_server(s));
}

bool room_id_valid(const char *s)
{
    return shaped(s, '!');
}

bool event_id_valid(const char *s)
{
    return shaped(s, '$');
}

bool alias_valid(const char *s)
{
    return shaped(s, '#') && s[1] != ':' && server_name_valid(id_server(s));
}

bool user_id_split(const char *user_id, const char *server, const char **localpart, size_t *len)
{
    if (!user_id_valid(user_id) || strcmp(id_server(user_id), server) != 0)
        return false;
    *localpart = user_id + 1;
    *len = (size_t)(strchr(user_id, ':') - *localpart);
    return true;
}

bool localpart_valid_for_new(const char *localpart, const char *server)
{
    size_t len = strspn(localpart, "abcdefghijklmnopqrstuvwxyz0123456789._=-/+");
    return len != 0 && localpart[len] == '\0' && len + strlen(server) + 2 <= ID_BYTES_MAX;
}

bool localpart_fold(const char *typed, char out[ID_BYTES_MAX + 1])
{
    size_t len = strlen(typed);
    if (len > ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i <= len; ++i)
        out[i] = (char)(typed[i] >= 'A' && typed[i] <= 'Z' ? typed[i] - 'A' + 'a' : typed[i]);
    return true;
}

/* The length of the well-formed sequence at s, 0 if there is none (Unicode, table 3-7). */
static size_t sequence(const unsigned char *s, size_t left)
{
    static const struct {
        unsigned char first, last, low, high; /* range of the first byte, range of the second */
        size_t len;
    } FORMS[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; ++i) {
        if (s[0] < FORMS[i].first || s[0] > FORMS[i].last)
            continue;
        if (FORMS[i].len > left || (FORMS[i].len > 1 && (s[1] < FORMS[i].low || s[1] > FORMS[i].high)))
            return 0;
        for (size_t k = 2; k < FORMS[i].len; ++k)
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        return FORMS[i].len;
    }
    return 0;
}

/* How many bytes from the beginning are ASCII other than NUL, by eights: most of what comes. */
static size_t plain_bytes(const char *s, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t eight;
    size_t n = 0;
    for (; len - n >= sizeof eight; n += sizeof eight) {
        memcpy(&eight, s + n, sizeof eight);
        if (((eight | ((eight - ones) & ~eight)) & highs) != 0) /* a high bit, or a byte that is 0 */
            break;
    }
    return n;
}

bool mxc_valid(const char *s)
{
    char server[ID_BYTES_MAX + 1];
    const char *id = strncmp(s, "mxc://", 6) == 0 ? strchr(s + 6, '/') : NULL;
    size_t len = id != NULL ? (size_t)(id - s - 6) : 0;
    if (len == 0 || len >= sizeof server || strlen(id + 1) > ID_BYTES_MAX)
        return false;
    memcpy(server, s + 6, len);
    server[len] = '\0';
    size_t good = strspn(id + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    return server_name_valid(server) && good != 0 && id[1 + good] == '\0';
}

bool id_is_token(const char *s, size_t len, size_t max)
{
    size_t good = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len != 0 && len <= max && good >= len;
}

bool id_is_reserved(const char *s)
{
    return strncmp(s, "org.parta.", 10) == 0;
}

bool utf8_valid(const char *s, size_t len)
{
    for (size_t i = plain_bytes(s, len), n; i < len; i += n)
        if ((n = sequence((const unsigned char *)s + i, len - i)) == 0)
            return false;
    return true;
}

size_t utf8_cut(const char *s, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80)
        --max;
    return max;
}
