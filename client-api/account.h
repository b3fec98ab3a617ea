/* The end of an account, as its owner brings it about by the API and on the pages (Client-Server API, "Account
 * deactivation"; school.md G1, G4). */
#ifndef PARTA_CLIENT_API_ACCOUNT_H
#define PARTA_CLIENT_API_ACCOUNT_H

#include <stdbool.h>

struct request;

/* For good; who asks has proven themself. erase: what they wrote goes as well, from now on. false: r->error; E4 where
 * the roster holds them in its rooms. Blocks. */
bool account_close(struct request *r, bool erase);

#endif
