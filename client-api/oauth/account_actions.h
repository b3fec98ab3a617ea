/* What a client may send people to do on the pages of their account (Client-Server API, "Account management URL
 * actions"; MSC4191), in the spelling of v1.18 and in that of the proposal, and the page that is for it. */
#ifndef PARTA_CLIENT_API_OAUTH_ACCOUNT_ACTIONS_H
#define PARTA_CLIENT_API_OAUTH_ACCOUNT_ACTIONS_H

#include <jansson.h>

json_t *account_actions_json(void); /* a new reference */

/* The page's path for an action; what is not known, or NULL: the account's own page. Never NULL, static storage. */
const char *account_action_page(const char *action);

#endif
