/* parta token …: registration tokens (Client-Server API, "Token-authenticated registration"). */
#include "homeserver/base/clock.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/cli/services.h"
#include "homeserver/cli/verb.h"
#include "policy/gate/school_gate.h"

#define TOKEN_LENGTH 24

enum { OPTION_USES, OPTION_DAYS };
static const struct verb_option OPTIONS[] = {
    {"--uses", OPTION_VALUE, "N", "how many accounts it makes (default 1; 0: any number)"},
    {"--days", OPTION_VALUE, "N", "how long it is good (default 14; 0: no end)"},
    {NULL},
};

static bool create(struct verb_call *call)
{
    char token[TOKEN_LENGTH + 1];
    int64_t uses, days;
    struct error e = {0};
    if (!verb_int(call, OPTION_USES, 1, 0, 1000000, &uses) || !verb_int(call, OPTION_DAYS, 14, 0, 3650, &days))
        return false;
    random_name(token, TOKEN_LENGTH);
    if (!registration_token_create(call->services->accounts, ACTOR_COMMAND_LINE.name, token, uses, days * DAY_MS, &e))
        return verb_fail_error(call, &e);
    text_addf(&call->out, "%s\n", token);
    return true;
}

static const struct verb TABLE[] = {
    {"token create", .options = OPTIONS, .flags = VERB_CONFIG | VERB_WRITES, .run = create,
     .summary = "Makes a registration token and prints it.",
     .essay =
         "Whoever has it may register while registration.mode is \"token\". It is shown once: only its hash is kept."},
};
const struct verbs TOKEN_VERBS = VERBS(TABLE);
