/* Browsers that somebody has signed in with before (school.md H1): each has a counter of its own for guesses at that
 * person's password, so that strangers who guess slow other strangers, and not the person.
 *
 * Nothing is kept of it: a cookie has a drawn name and a keyed hash of it, of the person and of their password. With a
 * new password every browser is a stranger again. The cookie lets nobody in. */
#ifndef PARTA_CLIENT_API_PAGES_KNOWN_BROWSER_H
#define PARTA_CLIENT_API_PAGES_KNOWN_BROWSER_H

#include "homeserver/base/ids.h"

struct request;

#define KNOWN_BROWSER_BYTES 32 /* with its NUL */

/* What guesses of this browser are counted by (account_attempt), in out; NULL: it is a stranger to that person.
 * Blocks (a read). */
const char *known_browser(const struct request *r, user_no user, char out[KNOWN_BROWSER_BYTES]);

/* The browser has signed that person in: the reply brings the cookie. */
void known_browser_remember(struct request *r, user_no user);

#endif
