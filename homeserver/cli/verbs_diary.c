/* parta diary …: what waits in the bridge to the diary, and who is who there (docs/diary.md). The bridge is a program
 * of its own with a configuration and a state of its own; these verbs are its commands, so that whoever administers a
 * school needs one program. parta-diary, which lies beside parta or in the path, takes the place of this process. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "homeserver/cli/verb.h"

#define PROGRAM "parta-diary"
#define PATH_BYTES 4096

/* parta-diary beside this program, else its name, which is looked for in the path. */
static const char *program_path(char path[PATH_BYTES])
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_BYTES - sizeof PROGRAM);
    char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
    if (slash == NULL)
        return PROGRAM;
    strcpy(slash + 1, PROGRAM);
    return access(path, X_OK) == 0 ? path : PROGRAM;
}

static bool run(struct verb_call *call)
{
    char path[PATH_BYTES];
    const char *words[VERB_ARGS_MAX + 5] = {program_path(path)};
    size_t n = 1;
    if (call->options[0] != NULL) {
        words[n++] = "--config";
        words[n++] = call->options[0];
    }
    words[n++] = strchr(call->verb->name, ' ') + 1;
    for (int i = 0; i < call->n_args; ++i)
        words[n++] = call->args[i];
    execvp(words[0], (char *const *)words);
    return verb_fail(call, "parta-diary can't be run: %s.", strerror(errno));
}

static const struct verb_option OPTIONS[] = {
    {"--diary", OPTION_VALUE, "FILE",
     "the bridge's configuration; otherwise $PARTA_DIARY_CONFIG, /etc/parta/diary.yaml"},
    {NULL}};

static const struct verb TABLE[] = {
    {"diary problems", .options = OPTIONS, .run = run,
     .summary = "What waits in the bridge to the diary: source, kind, id, since when, how often, what is missing."},
    {"diary match", "SOURCE pupil|group ID SOURCEDID", 4, 4, OPTIONS, .run = run,
     .summary = "Says once and for good who a diary's pupil or group is."},
    {"diary unmatch", "SOURCE pupil|group ID", 3, 3, OPTIONS, .run = run, .summary = "Takes that back."},
    {"diary confirm", "SOURCE", 1, 1, OPTIONS, .run = run,
     .summary = "Lets the next reading withdraw what is gone from a diary, however much it is."},
    {"diary check", .options = OPTIONS, .run = run,
     .summary = "Reads the bridge's configuration and says which diaries it names."},
};
const struct verbs DIARY_VERBS = VERBS(TABLE);
