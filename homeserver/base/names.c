#include "homeserver/base/names.h"

#include <stdint.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

#define MARKS_MAX 4 /* combining marks in a row: no writing needs more */

struct range {
    uint32_t first, last;
};

/* By Unicode 15: Cc, Cf, Zl, Zp, Co, noncharacters, default-ignorable code points and what fonts
 * leave empty, ascending. */
static const struct range UNSEEN[] = {
    {0x0, 0x1f},        {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},
    {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},
    {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f},   {0x2800, 0x2800},   {0x3164, 0x3164},   {0xd800, 0xf8ff},   {0xfdd0, 0xfdef},
    {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffc},   {0xfffe, 0xffff},
    {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x13440}, {0x1bca0, 0x1bca3}, {0x1d159, 0x1d159},
    {0x1d173, 0x1d17a}, {0x1fffe, 0x1ffff}, {0x2fffe, 0x2ffff}, {0x3fffe, 0xdffff}, {0xe0000, 0xffffffff},
};

static const struct range SPACES[] = {
    {0x9, 0xa},       {0xd, 0xd},       {0x20, 0x20},     {0xa0, 0xa0},     {0x1680, 0x1680},
    {0x2000, 0x200a}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
};

/* Combining marks that stack on any letter; those that are part of a syllable stand for themselves. */
static const struct range MARKS[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x5bf, 0x5bf},   {0x5c1, 0x5c2},
    {0x5c4, 0x5c5},   {0x610, 0x61a},   {0x64b, 0x65f},   {0x670, 0x670},   {0x6d6, 0x6dc},
    {0x6df, 0x6e4},   {0xe31, 0xe31},   {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0x302a, 0x302f}, {0x3099, 0x309a}, {0xfe20, 0xfe2f},
};

static const struct range PICTOGRAMS[] = {
    {0x23, 0x23},     {0x2a, 0x2a},     {0x30, 0x39},     {0xa9, 0xa9},     {0xae, 0xae},       {0x203c, 0x2049},
    {0x2122, 0x2bff}, {0x3030, 0x303d}, {0x3297, 0x3299}, {0xfe0f, 0xfe0f}, {0x1f000, 0x1faff},
};

/* Punctuation and symbols: they are seen, and say nothing. */
static const struct range SIGNS[] = {
    {0x21, 0x2f},     {0x3a, 0x40},     {0x5b, 0x60},     {0x7b, 0x7e},       {0xa1, 0xa9},     {0xab, 0xb4},
    {0xb6, 0xb9},     {0xbb, 0xbf},     {0xd7, 0xd7},     {0xf7, 0xf7},       {0x2b0, 0x2ff},   {0x37e, 0x37e},
    {0x387, 0x387},   {0x55a, 0x55f},   {0x589, 0x58f},   {0x5be, 0x5be},     {0x5f3, 0x5f4},   {0x606, 0x60f},
    {0x61b, 0x61f},   {0x66a, 0x66d},   {0x6d4, 0x6d4},   {0x964, 0x965},     {0x2010, 0x2027}, {0x2030, 0x205e},
    {0x2070, 0x209f}, {0x20a0, 0x20cf}, {0x2100, 0x2bff}, {0x2e00, 0x2e7f},   {0x3001, 0x3004}, {0x3007, 0x3020},
    {0x3030, 0x303f}, {0x30fb, 0x30fb}, {0x3200, 0x33ff}, {0xfe10, 0xfe6f},   {0xff01, 0xff0f}, {0xff1a, 0xff20},
    {0xff3b, 0xff40}, {0xff5b, 0xff65}, {0xffe0, 0xffef}, {0x1f000, 0x1faff},
};

static bool is_in(const struct range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n && ranges[i].first <= c; ++i)
        if (c <= ranges[i].last)
            return true;
    return false;
}
#define ALL(ranges) (ranges), sizeof(ranges) / sizeof *(ranges)

/* One character of valid UTF-8; moves *s behind it. */
static uint32_t take(const char **s)
{
    uint32_t c = (unsigned char)*(*s)++;
    if (c < 0x80)
        return c;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    for (c &= 0x3fu >> more; more != 0; --more)
        c = c << 6 | ((unsigned char)*(*s)++ & 0x3f);
    return c;
}

static const char UNSEEN_FAULT[] =
    "written with a character that nobody sees: a control character, a zero-width one or "
    "one that turns the direction";
static const char UTF8_FAULT[] = "not UTF-8";

/* What stands unseen inside a pictogram: one selector behind it, a joiner behind either. */
static bool joins(uint32_t c, uint32_t before)
{
    return (c == EMOJI_JOINER || (c == EMOJI_VARIATION && before != EMOJI_VARIATION)) && is_in(ALL(PICTOGRAMS), before);
}

static const char *fault(const char *text, size_t bytes_max, bool lines)
{
    size_t len = strlen(text);
    uint32_t before = 0;
    int marks = 0;
    if (len > bytes_max)
        return "too long";
    if (!utf8_valid(text, len))
        return UTF8_FAULT;
    for (const char *at = text; *at != '\0';) {
        uint32_t c = take(&at);
        bool mark = is_in(ALL(MARKS), c);
        marks = mark ? marks + 1 : 0;
        bool in_place = (lines && (c == '\n' || c == '\r' || c == '\t')) || joins(c, before);
        if (is_in(ALL(UNSEEN), c) && !in_place)
            return UNSEEN_FAULT;
        if (marks > MARKS_MAX || (mark && (before == 0 || is_in(ALL(SPACES), before))))
            return "written with combining marks without a letter";
        before = c;
    }
    return NULL;
}

const char *token_fault(const char *token)
{
    if (!utf8_valid(token, strlen(token)))
        return UTF8_FAULT;
    for (const char *at = token; *at != '\0';)
        if (is_in(ALL(UNSEEN), take(&at)))
            return UNSEEN_FAULT;
    return NULL;
}

/* --- For a terminal --- */

static void add_escaped(struct text *out, uint32_t c)
{
    static const char SHORT[] = {['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r'};
    if (c < sizeof SHORT && SHORT[c] != '\0')
        text_addf(out, "\\%c", SHORT[c]);
    else if (c < 0x10000)
        text_addf(out, "\\u%04x", (unsigned)c);
    else
        text_addf(out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (c >> 10)), (unsigned)(0xdc00 + (c & 0x3ff)));
}

/* How many bytes the character at s has; 0: it is none. */
static size_t character_bytes(const char *s, size_t left)
{
    unsigned char lead = (unsigned char)*s;
    size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return n == 1 || (n <= left && utf8_valid(s, n)) ? n : 0;
}

void text_add_visible(struct text *out, const char *bytes, size_t len, bool lines)
{
    uint32_t before = 0;
    for (size_t at = 0, n; at < len; at += n != 0 ? n : 1) {
        const char *s = bytes + at;
        n = character_bytes(s, len - at);
        uint32_t c = n != 0 ? take(&s) : 0xfffd;
        bool in_place = (lines && (c == '\n' || c == '\t')) || joins(c, before);
        bool hidden = is_in(ALL(UNSEEN), c) && !in_place;
        if (n == 0)
            text_adds(out, "\xef\xbf\xbd");
        else if (hidden)
            add_escaped(out, c);
        else
            text_add(out, bytes + at, n);
        before = hidden ? 0 : c;
    }
}

bool text_is_blank(const char *text)
{
    if (!utf8_valid(text, strlen(text)))
        return false;
    while (*text != '\0') {
        uint32_t c = take(&text);
        if (!is_in(ALL(SPACES), c) && !is_in(ALL(UNSEEN), c) && !is_in(ALL(MARKS), c))
            return false;
    }
    return true;
}

const char *name_fault(const char *name, size_t bytes_max)
{
    const char *why = fault(name, bytes_max, false);
    return why != NULL || !text_is_blank(name) ? why : *name == '\0' ? "empty" : "blank";
}

bool name_valid(const char *name, size_t bytes_max)
{
    return name_fault(name, bytes_max) == NULL;
}

const char *words_fault(const char *text, size_t bytes_max)
{
    return fault(text, bytes_max, true);
}

size_t text_letters(const char *text, size_t *different)
{
    uint32_t seen[LETTERS_TOLD_APART];
    size_t n = 0;
    *different = 0;
    while (*text != '\0') {
        uint32_t c = take(&text);
        if (is_in(ALL(SPACES), c) || is_in(ALL(UNSEEN), c) || is_in(ALL(MARKS), c) || is_in(ALL(SIGNS), c))
            continue;
        size_t i = 0;
        while (i < *different && seen[i] != c)
            ++i;
        if (i == *different && i < LETTERS_TOLD_APART)
            seen[(*different)++] = c;
        ++n;
    }
    return n;
}
