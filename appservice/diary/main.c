/* parta-diary: brings what a school's diary says to the people whom it concerns. This file: the command line. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "appservice/diary/bridge.h"
#include "appservice/diary/listener.h"
#include "appservice/diary/sink_matrix.h"
#include "appservice/diary/state.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/lock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/names.h"

#define CONFIG_PATH "/etc/parta/diary.yaml"

enum { DONE, FAILED, MISUSED };

static void show(FILE *to, const struct text *text)
{
    struct text shown = TEXT_INIT;
    text_add_visible(&shown, text->data != NULL ? text->data : "", text->len, true);
    fwrite(shown.data != NULL ? shown.data : "", 1, shown.len, to);
    text_finish(&shown);
}

static int fail(struct text *problem)
{
    text_addc(problem, '\n');
    fputs("parta-diary: ", stderr);
    show(stderr, problem);
    return FAILED;
}

/* --- Commands --- */

struct call {
    struct diary_settings *settings;
    char **words; /* behind the command */
    int n;
};

static int check(struct call *call)
{
    struct text problem = TEXT_INIT, out = TEXT_INIT;
    for (size_t i = 0; i < call->settings->n_sources; ++i)
        text_addf(&out, "%s\n", call->settings->sources[i].adapter->name);
    if (call->settings->n_sources == 0)
        text_adds(&problem, "The configuration names no diary.");
    show(stdout, &out);
    int code = problem.len != 0 ? fail(&problem) : DONE;
    text_finish(&out);
    text_finish(&problem);
    return code;
}

static sigset_t signals_taken(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    return signals;
}

static int serve(struct call *call, const struct sink *sink, struct text *problem)
{
    const struct diary_settings *s = call->settings;
    const sigset_t signals = signals_taken();
    int got = 0;
    struct bridge *bridge = bridge_start(call->settings, sink, problem);
    struct listener *listener = NULL;
    if (bridge != NULL && s->listen_port != 0)
        listener = bridge_listen(bridge, problem);
    bool good = bridge != NULL && (listener != NULL || s->listen_port == 0);
    if (good)
        log_info("diary", "parta-diary " PARTA_VERSION " has started");
    while (good && sigwait(&signals, &got) == 0 && got == SIGHUP)
        bridge_read_now(bridge);
    bridge_pause(bridge);
    listener_stop(listener);
    bridge_stop(bridge);
    return good ? DONE : fail(problem);
}

/* A rehearsal comes before rooms: who asks for one does not want anybody told. */
static int serve_sink(struct call *call, struct text *problem)
{
    const struct diary_settings *s = call->settings;
    int code = FAILED;
    if (s->rehearsal_file != NULL) {
        struct sink_file *file = sink_file_open(s->rehearsal_file);
        code =
            file != NULL
                ? serve(call, &(struct sink){.tell = sink_file_tell, .self = file, .finish = sink_file_finish}, problem)
                : FAILED;
        sink_file_close(file);
    } else if (s->as_token_file != NULL) {
        struct sink_matrix *m = sink_matrix_open(s, problem);
        bool ready = m != NULL && sink_matrix_start(m, problem);
        const struct sink sink = {.tell = sink_matrix_tell,
                                  .self = m,
                                  .hear = sink_matrix_hear,
                                  .has_read = sink_matrix_has_read,
                                  .finish = sink_matrix_finish,
                                  .begin = sink_matrix_begin,
                                  .expect = sink_matrix_expect};
        code = ready ? serve(call, &sink, problem) : fail(problem);
        sink_matrix_close(m);
    } else {
        text_adds(problem, "Nobody can be told: neither matrix.as_token_file nor diary.rehearsal_file is set.");
        fail(problem);
    }
    return code;
}

static int run(struct call *call)
{
    struct text problem = TEXT_INIT;
    const struct diary_settings *s = call->settings;
    const sigset_t signals = signals_taken();
    int code = FAILED;
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before the first thread, the sink's: one without would end us */
    mkdir(s->data_dir, 0700);
    log_set_level(s->log_level);
    int lock = lock_take(s->lock_path);
    if (lock < 0) {
        text_addf(&problem, lock == -1 ? "Another parta-diary works in %s." : "%s can't be written.", s->data_dir);
        fail(&problem);
    } else {
        code = serve_sink(call, &problem);
    }
    lock_release(lock);
    text_finish(&problem);
    return code;
}

/* The commands below work beside a running bridge: the state takes both. */
static int with_state(struct call *call, int (*act)(struct call *call, struct state *state, struct text *out))
{
    struct text problem = TEXT_INIT, out = TEXT_INIT;
    struct state *state = state_open(call->settings->state_path, &problem);
    int code = state != NULL ? act(call, state, &out) : fail(&problem);
    show(code == DONE ? stdout : stderr, &out);
    state_close(state);
    text_finish(&out);
    text_finish(&problem);
    return code;
}

static int act_problems(struct call *call, struct state *state, struct text *out)
{
    (void)call;
    state_print_problems(state, out);
    return DONE;
}

static int problems(struct call *call)
{
    return with_state(call, act_problems);
}

static int known_source(const struct call *call, const char *name, struct text *out)
{
    for (size_t i = 0; i < call->settings->n_sources; ++i)
        if (strcmp(call->settings->sources[i].adapter->name, name) == 0)
            return DONE;
    text_addf(out, "parta-diary: The configuration names no diary %s.\n", name);
    return FAILED;
}

static int kind_of(const char *word, struct text *out)
{
    if (strcmp(word, "pupil") == 0)
        return SUBJECT_PUPIL;
    if (strcmp(word, "group") == 0)
        return SUBJECT_GROUP;
    text_addf(out, "parta-diary: %s is neither pupil nor group.\n", word);
    return -1;
}

static int act_match(struct call *call, struct state *state, struct text *out)
{
    int kind = kind_of(call->words[1], out);
    bool whole = token_fault(call->words[2]) == NULL && token_fault(call->words[3]) == NULL &&
                 strlen(call->words[2]) <= RECORD_ID_BYTES_MAX && strlen(call->words[3]) <= RECORD_ID_BYTES_MAX;
    if (kind < 0 || known_source(call, call->words[0], out) != DONE)
        return FAILED;
    if (!whole) {
        text_adds(out, "parta-diary: An id is empty, too long, or holds what cannot be seen.\n");
        return FAILED;
    }
    state_begin(state);
    state_match(state, call->words[0], (enum subject_kind)kind, call->words[2], call->words[3]);
    state_solved(state, call->words[0], call->words[1], call->words[2]);
    state_source_read_whole(state, call->words[0]); /* what waited for it is told */
    return state_commit(state) ? DONE : FAILED;
}

static int match(struct call *call)
{
    return with_state(call, act_match);
}

static int act_unmatch(struct call *call, struct state *state, struct text *out)
{
    int kind = kind_of(call->words[1], out);
    if (kind < 0)
        return FAILED;
    state_begin(state);
    bool there = state_unmatch(state, call->words[0], (enum subject_kind)kind, call->words[2]);
    if (!there)
        text_adds(out, "parta-diary: There is no such match.\n");
    return state_commit(state) && there ? DONE : FAILED;
}

static int unmatch(struct call *call)
{
    return with_state(call, act_unmatch);
}

static int act_confirm(struct call *call, struct state *state, struct text *out)
{
    if (known_source(call, call->words[0], out) != DONE)
        return FAILED;
    state_begin(state);
    state_source_confirm(state, call->words[0]);
    return state_commit(state) ? DONE : FAILED;
}

static int confirm(struct call *call)
{
    return with_state(call, act_confirm);
}

static int registration(struct call *call)
{
    struct text problem = TEXT_INIT, out = TEXT_INIT;
    int code = sink_matrix_registration(call->settings, &out, &problem) ? DONE : fail(&problem);
    show(stdout, &out);
    text_finish(&out);
    text_finish(&problem);
    return code;
}

static int apply(struct call *call)
{
    struct text problem = TEXT_INIT;
    mkdir(call->settings->data_dir, 0700);
    struct sink_matrix *m = sink_matrix_open(call->settings, &problem);
    int code = m != NULL && sink_matrix_apply(m, call->words[0], &problem) ? DONE : fail(&problem);
    sink_matrix_close(m);
    text_finish(&problem);
    return code;
}

static const struct command {
    const char *name, *arguments;
    int n;
    int (*run)(struct call *call);
    bool writes; /* in the data directory, or may make it */
    const char *summary;
} COMMANDS[] = {
    {"run", "", 0, run, true, "Reads the diaries and tells what is new, until SIGTERM. SIGHUP: reads all of them now."},
    {"check", "", 0, check, false, "Reads the configuration and says which diaries it names."},
    {"registration", "", 0, registration, false, "Prints the registration for parta appservice add, secrets included."},
    {"apply", "LINK", 1, apply, true,
     "The bot applies by the token of a school link, so that the office can let it in."},
    {"problems", "", 0, problems, true, "What waits: source, kind, id, since when, how often, what is missing."},
    {"match", "SOURCE pupil|group ID SOURCEDID", 4, match, true,
     "Says once and for good who a diary's pupil or group is."},
    {"unmatch", "SOURCE pupil|group ID", 3, unmatch, true, "Takes that back."},
    {"confirm", "SOURCE", 1, confirm, true, "Lets the next reading withdraw what is gone, however much it is."},
};
#define N_COMMANDS (sizeof COMMANDS / sizeof *COMMANDS)

static int usage(FILE *out, int code)
{
    fputs("usage: parta-diary [--config FILE] COMMAND\n\n", out);
    for (size_t i = 0; i < N_COMMANDS; ++i)
        fprintf(out, "  %s%s%s\n      %s\n", COMMANDS[i].name, *COMMANDS[i].arguments != '\0' ? " " : "",
                COMMANDS[i].arguments, COMMANDS[i].summary);
    fputs("\n  Without a command: run. --config FILE: otherwise $PARTA_DIARY_CONFIG, otherwise " CONFIG_PATH ".\n"
          "  --version, --help. Exit codes: 0 done, 1 failed, 2 misused.\n",
          out);
    return code;
}

/* Root would leave behind what the bridge's user cannot open. */
static bool may_write(const struct diary_settings *s, struct text *problem)
{
    struct text owner = TEXT_INIT;
    bool own = lock_folder_is_own(s->data_dir, &owner);
    if (!own)
        text_addf(problem, "%s belongs to the user %s: run this as that user.", s->data_dir, owner.data);
    text_finish(&owner);
    return own;
}

static int call_command(const struct command *command, const char *path, char **words, int n)
{
    struct text problem = TEXT_INIT;
    struct call call = {.words = words, .n = n};
    if (n != command->n)
        return usage(stderr, MISUSED);
    call.settings = diary_settings_load(path, &problem);
    bool good = call.settings != NULL && (!command->writes || may_write(call.settings, &problem));
    int code = good ? command->run(&call) : fail(&problem);
    diary_settings_free(call.settings);
    text_finish(&problem);
    return code;
}

int main(int argc, char **argv)
{
    const char *path = getenv("PARTA_DIARY_CONFIG");
    int at = 1;
    path = path != NULL && *path != '\0' ? path : CONFIG_PATH;
    umask(077);
    log_set_level(LOG_WARN);
    for (; at < argc && strncmp(argv[at], "--config", 8) == 0; ++at) {
        bool joined = argv[at][8] == '=';
        if (!joined && (argv[at][8] != '\0' || at + 1 == argc))
            return usage(stderr, MISUSED);
        path = joined ? argv[at] + 9 : argv[++at];
    }
    const char *name = at < argc ? argv[at] : "run";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return usage(stdout, DONE);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0)
        return puts("parta-diary " PARTA_VERSION) == EOF ? FAILED : DONE;
    if (!crypto_start())
        return FAILED;
    for (size_t i = 0; i < N_COMMANDS; ++i)
        if (strcmp(COMMANDS[i].name, name) == 0)
            return call_command(&COMMANDS[i], path, argv + at + 1, argc - at - (at < argc));
    return usage(stderr, MISUSED);
}
