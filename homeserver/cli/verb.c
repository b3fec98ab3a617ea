#include "homeserver/cli/verb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct verbs *const ALL[] = {&USER_VERBS,   &TOKEN_VERBS,  &ROSTER_VERBS, &SCHOOL_VERBS,     &SEARCH_VERBS,
                                          &RECORD_VERBS, &SIGNUP_VERBS, &AUDIT_VERBS,  &APPSERVICE_VERBS, &ADMIN_VERBS,
                                          &BACKUP_VERBS, &CONFIG_VERBS, &DIARY_VERBS,  &VERSION_VERBS};

const struct verb *verb_at(size_t i)
{
    for (size_t t = 0; t < sizeof ALL / sizeof *ALL; ++t) {
        if (i < ALL[t]->n)
            return &ALL[t]->table[i];
        i -= ALL[t]->n;
    }
    return NULL;
}

/* Names that verbs once had, and that scripts may still use. */
static const struct {
    const char *older, *name;
} ALIASES[] = {
    {"year turn", "school rollover"},
    {"person standing", "person state"},
};

const struct verb *verb_find(const char *name)
{
    const struct verb *verb;
    for (size_t i = 0; i < sizeof ALIASES / sizeof *ALIASES; ++i)
        if (strcmp(ALIASES[i].older, name) == 0)
            name = ALIASES[i].name;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; ++i)
        if (strcmp(verb->name, name) == 0)
            return verb;
    return NULL;
}

static void set_problem(struct verb_call *call, const char *fmt, va_list ap)
{
    char sentence[1024];
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    text_clear(&call->problem);
    text_adds(&call->problem, sentence);
}

bool verb_fail(struct verb_call *call, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_problem(call, fmt, ap);
    va_end(ap);
    return false;
}

bool verb_misuse(struct verb_call *call, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_problem(call, fmt, ap);
    va_end(ap);
    call->misused = true;
    return false;
}

bool verb_fail_error(struct verb_call *call, const struct error *e)
{
    return verb_fail(call, "%s", error_sentence(e));
}

void verb_note(struct verb_call *call, const char *line)
{
    if (call->note != NULL)
        call->note(call, line);
    else
        text_addf(&call->notes, "%s\n", line);
}

bool verb_int(struct verb_call *call, int option, int64_t otherwise, int64_t low, int64_t high, int64_t *out)
{
    const char *text = call->options[option];
    char *end = NULL;
    *out = otherwise;
    if (text == NULL)
        return true;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < low || n > high)
        return verb_misuse(call, "%s must be a whole number from %lld to %lld.", call->verb->options[option].name,
                           (long long)low, (long long)high);
    *out = n;
    return true;
}
