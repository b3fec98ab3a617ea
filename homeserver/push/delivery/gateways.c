#include "homeserver/push/delivery/gateways.h"

#include <stdio.h>
#include <string.h>

#include "homeserver/base/config.h"

#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789.-"

/* Scheme, host and port in small letters, without the port that goes without saying. rest: what follows in url. */
static bool normalize(const char *url, const char *otherwise, char out[GATEWAY_BYTES_MAX + 1], const char **rest)
{
    const char *scheme = otherwise, *p = url;
    if (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) {
        scheme = url[4] == 's' ? "https://" : "http://";
        p = url + strlen(scheme);
    }
    size_t len = strcspn(p, "/?#"), n = strlen(scheme);
    if (*scheme == '\0' || len == 0 || n + len > GATEWAY_BYTES_MAX)
        return false;
    memcpy(out, scheme, n);
    for (size_t i = 0; i < len; ++i)
        out[n + i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 'a' - 'A' : p[i]);
    out[n + len] = '\0';
    char *host = out + n, *port = *host == '[' ? strstr(host, "]:") : strchr(host, ':');
    port = port != NULL && *port == ']' ? port + 1 : port;
    size_t host_len = port != NULL ? (size_t)(port - host) : len;
    bool good = *host == '[' ? host_len > 2 && strspn(host + 1, "0123456789abcdef:.") == host_len - 2 &&
                                   host[host_len - 1] == ']'
                             : host_len > 0 && strspn(host, HOST_LETTERS) == host_len;
    if (port != NULL)
        good = good && strlen(port) >= 2 && strlen(port) <= 6 && strspn(port + 1, "0123456789") == strlen(port) - 1;
    if (good && port != NULL && strcmp(port, out[4] == 's' ? ":443" : ":80") == 0)
        *port = '\0';
    *rest = p + len;
    return good;
}

bool gateway_of_url(const char *url, char out[GATEWAY_BYTES_MAX + 1])
{
    const char *rest;
    return normalize(url, "", out, &rest) && strcmp(rest, GATEWAY_PATH) == 0;
}

enum gateway_leave gateway_leave(const struct config *config, const char *gateway)
{
    enum gateway_leave leave = GATEWAY_REFUSED;
    for (size_t i = 0; i < config->push.n_gateways; ++i) {
        char named[GATEWAY_BYTES_MAX + 1];
        const char *rest, *item = config->push.gateways[i];
        if (strcmp(item, "*") == 0)
            leave = strncmp(gateway, "https://", 8) == 0 ? GATEWAY_PUBLIC : leave;
        else if (normalize(item, "https://", named, &rest) && strcmp(named, gateway) == 0)
            return GATEWAY_NAMED;
    }
    return leave;
}

bool gateways_any(const struct config *config)
{
    return config->push.n_gateways != 0;
}
