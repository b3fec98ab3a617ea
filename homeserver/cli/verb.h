/* The administrator's command line: `parta VERB …`.
 *
 * A verb is a row of a table at the foot of its file, as routes are; parta.c reads options and files, opens what the
 * verb needs, runs it and prints what it said. The verb itself only acts on a struct verb_call, so that the same
 * function serves a shell and, through control.h, a server that is running: it reads no file and writes to no terminal.
 *
 * Exit codes: 0 done, 1 failed, 2 misused, 3 held: it waits until somebody confirms it (school.md G5). */
#ifndef PARTA_CLI_VERB_H
#define PARTA_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"

struct verb_call;
struct config;
struct api_verb;
struct services; /* services.h */

#define VERB_ARGS_MAX 4
#define VERB_OPTIONS_MAX 12

enum option_kind {
    OPTION_FLAG, /* its value is "" */
    OPTION_VALUE,
    OPTION_FILE, /* given a path ("-": standard input), the verb sees the first line of the file */
};

struct verb_option {
    const char *name; /* "--admin"; NULL: the end */
    enum option_kind kind;
    const char *value; /* what help calls its value; NULL for a flag */
    const char *help;
};

enum verb_flags {
    VERB_CONFIG = 1, /* reads the configuration */
    VERB_READS = 2,  /* reads the database: call->services has db */
    VERB_WRITES = 4, /* changes it: all services, under the lock or inside the running server */
    VERB_INPUT = 8,  /* its first argument is a file, whose bytes are call->input */
};

struct verb {
    const char *name;      /* "user create" */
    const char *arguments; /* "USER"; NULL: none */
    int args_min, args_max;
    const struct verb_option *options; /* NULL: none */
    unsigned flags;
    bool (*run)(struct verb_call *call); /* false: verb_fail has said why */
    const char *summary;                 /* one line */
    const char *essay;                   /* for --help; NULL: nothing more to say */
    const struct api_verb *api;          /* api_verb.h: for api_verb_run */
};

struct verbs {
    const struct verb *table;
    size_t n;
};
#define VERBS(table_)                                                                                                  \
    {                                                                                                                  \
        (table_), sizeof(table_) / sizeof *(table_)                                                                    \
    }

struct verb_call {
    const struct verb *verb;
    const struct config *config; /* VERB_CONFIG */
    struct services *services;   /* VERB_READS, VERB_WRITES */
    const char *args[VERB_ARGS_MAX];
    int n_args;
    const char *options[VERB_OPTIONS_MAX];                  /* in the order of verb->options; NULL: not given */
    struct text input;                                      /* VERB_INPUT */
    struct text out;                                        /* for standard output */
    struct text notes;                                      /* for standard error, also when all went well */
    void (*note)(struct verb_call *call, const char *line); /* tells of long work at once; NULL: with the notes */
    int heard_on;        /* the socket of the parta that asked; -1: it no longer listens */
    char asks[24];       /* the version of what was shown in out and waits for a yes: run again with it; "": nothing */
    struct text problem; /* why it failed */
    /* An import that waits until somebody confirms it: what `parta roster confirm` is given
     * (number, version); "": none. */
    char held[24], held_version[24];
    bool misused; /* it failed because it was asked wrongly */
};

/* All return false. A problem is one sentence. */
bool verb_fail(struct verb_call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool verb_misuse(struct verb_call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool verb_fail_error(struct verb_call *call, const struct error *e); /* the sentence of a refusal */

/* How far long work has come: a line for standard error, at once if it may be, else with the other notes. */
void verb_note(struct verb_call *call, const char *line);

/* An option's whole number, from low to high; otherwise when it was not given. false: verb_misuse has said so. */
bool verb_int(struct verb_call *call, int option, int64_t otherwise, int64_t low, int64_t high, int64_t *out);

/* The table of all verbs. */
const struct verb *verb_find(const char *name); /* also by an older name; NULL: there is none */
const struct verb *verb_at(size_t i);           /* NULL past the last */

extern const struct verbs APPSERVICE_VERBS, AUDIT_VERBS, BACKUP_VERBS, CONFIG_VERBS, DIARY_VERBS, SIGNUP_VERBS,
    ADMIN_VERBS, RECORD_VERBS, ROSTER_VERBS, SCHOOL_VERBS, SEARCH_VERBS, TOKEN_VERBS, USER_VERBS, VERSION_VERBS;

#endif
