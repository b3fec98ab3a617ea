#include "homeserver/base/account_state.h"

#include <stddef.h>
#include <string.h>

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
    for (size_t i = 0; name != NULL && i < sizeof NAMES / sizeof *NAMES; ++i)
        if (strcmp(NAMES[i], name) == 0) {
            *out = (enum account_state)i;
            return true;
        }
    return false;
}

enum account_state account_state_stored(const char *name)
{
    enum account_state state;
    return account_state_from(name, &state) ? state : ACCOUNT_LOCKED;
}
