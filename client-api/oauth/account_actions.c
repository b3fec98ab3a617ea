#include "client-api/oauth/account_actions.h"

#include <string.h>

#define ACCOUNT_PAGE "/parta/account"
#define SESSIONS_PAGE "/parta/account/sessions"

static const struct {
    const char *action, *page;
} ACTIONS[] = {
    {"org.matrix.profile", ACCOUNT_PAGE},
    {"org.matrix.devices_list", SESSIONS_PAGE},
    {"org.matrix.sessions_list", SESSIONS_PAGE},
    {"org.matrix.device_view", SESSIONS_PAGE},
    {"org.matrix.session_view", SESSIONS_PAGE},
    {"org.matrix.device_delete", SESSIONS_PAGE "/end"},
    {"org.matrix.session_end", SESSIONS_PAGE "/end"},
    {"org.matrix.account_deactivate", ACCOUNT_PAGE "/deactivate"},
    {"org.matrix.cross_signing_reset", ACCOUNT_PAGE "/reset-keys"},
};

json_t *account_actions_json(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof ACTIONS / sizeof *ACTIONS; ++i)
        json_array_append_new(list, json_string(ACTIONS[i].action));
    return list;
}

const char *account_action_page(const char *action)
{
    for (size_t i = 0; action != NULL && i < sizeof ACTIONS / sizeof *ACTIONS; ++i)
        if (strcmp(action, ACTIONS[i].action) == 0)
            return ACTIONS[i].page;
    return ACCOUNT_PAGE;
}
