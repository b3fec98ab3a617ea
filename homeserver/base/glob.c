#include "homeserver/base/glob.h"

#include <string.h>

/* Capital letters: every step-th code point from first to last has its small one delta further. Sorted. Left out is
 * what would change the length in UTF-8 (U+0130, U+1E9E, …). */
static const struct fold_range {
    uint16_t first, last;
    int16_t delta;
    uint8_t step;
} FOLDS[] = {
    {0x00C0, 0x00D6, 32, 1},  {0x00D8, 0x00DE, 32, 1}, {0x0100, 0x012E, 1, 2},    {0x0132, 0x0136, 1, 2},
    {0x0139, 0x0147, 1, 2},   {0x014A, 0x0176, 1, 2},  {0x0178, 0x0178, -121, 1}, {0x0179, 0x017D, 1, 2},
    {0x018F, 0x018F, 202, 1}, {0x01A0, 0x01A4, 1, 2},  {0x01AF, 0x01AF, 1, 1},    {0x01CD, 0x01DB, 1, 2},
    {0x01DE, 0x01EE, 1, 2},   {0x01F8, 0x021E, 1, 2},  {0x0222, 0x0232, 1, 2},    {0x0386, 0x0386, 38, 1},
    {0x0388, 0x038A, 37, 1},  {0x038C, 0x038C, 64, 1}, {0x038E, 0x038F, 63, 1},   {0x0391, 0x03A1, 32, 1},
    {0x03A3, 0x03AB, 32, 1},  {0x03C2, 0x03C2, 1, 1},  {0x03D8, 0x03EE, 1, 2},    {0x0400, 0x040F, 80, 1},
    {0x0410, 0x042F, 32, 1},  {0x0460, 0x0480, 1, 2},  {0x048A, 0x04BE, 1, 2},    {0x04C0, 0x04C0, 15, 1},
    {0x04C1, 0x04CD, 1, 2},   {0x04D0, 0x052E, 1, 2},  {0x0531, 0x0556, 48, 1},   {0x1E00, 0x1E94, 1, 2},
    {0x1EA0, 0x1EFE, 1, 2},   {0xFF21, 0xFF3A, 32, 1},
};

static unsigned fold_code_point(unsigned c)
{
    size_t low = 0, high = sizeof FOLDS / sizeof *FOLDS;
    if (c >= 0x0430 && c <= 0x045F) /* small Cyrillic letters, most of what is written here */
        return c;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > FOLDS[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == sizeof FOLDS / sizeof *FOLDS || c < FOLDS[low].first || (c - FOLDS[low].first) % FOLDS[low].step != 0)
        return c;
    return (unsigned)((int)c + FOLDS[low].delta);
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Folds the character at s, of at most left bytes (> 0), into out. Returns its length; bytes that are no character of
 * two or three bytes are copied one by one. */
static size_t fold_one(char *out, const char *s, size_t left)
{
    unsigned char c = (unsigned char)s[0];
    if (c < 0x80) {
        out[0] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        return 1;
    }
    if (c >= 0xC2 && c <= 0xDF && left >= 2 && continues(s[1])) {
        unsigned to = fold_code_point((c & 0x1Fu) << 6 | ((unsigned char)s[1] & 0x3Fu));
        out[0] = (char)(0xC0 | to >> 6);
        out[1] = (char)(0x80 | (to & 0x3F));
        return 2;
    }
    if ((c & 0xF0) == 0xE0 && left >= 3 && continues(s[1]) && continues(s[2])) {
        unsigned from = (c & 0x0Fu) << 12 | ((unsigned char)s[1] & 0x3Fu) << 6 | ((unsigned char)s[2] & 0x3Fu);
        unsigned to = from < 0x800 ? from : fold_code_point(from);
        out[0] = (char)(0xE0 | to >> 12);
        out[1] = (char)(0x80 | (to >> 6 & 0x3F));
        out[2] = (char)(0x80 | (to & 0x3F));
        return 3;
    }
    out[0] = (char)c;
    return 1;
}

void glob_fold(char *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len;)
        i += fold_one(out + i, s + i, len - i);
}

bool glob_fold_equal(const char *s, const char *folded, size_t len)
{
    if (memcmp(s, folded, len) == 0) /* most of what is compared is small letters; folded is then folded already */
        return true;
    for (size_t i = 0; i < len;) {
        char one[3];
        size_t n = fold_one(one, s + i, len - i);
        if (memcmp(one, folded + i, n) != 0)
            return false;
        i += n;
    }
    return true;
}

bool glob_has_wildcard(const char *pattern, size_t len)
{
    return memchr(pattern, '*', len) != NULL || memchr(pattern, '?', len) != NULL;
}

static bool spend(uint32_t *budget, size_t steps)
{
    if (*budget < steps) {
        *budget = 0;
        return false;
    }
    *budget -= (uint32_t)steps;
    return true;
}

static size_t char_len(const char *s, const char *end)
{
    const char *p = s + 1;
    while (p < end && p < s + 4 && continues(*p))
        ++p;
    return (size_t)(p - s);
}

/* Matches a run of pattern without "*" at s. Returns how many bytes of s it took, −1: it does not match. */
static int64_t match_run(const char *run, size_t run_len, const char *s, const char *end)
{
    const char *at = s;
    for (size_t i = 0; i < run_len; ++i) {
        if (at == end || (run[i] != '?' && run[i] != *at))
            return -1;
        at += run[i] == '?' ? char_len(at, end) : 1;
    }
    return at - s;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* A text that runs are looked for in. */
struct subject {
    const char *s;
    size_t len;
    bool words; /* begin and end mean a word boundary, else the ends of the text */
};

static bool is_boundary(const struct subject *t, size_t at)
{
    return at == 0 || at == t->len || !is_word(t->s[at - 1]) || !is_word(t->s[at]);
}

/* A piece of a pattern between two "*". */
struct run {
    const char *s;
    size_t len;
    bool literal;     /* "?" stands for itself or is not in it */
    bool first, last; /* begins or ends the pattern: must do so in the text as well */
};

static bool fits(const struct subject *t, const struct run *run, size_t begin, size_t end)
{
    if (t->words)
        return (!run->first || is_boundary(t, begin)) && (!run->last || is_boundary(t, end));
    return (!run->first || begin == 0) && (!run->last || end == t->len);
}

/* Finds the first place of a run at or after from where it fits. Returns where it ends there, −1: nowhere. */
static int64_t find_literal(const struct subject *t, const struct run *run, size_t from, uint32_t *budget)
{
    while (from + run->len <= t->len) {
        const char *hit = run->len == 0 ? t->s + from : memmem(t->s + from, t->len - from, run->s, run->len);
        size_t begin = hit == NULL ? t->len : (size_t)(hit - t->s);
        if (!spend(budget, (begin - from) / 8 + 2) || hit == NULL)
            return -1;
        if (fits(t, run, begin, begin + run->len))
            return (int64_t)(begin + run->len);
        from = begin + 1;
    }
    return -1;
}

static int64_t find_wild(const struct subject *t, const struct run *run, size_t from, uint32_t *budget)
{
    while (from <= t->len) {
        int64_t took = match_run(run->s, run->len, t->s + from, t->s + t->len);
        if (!spend(budget, run->len / 4 + 2))
            return -1;
        if (took >= 0 && fits(t, run, from, from + (size_t)took))
            return (int64_t)from + took;
        from += from < t->len ? char_len(t->s + from, t->s + t->len) : 1;
    }
    return -1;
}

/* Run after run, each at its first place behind the one before: an earlier place never spoils a later run. */
static bool match_runs(const char *pattern, size_t pattern_len, const struct subject *t, uint32_t *budget)
{
    const char *p = pattern, *end = pattern + pattern_len;
    int64_t at = 0;
    for (bool first = true; at >= 0; first = false) {
        const char *star = memchr(p, '*', (size_t)(end - p));
        const char *stop = star != NULL ? star : end;
        struct run run = {.s = p, .len = (size_t)(stop - p), .first = first, .last = star == NULL};
        run.literal = memchr(p, '?', run.len) == NULL;
        at = (run.literal ? find_literal : find_wild)(t, &run, (size_t)at, budget);
        if (star == NULL)
            break;
        p = star + 1;
    }
    return at >= 0;
}

bool glob_match_words(const char *pattern, size_t pattern_len, const char *s, size_t len, uint32_t *budget)
{
    return match_runs(pattern, pattern_len, &(struct subject){s, len, true}, budget);
}

/* As match_runs for the whole text, but the ends are compared where they must be instead of being looked for. */
bool glob_match(const char *pattern, size_t pattern_len, const char *s, size_t len, uint32_t *budget)
{
    const char *star = memchr(pattern, '*', pattern_len);
    size_t head = star != NULL ? (size_t)(star - pattern) : pattern_len;
    int64_t took = match_run(pattern, head, s, s + len);
    if (!spend(budget, head + 1) || took < 0)
        return false;
    if (star == NULL)
        return (size_t)took == len;
    struct subject rest = {s + took, len - (size_t)took, false};
    return match_runs(star, pattern_len - head, &rest, budget);
}

bool glob_find_words(const char *needle, size_t needle_len, const char *s, size_t len, uint32_t *budget)
{
    struct run run = {needle, needle_len, true, true, true};
    return needle_len != 0 && find_literal(&(struct subject){s, len, true}, &run, 0, budget) >= 0;
}
