#include "appservice/pattern.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"

#define WORDS 4         /* of 64 bits: a set of positions, or of bytes */
#define DEPTH_MAX 32    /* of parentheses */
#define STEPS_MAX 20000 /* of the parser: empty groups may be repeated without any position */

struct set {
    uint64_t words[WORDS];
};

/* Positions are numbered from 1. The expression begins at one of first, goes on from each by follow, and is whole at
 * one of last, or where nothing is left to match. */
struct pattern {
    int n;
    bool nullable;
    struct set first, last;
    struct set bytes[PATTERN_POSITIONS_MAX + 1], follow[PATTERN_POSITIONS_MAX + 1];
};

static void set_add(struct set *set, int i)
{
    set->words[i >> 6] |= UINT64_C(1) << (i & 63);
}

static bool set_has(const struct set *set, int i)
{
    return (set->words[i >> 6] >> (i & 63) & 1) != 0;
}

static void set_join(struct set *set, const struct set *other)
{
    for (int w = 0; w < WORDS; ++w)
        set->words[w] |= other->words[w];
}

static bool set_meets(const struct set *a, const struct set *b)
{
    uint64_t both = 0;
    for (int w = 0; w < WORDS; ++w)
        both |= a->words[w] & b->words[w];
    return both != 0;
}

/* The next member after i; 256: none. */
static int set_next(const struct set *set, int i)
{
    for (++i; i < 256; i = (i | 63) + 1) {
        uint64_t rest = set->words[i >> 6] >> (i & 63);
        if (rest != 0)
            return i + __builtin_ctzll(rest);
    }
    return 256;
}

/* --- Parsing --- */

/* A part of the expression. */
struct part {
    bool nullable;
    struct set first, last;
};

struct parser {
    struct pattern *pattern;
    const char *at;
    const char *problem; /* NULL: none yet */
    int depth, steps;
    bool split; /* alternatives outside of parentheses */
};

static bool fail(struct parser *p, const char *problem)
{
    if (p->problem == NULL)
        p->problem = problem;
    return false;
}

static bool step(struct parser *p)
{
    return ++p->steps <= STEPS_MAX || fail(p, "it is too long, written out");
}

static void link_parts(struct parser *p, const struct set *from, const struct set *to)
{
    for (int i = set_next(from, 0); i < 256; i = set_next(from, i))
        set_join(&p->pattern->follow[i], to);
}

static void concatenate(struct parser *p, struct part *a, const struct part *b)
{
    link_parts(p, &a->last, &b->first);
    if (a->nullable)
        set_join(&a->first, &b->first);
    if (b->nullable)
        set_join(&a->last, &b->last);
    else
        a->last = b->last;
    a->nullable = a->nullable && b->nullable;
}

static void alternate(struct part *a, const struct part *b)
{
    a->nullable = a->nullable || b->nullable;
    set_join(&a->first, &b->first);
    set_join(&a->last, &b->last);
}

static bool one_of(struct parser *p, const struct set *bytes, struct part *out)
{
    int i = p->pattern->n + 1;
    if (i > PATTERN_POSITIONS_MAX)
        return fail(p, "it is too long, written out");
    p->pattern->n = i;
    p->pattern->bytes[i] = *bytes;
    *out = (struct part){0};
    set_add(&out->first, i);
    out->last = out->first;
    return true;
}

static void invert(struct set *bytes)
{
    for (int w = 0; w < WORDS; ++w)
        bytes->words[w] = ~bytes->words[w];
    bytes->words[0] &= ~UINT64_C(1); /* names have no NUL */
}

static int is_word(int c)
{
    return isalnum(c) != 0 || c == '_';
}

static void add_class(struct set *bytes, int (*belongs)(int c))
{
    for (int c = 0; c < 128; ++c)
        if (belongs(c) != 0)
            set_add(bytes, c);
}

/* \d and the like; false: c is none. */
static bool escaped_class(char c, struct set *bytes)
{
    static const struct {
        char c;
        int (*belongs)(int c);
    } CLASSES[] = {{'d', isdigit}, {'w', is_word}, {'s', isspace}};
    for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; ++i)
        if (tolower((unsigned char)c) == CLASSES[i].c) {
            struct set found = {0};
            add_class(&found, CLASSES[i].belongs);
            if (c != CLASSES[i].c)
                invert(&found);
            set_join(bytes, &found);
            return true;
        }
    return false;
}

/* Behind a backslash. single: the one byte it stands for, −1: a class. */
static bool escape(struct parser *p, struct set *bytes, int *single)
{
    unsigned char c = (unsigned char)*p->at;
    *single = -1;
    if (c == '\0')
        return fail(p, "it ends in a backslash");
    ++p->at;
    if (escaped_class((char)c, bytes))
        return true;
    if (isalnum(c) || c >= 128)
        return fail(p, "it has a backslash sequence that is not known here (\\d, \\w, \\s and signs are)");
    *single = c;
    set_add(bytes, c);
    return true;
}

/* [:alpha:] inside of brackets. */
static bool named_class(struct parser *p, struct set *bytes)
{
    static const struct {
        const char *name;
        int (*belongs)(int c);
    } CLASSES[] = {{"[:alpha:]", isalpha}, {"[:digit:]", isdigit}, {"[:alnum:]", isalnum}, {"[:lower:]", islower},
                   {"[:upper:]", isupper}, {"[:space:]", isspace}, {"[:punct:]", ispunct}, {"[:xdigit:]", isxdigit}};
    for (size_t i = 0; i < sizeof CLASSES / sizeof *CLASSES; ++i)
        if (strncmp(p->at, CLASSES[i].name, strlen(CLASSES[i].name)) == 0) {
            add_class(bytes, CLASSES[i].belongs);
            p->at += strlen(CLASSES[i].name);
            return true;
        }
    return fail(p, "it has a class in brackets that is not known");
}

static bool bracket_item(struct parser *p, struct set *bytes, int *single)
{
    if (p->at[0] == '[' && p->at[1] == ':') {
        *single = -1;
        return named_class(p, bytes);
    }
    if (*p->at == '\\') {
        ++p->at;
        return escape(p, bytes, single);
    }
    *single = (unsigned char)*p->at++;
    if (*single >= 128)
        return fail(p, "brackets hold ASCII only");
    set_add(bytes, *single);
    return true;
}

static bool brackets(struct parser *p, struct part *out)
{
    struct set bytes = {0};
    bool inverted = *p->at == '^', begun = false;
    p->at += inverted;
    for (; *p->at != ']' || !begun; begun = true) {
        int low, high;
        if (*p->at == '\0')
            return fail(p, "a bracket is not closed");
        if (!step(p) || !bracket_item(p, &bytes, &low))
            return false;
        if (low < 0 || p->at[0] != '-' || p->at[1] == ']' || p->at[1] == '\0')
            continue;
        ++p->at;
        if (!bracket_item(p, &bytes, &high))
            return false;
        if (high < low)
            return fail(p, "a range in brackets goes backwards");
        for (int c = low; c <= high; ++c)
            set_add(&bytes, c);
    }
    ++p->at;
    if (inverted)
        invert(&bytes);
    return one_of(p, &bytes, out);
}

static bool alternatives(struct parser *p, struct part *out);

static bool group(struct parser *p, struct part *out)
{
    if (p->at[0] == '?' && p->at[1] != ':')
        return fail(p, "looking ahead, names and flags are not taken");
    p->at += p->at[0] == '?' ? 2 : 0;
    if (++p->depth > DEPTH_MAX)
        return fail(p, "its parentheses are too deep");
    if (!alternatives(p, out))
        return false;
    --p->depth;
    if (*p->at != ')')
        return fail(p, "a parenthesis is not closed");
    ++p->at;
    return true;
}

static bool atom(struct parser *p, struct part *out)
{
    struct set bytes = {0};
    int single;
    unsigned char c = (unsigned char)*p->at;
    if (!step(p))
        return false;
    if (strchr("*+?{", c) != NULL)
        return fail(p, "there is nothing to repeat");
    if (c == '^' || c == '$')
        return fail(p, "^ may stand at its beginning, $ at its end alone");
    ++p->at;
    switch (c) {
    case '(': return group(p, out);
    case '[': return brackets(p, out);
    case '.': invert(&bytes); break;
    case '\\':
        if (!escape(p, &bytes, &single))
            return false;
        break;
    default: set_add(&bytes, c);
    }
    return one_of(p, &bytes, out);
}

/* {m}, {m,}, {m,n}: *high −1: without end. */
static bool counts(struct parser *p, int *low, int *high)
{
    char *end;
    if (!isdigit((unsigned char)*p->at))
        return fail(p, "a brace has no number in it");
    unsigned long m = strtoul(p->at, &end, 10), n = m;
    bool open = false;
    if (*end == ',') {
        open = end[1] == '}';
        if (!open && !isdigit((unsigned char)end[1]))
            return fail(p, "a brace is not closed");
        n = open ? m : strtoul(end + 1, &end, 10);
        end += open;
    }
    if (*end != '}')
        return fail(p, "a brace is not closed");
    if (m > PATTERN_POSITIONS_MAX || n > PATTERN_POSITIONS_MAX || n < m)
        return fail(p, "a number in braces is too large, or they go backwards");
    p->at = end + 1;
    *low = (int)m;
    *high = open ? -1 : (int)n;
    return true;
}

static bool quantifier(struct parser *p, int *low, int *high)
{
    *low = *high = 1;
    switch (*p->at) {
    case '*':
        *low = 0;
        *high = -1;
        break;
    case '+': *high = -1; break;
    case '?': *low = 0; break;
    case '{':
        ++p->at;
        if (!counts(p, low, high))
            return false;
        --p->at; /* the closing brace, or what counts for it below */
        break;
    default: return true;
    }
    ++p->at;
    p->at += *p->at == '?'; /* lazy */
    return strchr("*+?{", *p->at) == NULL || *p->at == '\0' || fail(p, "two repetitions stand one behind the other");
}

/* An atom as often as it is said: written out by reading it again. */
static bool repeated(struct parser *p, struct part *out)
{
    const char *from = p->at, *behind;
    struct part one;
    int low, high;
    if (!atom(p, &one) || !quantifier(p, &low, &high))
        return false;
    behind = p->at;
    *out = (struct part){.nullable = true};
    int times = high < 0 ? (low > 1 ? low : 1) : high;
    if (times == 0) /* {0}: its positions are there and lead nowhere */
        return true;
    for (int i = 0; i < times; ++i) {
        p->at = from;
        if (i > 0 && !atom(p, &one))
            return false;
        if (high < 0 && i == times - 1)
            link_parts(p, &one.last, &one.first);
        if (i >= low)
            one.nullable = true;
        concatenate(p, out, &one);
    }
    p->at = behind;
    return true;
}

static bool sequence(struct parser *p, struct part *out)
{
    *out = (struct part){.nullable = true};
    while (*p->at != '\0' && *p->at != '|' && *p->at != ')' && !(p->at[0] == '$' && p->at[1] == '\0')) {
        struct part next;
        if (!repeated(p, &next))
            return false;
        concatenate(p, out, &next);
    }
    return true;
}

static bool alternatives(struct parser *p, struct part *out)
{
    if (!sequence(p, out))
        return false;
    while (*p->at == '|') {
        struct part next;
        ++p->at;
        p->split |= p->depth == 0;
        if (!step(p) || !sequence(p, &next))
            return false;
        alternate(out, &next);
    }
    return true;
}

/* Without $ anything may follow: then a match is always of a whole name. */
static bool whole(struct parser *p, struct part *out)
{
    struct set any = {0};
    struct part rest;
    bool begins = *p->at == '^';
    p->at += begins;
    if (!alternatives(p, out))
        return false;
    if (*p->at == ')')
        return fail(p, "a parenthesis closes nothing");
    if ((begins || *p->at == '$') && p->split)
        return fail(p, "beside ^ or $ alternatives stand in parentheses");
    if (*p->at == '$')
        return true;
    invert(&any);
    if (!one_of(p, &any, &rest))
        return false;
    link_parts(p, &rest.last, &rest.first);
    rest.nullable = true;
    concatenate(p, out, &rest);
    return true;
}

struct pattern *pattern_compile(const char *text, const char **problem)
{
    struct part all;
    size_t len = strlen(text);
    if (len == 0 || len > PATTERN_BYTES_MAX) {
        *problem = len == 0 ? "it is empty" : "it is longer than 512 bytes";
        return NULL;
    }
    struct parser parser = {.pattern = xcalloc(1, sizeof(struct pattern)), .at = text};
    if (!whole(&parser, &all)) {
        *problem = parser.problem;
        pattern_destroy(parser.pattern);
        return NULL;
    }
    parser.pattern->nullable = all.nullable;
    parser.pattern->first = all.first;
    parser.pattern->last = all.last;
    return parser.pattern;
}

void pattern_destroy(struct pattern *pattern)
{
    free(pattern);
}

/* --- Matching --- */

bool pattern_matches(const struct pattern *pattern, const char *name)
{
    struct set may = pattern->first, at = {0};
    if (*name == '\0')
        return pattern->nullable;
    for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; ++c) {
        struct set next = {0};
        at = (struct set){0};
        for (int i = set_next(&may, 0); i < 256; i = set_next(&may, i))
            if (set_has(&pattern->bytes[i], *c)) {
                set_add(&at, i);
                set_join(&next, &pattern->follow[i]);
            }
        may = next;
    }
    return set_meets(&at, &pattern->last);
}

/* Pairs of positions, and which of them one name can lead to: of each position of a those of b that were tried, and of
 * these the ones that have a byte in common and were not gone on from yet. Sets of b at once: each pair is tried once,
 * so that of the worst patterns there are, too, two are multiplied in milliseconds. */
struct walk {
    const struct pattern *a, *b;
    struct set tried[256], pending[256];
};

static void meet(struct walk *w, int i, const struct set *bs)
{
    struct set news;
    for (int word = 0; word < WORDS; ++word) {
        news.words[word] = bs->words[word] & ~w->tried[i].words[word];
        w->tried[i].words[word] |= news.words[word];
    }
    for (int k = set_next(&news, 0); k < 256; k = set_next(&news, k))
        if (set_meets(&w->a->bytes[i], &w->b->bytes[k]))
            set_add(&w->pending[i], k);
}

/* Goes on from all that is pending at i; true: a name ends there. */
static bool go_on(struct walk *w, int i)
{
    const struct set at = w->pending[i];
    struct set next = {0};
    if (set_has(&w->a->last, i) && set_meets(&at, &w->b->last))
        return true;
    w->pending[i] = (struct set){0};
    for (int k = set_next(&at, 0); k < 256; k = set_next(&at, k))
        set_join(&next, &w->b->follow[k]);
    for (int to = set_next(&w->a->follow[i], 0); to < 256; to = set_next(&w->a->follow[i], to))
        meet(w, to, &next);
    return false;
}

bool pattern_meets(const struct pattern *a, const struct pattern *b)
{
    static const struct set NONE;
    struct walk w = {.a = a, .b = b};
    if (a->nullable && b->nullable)
        return true;
    for (int i = set_next(&a->first, 0); i < 256; i = set_next(&a->first, i))
        meet(&w, i, &b->first);
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 1; i <= a->n; ++i)
            if (memcmp(&w.pending[i], &NONE, sizeof NONE) != 0) {
                moved = true;
                if (go_on(&w, i))
                    return true;
            }
    }
    return false;
}
