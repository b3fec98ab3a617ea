#include "homeserver/accounts/accounts.h"

#include <stdlib.h>

#include "homeserver/accounts/approvals.h"
#include "homeserver/accounts/nonces.h"
#include "homeserver/accounts/rendezvous.h"
#include "homeserver/base/text.h"

struct accounts *accounts_create(const struct config *config, struct writer *writer, struct user_names *names)
{
    struct accounts *accounts = xcalloc(1, sizeof *accounts);
    *accounts = (struct accounts){
        .config = config,
        .writer = writer,
        .names = names,
        .nonces = nonces_create(),
        .login_tokens = nonces_create(),
        .factor_tokens = nonces_create(),
        .approvals = approvals_create(),
        .rendezvous = rendezvous_create(),
        .rendezvous_bytes = rendezvous_create(),
    };
    return accounts;
}

void accounts_destroy(struct accounts *accounts)
{
    if (accounts == NULL)
        return;
    nonces_destroy(accounts->nonces);
    nonces_destroy(accounts->login_tokens);
    nonces_destroy(accounts->factor_tokens);
    approvals_destroy(accounts->approvals);
    rendezvous_destroy(accounts->rendezvous);
    rendezvous_destroy(accounts->rendezvous_bytes);
    free(accounts);
}
