/* The program `parta`: from the words on the command line to a verb, and from its outcome to an exit code. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/log.h"
#include "homeserver/base/names.h"
#include "homeserver/cli/api_verb.h"
#include "homeserver/cli/control.h"
#include "homeserver/cli/services.h"
#include "homeserver/cli/verb.h"

#define CONFIG_PATH "/etc/parta/parta.yaml"
#define LINE_BYTES_MAX 4096

enum { DONE, FAILED, MISUSED, HELD };

/* What the command line said, before files were read. */
struct request_line {
    struct verb_call call;
    const char *config_path;
    bool help;
    char *lines[VERB_OPTIONS_MAX]; /* of OPTION_FILE, to free */
};

/* The one way to the terminal, for a person or a script: much of what is said was written by others, in rosters and by
 * whoever signs up. */
static void show(FILE *to, const char *bytes, size_t len)
{
    struct text shown = TEXT_INIT;
    text_add_visible(&shown, bytes != NULL ? bytes : "", len, true);
    fwrite(shown.len != 0 ? shown.data : "", 1, shown.len, to);
    text_finish(&shown);
}

static void say(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(FILE *to, const char *fmt, ...)
{
    char *line = NULL;
    va_list ap;
    va_start(ap, fmt);
    int len = vasprintf(&line, fmt, ap);
    va_end(ap);
    if (len >= 0)
        show(to, line, (size_t)len);
    free(len >= 0 ? line : NULL);
}

/* The verbs whose first word this is ("user"), in columns; their table may be anywhere. Answers how many. */
static int print_verbs(FILE *out, const char *word, size_t len)
{
    const struct verb *verb;
    int n = 0;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; ++i)
        if (strncmp(verb->name, word, len) == 0 && (verb->name[len] == ' ' || verb->name[len] == '\0')) {
            say(out, "  %-21s  %-14s  %s\n", verb->name, verb->arguments != NULL ? verb->arguments : "", verb->summary);
            ++n;
        }
    return n;
}

/* All of them, those of one word together, where the first of these stands. */
static void print_all_verbs(FILE *out)
{
    const struct verb *verb;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; ++i) {
        size_t len = strcspn(verb->name, " "), first = 0;
        while (strncmp(verb_at(first)->name, verb->name, len + 1) != 0)
            ++first;
        if (first == i)
            print_verbs(out, verb->name, len);
    }
}

static void print_usage(FILE *out)
{
    say(out, "usage: parta VERB [OPTION]… [ARGUMENT]…\n\n");
    print_all_verbs(out);
    say(out, "\n  parta VERB --help tells more of a verb.\n"
             "  --config FILE names the configuration (otherwise $PARTA_CONFIG, otherwise " CONFIG_PATH ").\n"
             "  Exit codes: 0 done, 1 failed, 2 misused, 3 held until somebody confirms it.\n");
}

/* Of what a line of the output is made: members of the reply, the last word of "roles.role". */
static void print_columns(const char *columns)
{
    say(stdout, "Prints%s", strchr(columns, ' ') != NULL ? ", with tabs between:" : ":");
    for (const char *at = columns, *end; *at != '\0'; at = end + strspn(end, " ")) {
        end = at + strcspn(at, " ");
        const char *dot = memrchr(at, '.', (size_t)(end - at));
        const char *name = dot != NULL ? dot + 1 : at;
        say(stdout, " %.*s%s", (int)(end - name), name, *end != '\0' ? "," : ".\n");
    }
}

static void print_help(const struct verb *verb)
{
    say(stdout, "usage: parta %s%s%s%s\n\n%s\n", verb->name, verb->options != NULL ? " [OPTION]…" : "",
        verb->arguments != NULL ? " " : "", verb->arguments != NULL ? verb->arguments : "", verb->summary);
    if (verb->essay != NULL)
        say(stdout, "%s\n", verb->essay);
    if (verb->api != NULL && verb->api->columns != NULL && strcspn(verb->api->columns, "*{") != 0) {
        if (verb->api->lines != NULL)
            say(stdout, "Prints each %s in a line, then:\n", verb->api->lines);
        print_columns(verb->api->columns);
    }
    if (verb->options != NULL || (verb->flags & VERB_CONFIG) != 0)
        say(stdout, "\n");
    for (const struct verb_option *o = verb->options; o != NULL && o->name != NULL; ++o)
        say(stdout, "  %-16s %-7s %s\n", o->name, o->value != NULL ? o->value : "", o->help);
    if ((verb->flags & VERB_CONFIG) != 0)
        say(stdout, "  %-16s %-7s %s\n", "--config", "FILE",
            "the configuration (otherwise $PARTA_CONFIG, or " CONFIG_PATH ")");
}

/* "--config FILE" may stand before the verb too. Answers where the verb begins. */
static int skip_config(struct request_line *line, int argc, char **argv)
{
    int at = 1;
    for (; at + 1 < argc && strcmp(argv[at], "--config") == 0; at += 2)
        line->config_path = argv[at + 1];
    for (; at < argc && strncmp(argv[at], "--config=", 9) == 0; ++at)
        line->config_path = argv[at] + 9;
    return at;
}

/* The verb that the next one or two words name; *at moves behind it. */
static const struct verb *verb_of_words(int argc, char **argv, int *at)
{
    char name[64];
    const struct verb *verb = NULL;
    int words = argc - *at;
    if (words >= 2) {
        snprintf(name, sizeof name, "%s %s", argv[*at], argv[*at + 1]);
        verb = verb_find(name);
    }
    *at += verb != NULL ? 2 : 1;
    if (verb != NULL || words < 1)
        return verb;
    return verb_find(strcmp(argv[*at - 1], "--version") == 0 ? "version" : argv[*at - 1]);
}

static int option_number(const struct verb *verb, const char *word, size_t len)
{
    for (int i = 0; verb->options != NULL && verb->options[i].name != NULL; ++i)
        if (strlen(verb->options[i].name) == len && strncmp(verb->options[i].name, word, len) == 0)
            return i;
    return -1;
}

/* "--name=value", or "--name" with the value as the next word. */
static bool take_option(struct request_line *line, const char *word, char **next, int *used)
{
    const char *equals = strchr(word, '='), *value = equals != NULL ? equals + 1 : *next;
    size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
    bool config = len == 8 && strncmp(word, "--config", 8) == 0;
    int i = option_number(line->call.verb, word, len);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return line->help = true;
    if (!config && i < 0)
        return verb_misuse(&line->call, "There is no option %s here.", word);
    if (!config && line->call.verb->options[i].kind == OPTION_FLAG) {
        line->call.options[i] = "";
        return equals == NULL || verb_misuse(&line->call, "%.*s takes no value.", (int)len, word);
    }
    if (value == NULL)
        return verb_misuse(&line->call, "%s needs a value.", word);
    *used += equals == NULL ? 1 : 0;
    *(config ? &line->config_path : &line->call.options[i]) = value;
    return true;
}

/* Says so of the argument that would be the next: "CLASS USER ROLE" are their names. */
static bool argument_lacks(struct verb_call *call, const char *what)
{
    const char *name = call->verb->arguments;
    for (int i = 0; i < call->n_args; ++i)
        name += strcspn(name, " ") + 1;
    return verb_misuse(call, "%.*s %s.", (int)strcspn(name, " "), name, what);
}

static bool take_words(struct request_line *line, int argc, char **argv, int from)
{
    struct verb_call *call = &line->call;
    bool options_over = false;
    for (int i = from; i < argc; ++i) {
        if (!options_over && strcmp(argv[i], "--") == 0)
            options_over = true;
        else if (!options_over && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!take_option(line, argv[i], &argv[i + 1], &i))
                return false;
        } else if (call->n_args == call->verb->args_max)
            return verb_misuse(call, "One argument too many: %s", argv[i]);
        else if (argv[i][0] == '\0') /* "$(parta claim list | cut -f 1)", where nobody waits */
            return argument_lacks(call, "is empty");
        else
            call->args[call->n_args++] = argv[i];
    }
    return line->help || call->n_args >= call->verb->args_min || argument_lacks(call, "is missing");
}

/* A terminal does not show what is typed. */
static void echo(bool on)
{
    struct termios terminal;
    if (tcgetattr(STDIN_FILENO, &terminal) != 0)
        return;
    terminal.c_lflag = on ? terminal.c_lflag | ECHO : terminal.c_lflag & ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
}

static bool read_first_line(struct verb_call *call, const char *path, char **out)
{
    bool standard = strcmp(path, "-") == 0, terminal = standard && isatty(STDIN_FILENO) == 1;
    char *line = xcalloc(1, LINE_BYTES_MAX);
    FILE *f = standard ? stdin : fopen(path, "re");
    if (terminal) {
        say(stderr, "Password: ");
        echo(false);
    }
    bool done = f != NULL && fgets(line, LINE_BYTES_MAX, f) != NULL;
    if (terminal) {
        echo(true);
        say(stderr, "\n");
    }
    if (f != NULL && !standard)
        fclose(f);
    line[strcspn(line, "\r\n")] = '\0';
    *out = line;
    return (done && *line != '\0') || verb_fail(call, "%s: %s", path, f == NULL ? strerror(errno) : "nothing to read");
}

static bool read_input(struct verb_call *call, const char *path)
{
    char bytes[65536];
    size_t n;
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (f == NULL)
        return verb_fail(call, "%s: %s", path, strerror(errno));
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0 && call->input.len <= CONTROL_INPUT_MAX)
        text_add(&call->input, bytes, n);
    bool whole = ferror(f) == 0;
    if (f != stdin)
        fclose(f);
    if (!whole)
        return verb_fail(call, "%s: can't be read", path);
    return call->input.len <= CONTROL_INPUT_MAX || verb_fail(call, "%s: longer than 256 MiB", path);
}

static bool read_files(struct request_line *line)
{
    struct verb_call *call = &line->call;
    for (int i = 0; call->verb->options != NULL && call->verb->options[i].name != NULL; ++i) {
        if (call->verb->options[i].kind != OPTION_FILE || call->options[i] == NULL)
            continue;
        if (!read_first_line(call, call->options[i], &line->lines[i]))
            return false;
        call->options[i] = line->lines[i];
    }
    return (call->verb->flags & VERB_INPUT) == 0 || read_input(call, call->args[0]);
}

static void print_note(struct verb_call *call, const char *line)
{
    say(stderr, "%s\n", line);
}

static bool run_in_office(struct verb_call *call)
{
    struct services services;
    bool writes = (call->verb->flags & VERB_WRITES) != 0, done = false;
    call->note = print_note;
    switch (services_open(call->config, writes, &services, &call->problem)) {
    case SERVICES_FAILED: break;
    case SERVICES_BUSY: control_ask(call->config->control_path, call, &done); break;
    case SERVICES_OPEN:
        call->services = &services;
        done = call->verb->run(call);
        call->services = NULL;
        services_close(&services);
    }
    return done;
}

/* Somebody at a terminal sees what is to be decided on, and says yes to that very version. */
static bool run_decision(struct verb_call *call)
{
    char answer[LINE_BYTES_MAX], seen[sizeof call->asks];
    bool done = run_in_office(call);
    if (done || *call->asks == '\0' || isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1)
        return done;
    say(stderr, "%s\nparta %s: decide so? [y/N] ", call->out.data, call->verb->name);
    text_clear(&call->out);
    if (fgets(answer, sizeof answer, stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y'))
        return false;
    memcpy(seen, call->asks, sizeof seen);
    call->options[api_verb_version_option(call->verb->api)] = seen;
    text_clear(&call->problem);
    *call->asks = '\0';
    done = run_in_office(call);
    call->options[api_verb_version_option(call->verb->api)] = NULL;
    return done;
}

static bool run(struct request_line *line, struct config **config)
{
    struct verb_call *call = &line->call;
    if ((call->verb->flags & VERB_CONFIG) != 0) {
        if (!config_load(line->config_path, config, &call->problem))
            return false;
        call->config = *config;
    }
    if (!read_files(line))
        return false;
    return (call->verb->flags & (VERB_READS | VERB_WRITES)) != 0 ? run_decision(call) : call->verb->run(call);
}

/* What waits to be confirmed (school.md G5) is shown and asked for, where somebody sits. */
static bool confirms(struct verb_call *call)
{
    char answer[16];
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1)
        return false;
    say(stderr, "%s\nDo it nevertheless? Type yes: ", call->notes.len != 0 ? call->notes.data : "");
    text_clear(&call->notes);
    return fgets(answer, sizeof answer, stdin) != NULL && strcmp(answer, "yes\n") == 0;
}

static bool confirm(struct verb_call *call)
{
    char id[sizeof call->held], version[sizeof call->held_version];
    int passwords = option_number(call->verb, "--passwords", strlen("--passwords"));
    bool wanted = passwords >= 0 && call->options[passwords] != NULL;
    strcpy(id, call->held);
    strcpy(version, call->held_version);
    call->verb = verb_find("roster confirm");
    memset(call->options, 0, sizeof call->options);
    call->options[option_number(call->verb, "--version", strlen("--version"))] = version;
    call->options[option_number(call->verb, "--passwords", strlen("--passwords"))] = wanted ? "" : NULL;
    call->args[0] = id;
    call->n_args = 1;
    *call->held = '\0';
    text_clear(&call->input);
    text_clear(&call->out);
    text_clear(&call->problem);
    bool done = run_in_office(call);
    memset(call->options, 0, sizeof call->options);
    call->n_args = 0;
    return done;
}

/* --- Columns: tabs for scripts, spaces for eyes --- */

#define COLUMNS_MAX 16
#define COLUMN_WIDTH_MAX 48 /* one long cell does not push the others off the screen */

/* Of one cell, in characters: none of ours takes two columns. */
static size_t width_of(const char *cell, size_t len)
{
    size_t width = 0;
    for (size_t i = 0; i < len; ++i)
        width += ((unsigned char)cell[i] & 0xc0) != 0x80;
    return width;
}

struct columns {
    size_t widths[COLUMNS_MAX];
    size_t missing; /* spaces that the cell before this one lacks */
};

/* Calls each for every cell of every line, and with column -1 for a line's end. What follows the last column is one
 * cell. */
static void cells_each(const struct text *out, void (*each)(struct columns *, int column, const char *, size_t len),
                       struct columns *columns)
{
    const char *at = out->data, *end = at + out->len;
    for (int column = 0; at < end; ++column) {
        size_t len = strcspn(at, column < COLUMNS_MAX - 1 ? "\t\n" : "\n");
        each(columns, column, at, len);
        at += len;
        if (*at != '\t') {
            each(columns, -1, at, at < end);
            column = -1;
        }
        at += at < end;
    }
}

static void measure(struct columns *columns, int column, const char *cell, size_t len)
{
    size_t width = column >= 0 ? width_of(cell, len) : 0;
    if (width > columns->widths[column < 0 ? 0 : column] && width <= COLUMN_WIDTH_MAX)
        columns->widths[column] = width;
}

/* Spaces come before the next cell, so that no line ends in any. */
static void print_cell(struct columns *columns, int column, const char *cell, size_t len)
{
    size_t width = width_of(cell, len);
    if (column > 0)
        say(stdout, "%*s", (int)columns->missing + 2, "");
    show(stdout, cell, len);
    columns->missing = column >= 0 && width < columns->widths[column] ? columns->widths[column] - width : 0;
}

static void print_out(const struct text *out)
{
    struct columns columns = {0};
    if (!isatty(STDOUT_FILENO) || memchr(out->data, '\t', out->len) == NULL) {
        show(stdout, out->data, out->len);
        return;
    }
    cells_each(out, measure, &columns);
    cells_each(out, print_cell, &columns);
}

static int outcome(struct verb_call *call, bool done)
{
    if (call->out.len != 0)
        print_out(&call->out);
    if (fflush(stdout) != 0 && done) {
        say(stderr, "parta: the output could not be written\n");
        return FAILED;
    }
    show(stderr, call->notes.data, call->notes.len);
    if (done)
        return DONE;
    say(stderr, "parta: %s\n", call->problem.len != 0 ? call->problem.data : "failed");
    if (call->misused)
        say(stderr, "parta: \"parta %s --help\" tells more\n", call->verb->name);
    return call->misused ? MISUSED : *call->held != '\0' ? HELD : FAILED;
}

static void finish(struct request_line *line, struct config *config)
{
    text_finish(&line->call.input);
    text_finish(&line->call.out);
    text_finish(&line->call.notes);
    text_finish(&line->call.problem);
    for (int i = 0; i < VERB_OPTIONS_MAX; ++i)
        free(line->lines[i]);
    config_free(config);
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* "parta", "parta frobnicate", or only the first word of a verb: "parta user", "parta user --help". */
static int without_verb(int argc, char **argv, int at)
{
    bool helped = at + 1 < argc && is_help(argv[at + 1]);
    if (at >= argc) {
        print_usage(stderr);
        return MISUSED;
    }
    if ((helped || at + 1 == argc) && print_verbs(helped ? stdout : stderr, argv[at], strlen(argv[at])) > 0)
        return helped ? DONE : MISUSED;
    say(stderr, "parta: There is no verb %s%s%s; \"parta --help\" lists them.\n", argv[at], at + 1 < argc ? " " : "",
        at + 1 < argc ? argv[at + 1] : "");
    return MISUSED;
}

int main(int argc, char **argv)
{
    struct config *config = NULL;
    const char *path = getenv("PARTA_CONFIG");
    struct request_line line = {.config_path = path != NULL && *path != '\0' ? path : CONFIG_PATH};
    log_set_level(LOG_WARN);
    umask(077); /* what it makes is for the server's user only */
    int first = skip_config(&line, argc, argv), at = first;
    if (first < argc && is_help(argv[first])) {
        print_usage(stdout);
        return DONE;
    }
    line.call.verb = verb_of_words(argc, argv, &at);
    if (line.call.verb == NULL)
        return without_verb(argc, argv, first);
    if (!crypto_start()) {
        say(stderr, "parta: no randomness to be had\n");
        return FAILED;
    }
    bool done = take_words(&line, argc, argv, at);
    if (done && line.help)
        print_help(line.call.verb);
    else
        done = done && run(&line, &config);
    if (!done && *line.call.held != '\0' && confirms(&line.call))
        done = confirm(&line.call);
    int code = outcome(&line.call, done);
    finish(&line, config);
    return code;
}
