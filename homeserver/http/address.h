/* Network addresses of clients: who is behind the trusted proxy, and what counts as one place.
 *
 * IPv4 is kept as IPv6-mapped (::ffff:a.b.c.d), so that both listeners and both spellings compare equal. Pure. */
#ifndef PARTA_HTTP_ADDRESS_H
#define PARTA_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_TEXT 46 /* bytes of the longest text, with the NUL */

struct sockaddr;

struct address {
    unsigned char bytes[16];
};

struct network {
    struct address address;
    int bits; /* 0 … 128, of the mapped form */
};

/* "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"; also with brackets and a port, as some proxies write. */
bool address_parse(const char *text, size_t len, struct address *out);
bool address_from(const struct sockaddr *from, struct address *out); /* false: neither IPv4 nor IPv6 (a Unix socket) */
void address_text(const struct address *address, char out[ADDRESS_TEXT]); /* mapped ones as plain IPv4 */

bool network_parse(const char *text, struct network *out); /* "10.0.0.0/8", "::1", "fd00::/8" */
/* Whether the address is in it. Pure, as the next. */
bool network_holds(const struct network *network, const struct address *address);

/* Whether it is in one of the n networks: those of the proxies that may say for whom they ask. */
bool address_is_trusted(const struct address *address, const struct network *trusted, size_t n);

/* The client's address: walks the X-Forwarded-For list from its end for as long as the one that added the entry is
 * trusted. forwarded: the header's value (several headers joined by commas), NULL: none. What cannot be parsed ends the
 * walk. */
struct address address_client(const struct address *peer, const char *forwarded, size_t len,
                              const struct network *trusted, size_t n_trusted);

/* What limits count as one place: an IPv4 address, an IPv6 /64. Written over *address. */
void address_place(struct address *address);

#endif
