/* Which addresses are the public internet's (IANA's special-purpose address registries; RFC 6890, 4291, 6052). */
#ifndef PARTA_OUTGOING_PUBLIC_ADDRESS_H
#define PARTA_OUTGOING_PUBLIC_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* false: of this machine, its networks, multicast, documentation, or of no known kind. An IPv6 address that stands for
 * an IPv4 one (mapped, or translated by 64:ff9b::/96) is what that one is; other transition
 * addresses are not public. */
bool address_is_public(const struct sockaddr *address);

/* The same of an address written in digits; what is none is not public. */
bool address_text_is_public(const char *address);

#endif
