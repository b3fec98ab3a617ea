#include "homeserver/http/query.h"

#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/percent.h"

/* One "name=value" or "name", ended by a NUL that may be written over '&'. plain: there is nothing to decode. */
static bool parse_pair(char *at, size_t len, bool plain, struct query_pair *pair)
{
    char *equals = memchr(at, '=', len);
    size_t name_len = equals != NULL ? (size_t)(equals - at) : len;
    *pair = (struct query_pair){.name = at};
    if (plain) {
        at[name_len] = at[len] = '\0';
        pair->value = equals != NULL ? equals + 1 : "";
        return true;
    }
    if (percent_decode(at, at, name_len, true) < 0)
        return false;
    if (equals == NULL) {
        pair->value = "";
        return true;
    }
    pair->value = equals + 1;
    return percent_decode(equals + 1, equals + 1, len - name_len - 1, true) >= 0;
}

int query_parse(char *bytes, size_t len, struct query_pair pairs[QUERY_MAX])
{
    int n = 0;
    bool plain = memchr(bytes, '%', len) == NULL && memchr(bytes, '+', len) == NULL && utf8_valid(bytes, len);
    for (size_t at = 0; at < len;) {
        char *amp = memchr(bytes + at, '&', len - at);
        size_t part = amp != NULL ? (size_t)(amp - bytes) - at : len - at;
        if (part > 0) {
            if (n == QUERY_MAX || !parse_pair(bytes + at, part, plain, &pairs[n]))
                return -1;
            ++n;
        }
        at += part + 1;
    }
    return n;
}
