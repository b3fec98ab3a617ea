/* Whose mailbox an address is, for counting alone: anna+one@… and anna+two@… are two addresses that one person has by
 * typing them (RFC 5233), and would be two of whatever is counted by address. */
#ifndef PARTA_ACCOUNTS_MAILBOX_H
#define PARTA_ACCOUNTS_MAILBOX_H

#include <stddef.h>

/* The address without what stands behind a "+" before its "@", into out; any other as it is. address: in canonical form
 * (contacts.h), shorter than size. Nobody is known by it: addresses are compared, kept and written to as they are. */
void mailbox_of(const char *address, char *out, size_t size);

#endif
