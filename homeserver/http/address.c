#include "homeserver/http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const unsigned char MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const struct address *address)
{
    return memcmp(address->bytes, MAPPED, sizeof MAPPED) == 0;
}

static void from_ipv4(const void *four, struct address *out)
{
    memcpy(out->bytes, MAPPED, sizeof MAPPED);
    memcpy(out->bytes + sizeof MAPPED, four, 4);
}

static bool parse_bare(const char *text, struct address *out)
{
    unsigned char four[4];
    if (inet_pton(AF_INET, text, four) == 1) {
        from_ipv4(four, out);
        return true;
    }
    return inet_pton(AF_INET6, text, out->bytes) == 1;
}

bool address_parse(const char *text, size_t len, struct address *out)
{
    char copy[64], *start = copy, *end;
    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (copy[0] == '[' && (end = strchr(copy, ']')) != NULL) { /* [2001:db8::1]:1234 */
        *end = '\0';
        start = copy + 1;
    } else if ((end = strchr(copy, ':')) != NULL && strchr(end + 1, ':') == NULL) { /* 192.0.2.1:1234 */
        *end = '\0';
    }
    return parse_bare(start, out);
}

bool address_from(const struct sockaddr *from, struct address *out)
{
    if (from->sa_family == AF_INET) {
        from_ipv4(&((const struct sockaddr_in *)(const void *)from)->sin_addr, out);
        return true;
    }
    if (from->sa_family != AF_INET6)
        return false;
    memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, sizeof out->bytes);
    return true;
}

void address_text(const struct address *address, char out[ADDRESS_TEXT])
{
    if (!is_mapped(address)) {
        inet_ntop(AF_INET6, address->bytes, out, ADDRESS_TEXT);
        return;
    }
    for (size_t i = sizeof MAPPED; i < sizeof address->bytes; ++i) { /* every request comes here */
        unsigned byte = address->bytes[i];
        if (i != sizeof MAPPED)
            *out++ = '.';
        if (byte >= 100)
            *out++ = (char)('0' + byte / 100);
        if (byte >= 10)
            *out++ = (char)('0' + byte / 10 % 10);
        *out++ = (char)('0' + byte % 10);
    }
    *out = '\0';
}

bool network_parse(const char *text, struct network *out)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char copy[64], *end;
    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (!parse_bare(copy, &out->address))
        return false;
    int offset = strchr(copy, ':') == NULL ? 96 : 0; /* an IPv4 prefix counts from the mapped part */
    out->bits = 128;
    if (slash == NULL)
        return true;
    long bits = strtol(slash + 1, &end, 10);
    out->bits = (int)bits + offset;
    return slash[1] >= '0' && slash[1] <= '9' && *end == '\0' && bits >= 0 && bits + offset <= 128;
}

bool network_holds(const struct network *network, const struct address *address)
{
    int whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->address.bytes, address->bytes, (size_t)whole) != 0)
        return false;
    return rest == 0 || (network->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

bool address_is_trusted(const struct address *address, const struct network *trusted, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        if (network_holds(&trusted[i], address))
            return true;
    return false;
}

/* Takes the last entry of the list off: its start and length, without spaces. */
static const char *last_entry(const char *list, size_t *len, size_t *entry_len)
{
    size_t end = *len, start;
    for (start = end; start > 0 && list[start - 1] != ','; --start)
        ;
    *len = start > 0 ? start - 1 : 0;
    while (start < end && (list[start] == ' ' || list[start] == '\t'))
        ++start;
    while (end > start && (list[end - 1] == ' ' || list[end - 1] == '\t'))
        --end;
    *entry_len = end - start;
    return list + start;
}

struct address address_client(const struct address *peer, const char *forwarded, size_t len,
                              const struct network *trusted, size_t n_trusted)
{
    struct address client = *peer, next;
    if (forwarded == NULL)
        return client;
    while (len > 0 && address_is_trusted(&client, trusted, n_trusted)) {
        size_t entry_len;
        const char *entry = last_entry(forwarded, &len, &entry_len);
        if (!address_parse(entry, entry_len, &next))
            break;
        client = next;
    }
    return client;
}

void address_place(struct address *address)
{
    if (!is_mapped(address))
        memset(address->bytes + 8, 0, 8);
}
