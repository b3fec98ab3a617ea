#include "homeserver/accounts/mailbox.h"

#include <stdio.h>
#include <string.h>

void mailbox_of(const char *address, char *out, size_t size)
{
    const char *at = strchr(address, '@'), *tag = memchr(address, '+', at != NULL ? (size_t)(at - address) : 0);
    if (tag == NULL || tag == address) /* "+one@…" is a name, and no tag */
        snprintf(out, size, "%s", address);
    else
        snprintf(out, size, "%.*s%s", (int)(tag - address), address, at);
}
