#include "client-api/oauth/redirect_uri.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char HTTPS[] = "https://";
static const char HTTP[] = "http://";

/* RFC 3986, appendix A: reserved, unreserved and whole escapes; no fragment. */
static bool is_uri(const char *uri)
{
    size_t len = strlen(uri);
    if (len == 0 || len > REDIRECT_URI_BYTES_MAX)
        return false;
    for (const char *p = uri; *p != '\0'; ++p)
        if (*p == '%' ? !isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2])
                      : !isalnum((unsigned char)*p) && strchr("-._~:/?[]@!$&'()*+,;=", *p) == NULL)
            return false;
    return true;
}

/* Behind "https://": the host's length, its port's digits left aside; 0: there is none, or a user before it. */
static size_t host_length(const char *authority)
{
    size_t all = strcspn(authority, "/?#"), host = strcspn(authority, ":/?#");
    if (memchr(authority, '@', all) != NULL)
        return 0;
    size_t digits = host < all ? strspn(authority + host + 1, "0123456789") : 0;
    bool port = host == all || (digits > 0 && digits <= 5 && host + 1 + digits == all);
    return port ? host : 0;
}

/* Labels of letters, digits and inner hyphens, two at least: no "localhost", no "javascript" (RFC 8252, 7.1). */
static bool is_host_name(const char *host, size_t len)
{
    size_t dots = 0;
    for (size_t i = 0; i < len; ++i) {
        bool edge = i == 0 || i + 1 == len || host[i - 1] == '.' || host[i + 1] == '.';
        if (host[i] == '.' ? edge : !isalnum((unsigned char)host[i]) && (host[i] != '-' || edge))
            return false;
        dots += host[i] == '.';
    }
    return len > 0 && len <= URI_HOST_MAX && dots > 0;
}

bool https_uri_host(const char *uri, char host[URI_HOST_MAX + 1])
{
    if (!is_uri(uri) || strncasecmp(uri, HTTPS, sizeof HTTPS - 1) != 0)
        return false;
    const char *authority = uri + sizeof HTTPS - 1;
    size_t len = host_length(authority);
    if (!is_host_name(authority, len))
        return false;
    for (size_t i = 0; i < len; ++i)
        host[i] = (char)tolower((unsigned char)authority[i]);
    host[len] = '\0';
    return true;
}

bool https_uri_is_of(const char *uri, const char *client_host)
{
    char host[URI_HOST_MAX + 1];
    if (!https_uri_host(uri, host))
        return false;
    size_t len = strlen(host), base = strlen(client_host);
    return len >= base && strcmp(host + len - base, client_host) == 0 && (len == base || host[len - base - 1] == '.');
}

/* "com.example" of "example.com", and whether the scheme is that or goes on with a dot. */
static bool is_private_scheme(const char *uri, const char *client_host)
{
    const char *at = uri, *end = client_host + strlen(client_host);
    while (end > client_host) {
        const char *label = end;
        while (label > client_host && label[-1] != '.')
            --label;
        size_t len = (size_t)(end - label);
        if (strncasecmp(at, label, len) != 0)
            return false;
        at += len;
        end = label > client_host ? label - 1 : label;
        if (end > client_host && *at++ != '.')
            return false;
    }
    size_t more = *at == '.' ? strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-+") : 0;
    return at[more] == ':' && strncmp(at + more + 1, "//", 2) != 0;
}

/* Behind the host of an http URI on the loopback interface; NULL: it is none. */
static const char *behind_loopback(const char *uri)
{
    static const char *const HOSTS[] = {"localhost", "127.0.0.1", "[::1]"};
    if (strncasecmp(uri, HTTP, sizeof HTTP - 1) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof HOSTS / sizeof *HOSTS; ++i) {
        size_t len = strlen(HOSTS[i]);
        const char *host = uri + sizeof HTTP - 1;
        if (strncasecmp(host, HOSTS[i], len) == 0 && (host[len] == '\0' || strchr(":/?", host[len]) != NULL))
            return host + len;
    }
    return NULL;
}

bool redirect_uri_valid(const char *uri, const char *client_host, enum application_type type)
{
    if (!is_uri(uri))
        return false;
    if (https_uri_is_of(uri, client_host))
        return true;
    if (type != APPLICATION_NATIVE)
        return false;
    const char *behind = behind_loopback(uri);
    return behind != NULL ? *behind != ':' : is_private_scheme(uri, client_host);
}

bool redirect_uri_matches(const char *registered, const char *asked)
{
    if (strcmp(registered, asked) == 0)
        return true;
    const char *path = behind_loopback(registered), *port = behind_loopback(asked);
    if (path == NULL || port == NULL || path - registered != port - asked || *port != ':' ||
        strncasecmp(registered, asked, (size_t)(path - registered)) != 0)
        return false;
    size_t digits = strspn(port + 1, "0123456789");
    return digits > 0 && digits <= 5 && strcmp(path, port + 1 + digits) == 0;
}

const char *redirect_uri_place(const char *uri, size_t *len)
{
    static const char *const WEB[] = {HTTPS, HTTP};
    for (size_t i = 0; i < sizeof WEB / sizeof *WEB; ++i)
        if (strncasecmp(uri, WEB[i], strlen(WEB[i])) == 0) {
            uri += strlen(WEB[i]);
            *len = strcspn(uri, "/?");
            return uri;
        }
    *len = strcspn(uri, ":");
    return uri;
}
