#include "homeserver/accounts/accounts.h"

#include <stdlib.h>

#include "homeserver/accounts/nonces.h"
#include "homeserver/base/text.h"

struct accounts *accounts_create(const struct config *config, struct writer *writer, struct user_names *names)
{
    struct accounts *accounts = xcalloc(1, sizeof *accounts);
    *accounts = (struct accounts){.config = config, .writer = writer, .names = names, .nonces = nonces_create()};
    return accounts;
}

void accounts_destroy(struct accounts *accounts)
{
    if (accounts == NULL)
        return;
    nonces_destroy(accounts->nonces);
    free(accounts);
}
