#include "homeserver/base/account_state.h"

#include <stddef.h>
#include <string.h>

#include "homeserver/base/words.h"

static const char *const NAMES[] = {
    [ACCOUNT_PENDING] = "pending",     [ACCOUNT_ACTIVE] = "active", [ACCOUNT_RESTRICTED] = "restricted",
    [ACCOUNT_SUSPENDED] = "suspended", [ACCOUNT_LOCKED] = "locked", [ACCOUNT_LEFT] = "left",
};

bool account_state_may_act(enum account_state state)
{
    return state == ACCOUNT_ACTIVE || state == ACCOUNT_RESTRICTED;
}

const char *account_state_name(enum account_state state)
{
    return NAMES[state];
}

bool account_state_from(const char *name, enum account_state *out)
{
    int i = WORD_FIND(NAMES, name);
    if (i >= 0)
        *out = (enum account_state)i;
    return i >= 0;
}

enum account_state account_state_stored(const char *name)
{
    enum account_state state;
    return account_state_from(name, &state) ? state : ACCOUNT_LOCKED;
}
