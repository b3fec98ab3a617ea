/* parta version. */
#include "homeserver/cli/verb.h"
#include "homeserver/store/driver/schema.h"

static bool version(struct verb_call *call)
{
    text_addf(&call->out, "parta %s (schema %d)\n", PARTA_VERSION, schema_version());
    return true;
}

static const struct verb TABLE[] = {
    {"version", .run = version, .summary = "Prints the version and the newest schema it knows."},
};
const struct verbs VERSION_VERBS = VERBS(TABLE);
