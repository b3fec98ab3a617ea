#include "client-api/oauth/scope.h"

#include <stdio.h>
#include <string.h>

enum kind { DEVICE, API, KINDS };

/* A name ends in ':' where something follows. */
static const struct {
    const char *name;
    enum kind kind;
} TOKENS[] = {
    {"urn:matrix:client:device:", DEVICE},
    {"urn:matrix:org.matrix.msc2967.client:device:", DEVICE},
    {"urn:matrix:client:api:*", API},
    {"urn:matrix:org.matrix.msc2967.client:api:*", API},
};

/* RFC 6749, 3.3: printable ASCII but for the space, the quote and the backslash. */
static bool is_token(const char *s, size_t len)
{
    bool good = len > 0;
    for (size_t i = 0; good && i < len; ++i)
        good = s[i] > ' ' && s[i] < 127 && s[i] != '"' && s[i] != '\\';
    return good;
}

/* The row that the token is of; −1: not one that is given here. *rest: what follows the name. */
static int token_find(const char *token, size_t len, const char **rest)
{
    for (int i = 0; i < (int)(sizeof TOKENS / sizeof *TOKENS); ++i) {
        size_t name = strlen(TOKENS[i].name);
        bool whole = TOKENS[i].kind == API ? len == name : len >= name;
        *rest = token + name;
        if (whole && strncmp(token, TOKENS[i].name, name) == 0)
            return i;
    }
    return -1;
}

/* The specification has clients draw it of unreserved characters; those that sign in by a QR code (MSC4108) name the
 * device by its key in base64, which has '+' and '/' in three of four. */
static bool device_taken(const char *rest, size_t len, char device_id[DEVICE_ID_BYTES_MAX + 1])
{
    if (len == 0 || len > DEVICE_ID_BYTES_MAX)
        return false;
    snprintf(device_id, DEVICE_ID_BYTES_MAX + 1, "%.*s", (int)len, rest);
    return true;
}

bool scope_parse(const char *scope, char device_id[DEVICE_ID_BYTES_MAX + 1], struct text *granted)
{
    int seen[KINDS] = {0};
    if (strlen(scope) > SCOPE_BYTES_MAX)
        return false;
    for (const char *at = scope;; ++at) {
        size_t len = strcspn(at, " ");
        const char *rest;
        if (!is_token(at, len))
            return false;
        int row = token_find(at, len, &rest);
        if (row >= 0 && (++seen[TOKENS[row].kind] > 1 ||
                         (TOKENS[row].kind == DEVICE && !device_taken(rest, len - (size_t)(rest - at), device_id))))
            return false;
        if (row >= 0)
            text_addf(granted, "%s%.*s", granted->len != 0 ? " " : "", (int)len, at);
        at += len;
        if (*at == '\0')
            return seen[DEVICE] == 1 && seen[API] == 1;
    }
}
