/* parta school …: the sample school. */
#include <inttypes.h>
#include <unistd.h>

#include "homeserver/cli/verb.h"
#include "policy/oneroster/sample.h"

enum { SAMPLE_SEED, SAMPLE_SIZE, SAMPLE_FORCE };
static const struct verb_option OPTIONS[] = {
    {"--seed", OPTION_VALUE, "N", "another seed, other people (default 1)"},
    {"--size", OPTION_VALUE, "SIZE", "small (default), medium, large, or SCHOOLSxCLASSESxPUPILS"},
    {"--force", OPTION_FLAG, NULL, "replaces FILE if it is there already"},
    {NULL},
};

static bool sample(struct verb_call *call)
{
    int64_t seed;
    struct sample_size size;
    struct sample_counts counts = {0};
    if (!verb_int(call, SAMPLE_SEED, 1, 0, INT64_MAX, &seed))
        return false;
    if (!sample_size_from(call->options[SAMPLE_SIZE] != NULL ? call->options[SAMPLE_SIZE] : "small", &size))
        return verb_misuse(call, "--size must be small, medium, large, or like 2x3x8.");
    if (call->options[SAMPLE_FORCE] == NULL && access(call->args[0], F_OK) == 0)
        return verb_fail(call, "%s is there already; --force replaces it.", call->args[0]);
    if (!sample_write(call->args[0], (uint64_t)seed, &size, &counts))
        return verb_fail(call, "%s could not be written (see above).", call->args[0]);
    text_addf(&call->out,
              "%" PRId64 " schools, %" PRId64 " classes, %" PRId64 " people: %" PRId64 " pupils, %" PRId64
              " guardians, %" PRId64 " staff\n",
              counts.schools, counts.classes, counts.people, counts.pupils, counts.guardians, counts.staff);
    return true;
}

static const struct verb TABLE[] = {
    {"school sample", "FILE", 1, 1, OPTIONS, 0, sample, "Writes an invented school as a OneRoster 1.2 zip.",
     "The same seed and size always make the same file. \"parta roster import\" takes it."},
};
const struct verbs SCHOOL_VERBS = VERBS(TABLE);
