/* What a person's account may do (school.md A3), and its word in the store, the API and the log. */
#ifndef PARTA_BASE_ACCOUNT_STATE_H
#define PARTA_BASE_ACCOUNT_STATE_H

#include <stdbool.h>

enum account_state {
    ACCOUNT_PENDING,    /* signs in, sees who must confirm it, and nothing else */
    ACCOUNT_ACTIVE,     /* may all that its roles may */
    ACCOUNT_RESTRICTED, /* a pupil's without a guardian (D7) */
    ACCOUNT_SUSPENDED,  /* reads and leaves */
    ACCOUNT_LOCKED,     /* nobody signs in until it is opened again */
    ACCOUNT_LEFT,       /* closed */
};

/* A3: whether the account is one of somebody who is confirmed and whom nobody has stopped: it counts for others, and
 * may act, as far as roles and rules let it. */
bool account_state_may_act(enum account_state state);

const char *account_state_name(enum account_state state);           /* "active" */
bool account_state_from(const char *name, enum account_state *out); /* false: an unknown word */

/* Of the store's word; what nobody knows lets nobody in: ACCOUNT_LOCKED. */
enum account_state account_state_stored(const char *name);

#endif
