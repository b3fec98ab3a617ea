#include "homeserver/outgoing/public_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

struct prefix {
    unsigned char bytes[16];
    int bits;
};

static const struct prefix SPECIAL_V4[] = {
    {{0}, 8},             /* this network; 0.0.0.0 reaches this machine */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* shared by a carrier */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local, clouds' metadata services among them */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocol assignments */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* 6to4 relays, no more */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4},           /* reserved, broadcast */
};

/* Within 2000::/3, outside of which nothing is global unicast. */
static const struct prefix SPECIAL_V6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* protocol assignments, Teredo among them */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4 */
    {{0x3f, 0xff, 0x00}, 20},       /* documentation */
};
static const struct prefix GLOBAL_UNICAST = {{0x20}, 3};
static const struct prefix MAPPED = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
static const struct prefix TRANSLATED = {{0, 0x64, 0xff, 0x9b}, 96};

static bool within(const unsigned char *address, const struct prefix *p)
{
    int whole = p->bits / 8, rest = p->bits % 8;
    unsigned char mask = (unsigned char)(0xff << (8 - rest));
    return memcmp(address, p->bytes, (size_t)whole) == 0 &&
           (rest == 0 || (address[whole] & mask) == (p->bytes[whole] & mask));
}

static bool within_any(const unsigned char *address, const struct prefix *table, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        if (within(address, &table[i]))
            return true;
    return false;
}

static bool v4_public(const unsigned char address[4])
{
    return !within_any(address, SPECIAL_V4, sizeof SPECIAL_V4 / sizeof *SPECIAL_V4);
}

static bool v6_public(const unsigned char address[16])
{
    if (within(address, &MAPPED) || within(address, &TRANSLATED))
        return v4_public(address + 12);
    return within(address, &GLOBAL_UNICAST) && !within_any(address, SPECIAL_V6, sizeof SPECIAL_V6 / sizeof *SPECIAL_V6);
}

bool address_is_public(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET: return v4_public((const unsigned char *)&((const struct sockaddr_in *)address)->sin_addr);
    case AF_INET6: return v6_public(((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
    default: return false;
    }
}

bool address_text_is_public(const char *address)
{
    unsigned char bytes[16];
    if (inet_pton(AF_INET, address, bytes) == 1)
        return v4_public(bytes);
    return inet_pton(AF_INET6, address, bytes) == 1 && v6_public(bytes);
}
