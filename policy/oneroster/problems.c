#include "policy/oneroster/problems.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"

static const struct {
    enum problem_weight weight;
    const char *key, *says;
} KINDS[PROBLEM__COUNT] = {
#define X(name, weight, key, says) [PROBLEM_##name] = {PROBLEM_##weight, key, says},
    PROBLEM_KINDS(X)
#undef X
};

static const char *const WEIGHTS[PROBLEM_WEIGHT__COUNT] = {"refused", "left_out", "taken"};

const char *roster_problem_text(const struct roster_problem *problem, char *out, size_t size)
{
    if (problem->line == 0)
        snprintf(out, size, "%s%s%s", problem->file, *problem->file != '\0' ? ": " : "", problem->message);
    else
        snprintf(out, size, "%s:%" PRId64 ":%" PRId64 ": %s", problem->file, problem->line, problem->column,
                 problem->message);
    return out;
}

/* Takes away what is no character any more because it was cut. */
static void mend(char *s)
{
    char *to = s;
    for (size_t n; *s != '\0'; s += n) {
        unsigned char c = (unsigned char)*s;
        n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (strnlen(s, n) < n || !utf8_valid(s, n)) {
            n = 1;
            continue;
        }
        memmove(to, s, n);
        to += n;
    }
    *to = '\0';
}

void roster_problems_add(struct roster_problems *problems, enum problem_kind kind, const char *file, int64_t line,
                         int64_t column, const char *id, const char *fmt, va_list ap)
{
    if (++problems->counts[kind] > PROBLEMS_NAMED_MAX)
        return;
    if (problems->n == problems->cap) {
        problems->cap = problems->cap != 0 ? 2 * problems->cap : 8;
        problems->named = xrealloc(problems->named, problems->cap * sizeof *problems->named);
    }
    struct roster_problem *p = &problems->named[problems->n++];
    *p = (struct roster_problem){.kind = kind, .line = line, .column = column};
    snprintf(p->file, sizeof p->file, "%s", file);
    snprintf(p->id, sizeof p->id, "%s", id);
    vsnprintf(p->message, sizeof p->message, fmt, ap);
    mend(p->file);
    mend(p->id);
    mend(p->message);
}

void roster_problems_tell_of(struct roster_problems *problems, enum problem_kind kind, const char *file, int64_t line,
                             int64_t column, const char *id, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    roster_problems_add(problems, kind, file, line, column, id, fmt, ap);
    va_end(ap);
}

void roster_problems_say(struct roster_problems *problems, enum problem_kind kind, const char *file, const char *fmt,
                         ...)
{
    va_list ap;
    va_start(ap, fmt);
    roster_problems_add(problems, kind, file, 0, 0, "", fmt, ap);
    va_end(ap);
}

void roster_problems_finish(struct roster_problems *problems)
{
    free(problems->named);
    *problems = (struct roster_problems){0};
}

const struct roster_problem *roster_problems_first(const struct roster_problems *problems)
{
    for (size_t i = 0; i < problems->n; ++i)
        if (problems->named[i].kind == PROBLEM_REFUSED)
            return &problems->named[i];
    return NULL;
}

int64_t roster_problems_count(const struct roster_problems *problems, enum problem_weight weight)
{
    int64_t n = 0;
    for (int kind = 0; kind < PROBLEM__COUNT; ++kind)
        n += KINDS[kind].weight == weight ? problems->counts[kind] : 0;
    return n;
}

void roster_problems_add_refusals(struct text *out, const struct roster_problems *problems)
{
    char line[512];
    int64_t more = problems->counts[PROBLEM_REFUSED];
    for (size_t i = 0; i < problems->n; ++i) {
        if (problems->named[i].kind != PROBLEM_REFUSED)
            continue;
        text_addf(out, "%s%s", out->len != 0 ? "\n" : "", roster_problem_text(&problems->named[i], line, sizeof line));
        --more;
    }
    if (more > 0)
        text_addf(out, "\nand %" PRId64 " more", more);
}

void roster_problems_tell_kind(const struct roster_problems *problems, enum problem_kind kind,
                               void (*line)(void *self, const char *line), void *self)
{
    static const char *const WORDS[PROBLEM_WEIGHT__COUNT] = {"refused", "left out", "taken"};
    char where[512], told[600];
    int64_t more = problems->counts[kind];
    if (more == 0)
        return;
    snprintf(told, sizeof told, "%s: %" PRId64 " %s", WORDS[KINDS[kind].weight], more, KINDS[kind].says);
    line(self, told);
    for (size_t i = 0; i < problems->n; ++i) {
        if (problems->named[i].kind != kind)
            continue;
        snprintf(told, sizeof told, "    %s", roster_problem_text(&problems->named[i], where, sizeof where));
        line(self, told);
        --more;
    }
    if (more == 0)
        return;
    snprintf(told, sizeof told, "    and %" PRId64 " more", more);
    line(self, told);
}

void roster_problems_tell(const struct roster_problems *problems, void (*line)(void *self, const char *line),
                          void *self)
{
    for (int kind = 0; kind < PROBLEM__COUNT; ++kind)
        if (KINDS[kind].weight != PROBLEM_REFUSES)
            roster_problems_tell_kind(problems, (enum problem_kind)kind, line, self);
}

void roster_problems_add_counts(struct text *out, const struct roster_problems *problems)
{
    for (int kind = 0; kind < PROBLEM__COUNT; ++kind)
        if (problems->counts[kind] != 0 && KINDS[kind].weight == PROBLEM_LEFT_OUT)
            text_addf(out, "%s%" PRId64 " %s", out->len != 0 ? ", " : "", problems->counts[kind], KINDS[kind].says);
}

static json_t *places_json(const struct roster_problems *problems, enum problem_kind kind)
{
    json_t *out = json_array();
    for (size_t i = 0; i < problems->n; ++i) {
        const struct roster_problem *p = &problems->named[i];
        if (p->kind != kind)
            continue;
        json_t *place = json_pack("{s:s, s:s}", "file", p->file, "problem", p->message);
        if (p->line != 0) {
            json_object_set_new(place, "line", json_integer(p->line));
            json_object_set_new(place, "column", json_integer(p->column));
        }
        if (*p->id != '\0')
            json_object_set_new(place, "sourcedId", json_string(p->id));
        json_array_append_new(out, place);
    }
    return out;
}

json_t *roster_problems_refusals_json(const struct roster_problems *problems)
{
    return places_json(problems, PROBLEM_REFUSED);
}

json_t *roster_problems_remarks_json(const struct roster_problems *problems)
{
    json_t *out = json_array();
    for (int kind = 0; kind < PROBLEM__COUNT; ++kind)
        if (problems->counts[kind] != 0 && KINDS[kind].weight != PROBLEM_REFUSES)
            json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:I, s:o}", "kind", KINDS[kind].key, "weight",
                                                 WEIGHTS[KINDS[kind].weight], "says", KINDS[kind].says, "count",
                                                 (json_int_t)problems->counts[kind], "places",
                                                 places_json(problems, (enum problem_kind)kind)));
    return out;
}
