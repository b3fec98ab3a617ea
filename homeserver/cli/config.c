/* parta config …: reading the file is the check. */
#include "homeserver/base/config.h"

#include "homeserver/cli/verb.h"

static bool check(struct call *call)
{
    text_addf(&call->out, "The configuration is good: %s, policy.mode %s.\n", call->config->server_name,
              call->config->policy.mode == POLICY_SCHOOL ? "school" : "open");
    return true;
}

static bool show(struct call *call)
{
    config_print(call->config, &call->out);
    return true;
}

static const struct verb TABLE[] = {
    {"config check", .flags = VERB_CONFIG, .run = check, .summary = "Says whether the configuration file is good.",
     .essay = "A problem is told with file and line."},
    {"config show", .flags = VERB_CONFIG, .run = show,
     .summary = "Prints every setting with its value, defaults included, secrets left out."},
};
const struct verbs CONFIG_VERBS = VERBS(TABLE);
