#include "homeserver/media/opengraph.h"

#include <string.h>
#include <strings.h>

#include "homeserver/base/ids.h"

struct span {
    const char *at;
    size_t len;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is(struct span s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

/* --- Texts --- */

static size_t utf8_put(unsigned long c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; --i, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

/* The number of "&#1040;", "&#x410;". 0: it is none that is a character. */
static unsigned long number_of(struct span s)
{
    unsigned long value = 0;
    bool hex = s.len > 1 && (s.at[1] == 'x' || s.at[1] == 'X');
    size_t i = hex ? 2 : 1;
    for (; i < s.len && value <= 0x10ffff; ++i) {
        char c = s.at[i];
        int digit = c >= '0' && c <= '9'          ? c - '0'
                    : hex && c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : hex && c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                  : -1;
        if (digit < 0)
            return 0;
        value = value * (hex ? 16 : 10) + (unsigned long)digit;
    }
    bool good =
        value >= 0x20 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff) && (value < 0x7f || value > 0x9f);
    return good ? value : 0;
}

#define ENTITY_MAX 10

/* The character reference at s ("&amp;"): how long it is, and what it stands for. 0: it is none. */
static size_t reference(struct span s, char out[4], size_t *n)
{
    static const struct {
        const char *name, *text;
    } NAMED[] = {{"amp", "&"},   {"lt", "<"},    {"gt", ">"},    {"quot", "\""}, {"apos", "'"},  {"nbsp", " "},
                 {"laquo", "«"}, {"raquo", "»"}, {"mdash", "—"}, {"ndash", "–"}, {"hellip", "…"}};
    size_t end = 1;
    while (end < s.len && end < ENTITY_MAX && s.at[end] != ';')
        ++end;
    if (end >= s.len || s.at[end] != ';')
        return 0;
    struct span name = {s.at + 1, end - 1};
    unsigned long c = name.len > 1 && name.at[0] == '#' ? number_of(name) : 0;
    *n = c != 0 ? utf8_put(c, out) : 0;
    for (size_t i = 0; c == 0 && i < sizeof NAMED / sizeof *NAMED; ++i)
        if (name.len == strlen(NAMED[i].name) && memcmp(name.at, NAMED[i].name, name.len) == 0) {
            *n = strlen(NAMED[i].text);
            memcpy(out, NAMED[i].text, *n);
        }
    return *n != 0 ? end + 1 : 0;
}

/* The text with its references resolved, control characters and runs of space as one space, cut to size − 1 bytes. */
static void take_text(struct span s, char *out, size_t size)
{
    size_t len = 0;
    bool space = false;
    for (size_t i = 0; i < s.len;) {
        char c[4] = {s.at[i]};
        size_t n = 1, used = s.at[i] == '&' ? reference((struct span){s.at + i, s.len - i}, c, &n) : 0;
        if (used == 0) {
            unsigned char first = (unsigned char)s.at[i];
            used = n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
            if (used > s.len - i)
                break;
            memcpy(c, s.at + i, n);
        }
        i += used;
        if (n == 1 && ((unsigned char)c[0] <= ' ' || c[0] == 0x7f)) {
            space = len != 0;
            continue;
        }
        if (len + space + n >= size)
            break;
        if (space)
            out[len++] = ' ';
        space = false;
        memcpy(out + len, c, n);
        len += n;
    }
    out[len] = '\0';
}

/* --- The page --- */

struct page {
    const char *at, *end;
};

/* The next attribute of the tag that the page stands in; its value without quotes. false: the tag has ended. */
static bool next_attribute(struct page *p, struct span *name, struct span *value)
{
    while (p->at < p->end && (is_space(*p->at) || *p->at == '/'))
        ++p->at;
    if (p->at == p->end || *p->at == '>')
        return false;
    const char *start = p->at++;
    while (p->at < p->end && !is_space(*p->at) && *p->at != '=' && *p->at != '>' && *p->at != '/')
        ++p->at;
    *name = (struct span){start, (size_t)(p->at - start)};
    *value = (struct span){p->at, 0};
    while (p->at < p->end && is_space(*p->at))
        ++p->at;
    if (p->at == p->end || *p->at != '=')
        return true;
    ++p->at;
    while (p->at < p->end && is_space(*p->at))
        ++p->at;
    char quote = '\0';
    if (p->at < p->end && (*p->at == '"' || *p->at == '\''))
        quote = *p->at++;
    start = p->at;
    while (p->at < p->end && (quote != '\0' ? *p->at != quote : !is_space(*p->at) && *p->at != '>'))
        ++p->at;
    *value = (struct span){start, (size_t)(p->at - start)};
    if (quote != '\0' && p->at < p->end)
        ++p->at;
    return true;
}

/* By what a member is called in a page; the first of a field that is there counts. */
static void take_meta(struct span property, struct span content, struct opengraph *out, bool *described)
{
    const struct {
        const char *name;
        char *field;
        size_t size;
    } FIELDS[] = {{"og:title", out->title, sizeof out->title},
                  {"og:description", out->description, sizeof out->description},
                  {"og:site_name", out->site_name, sizeof out->site_name},
                  {"og:type", out->type, sizeof out->type}};
    if (is(property, "description") && out->description[0] == '\0')
        take_text(content, out->description, sizeof out->description);
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; ++i) {
        bool better = FIELDS[i].field == out->description && !*described;
        if (is(property, FIELDS[i].name) && (FIELDS[i].field[0] == '\0' || better))
            take_text(content, FIELDS[i].field, FIELDS[i].size);
    }
    *described |= is(property, "og:description");
}

static void read_meta(struct page *p, struct opengraph *out, bool *described)
{
    struct span name, value, property = {NULL, 0}, content = {NULL, 0};
    while (next_attribute(p, &name, &value)) {
        if (is(name, "property") || (is(name, "name") && property.len == 0))
            property = value;
        else if (is(name, "content"))
            content = value;
    }
    if (property.len != 0 && content.len != 0)
        take_meta(property, content, out, described);
}

/* What stands up to the element's end tag, which the page then stands behind. */
static struct span raw_text(struct page *p, const char *element)
{
    const char *start;
    size_t n = strlen(element);
    while (p->at < p->end && *p->at != '>')
        ++p->at;
    p->at += p->at < p->end;
    start = p->at;
    while (p->at < p->end && !(*p->at == '<' && (size_t)(p->end - p->at) >= n + 2 && p->at[1] == '/' &&
                               strncasecmp(p->at + 2, element, n) == 0))
        ++p->at;
    return (struct span){start, (size_t)(p->at - start)};
}

/* The page stands behind a "<". false: the head is over. */
static bool read_tag(struct page *p, struct opengraph *out, struct span *title, bool *described)
{
    const char *start = p->at;
    if (p->end - p->at >= 3 && memcmp(p->at, "!--", 3) == 0) {
        for (p->at += 3; p->end - p->at >= 3 && memcmp(p->at, "-->", 3) != 0;)
            ++p->at;
        p->at = p->end - p->at >= 3 ? p->at + 3 : p->end;
        return true;
    }
    while (p->at < p->end && ((*p->at >= 'a' && *p->at <= 'z') || (*p->at >= 'A' && *p->at <= 'Z')))
        ++p->at;
    struct span name = {start, (size_t)(p->at - start)};
    if (is(name, "meta"))
        read_meta(p, out, described);
    else if (is(name, "title") && title->at == NULL)
        *title = raw_text(p, "title");
    else if (is(name, "script"))
        raw_text(p, "script");
    else if (is(name, "style"))
        raw_text(p, "style");
    return !is(name, "body");
}

/* A page that was cut may end within a character. */
static size_t whole_characters(const char *html, size_t len)
{
    for (size_t cut = 0; cut < 4 && cut <= len; ++cut)
        if (utf8_valid(html, len - cut))
            return len - cut;
    return 0;
}

bool opengraph_read(const char *html, size_t len, struct opengraph *out)
{
    struct page p = {html, html + whole_characters(html, len)};
    struct span title = {NULL, 0};
    bool described = false;
    *out = (struct opengraph){""};
    while (p.at < p.end && (p.at = memchr(p.at, '<', (size_t)(p.end - p.at))) != NULL) {
        ++p.at;
        if (!read_tag(&p, out, &title, &described))
            break;
    }
    if (out->title[0] == '\0' && title.at != NULL)
        take_text(title, out->title, sizeof out->title);
    return out->title[0] != '\0' || out->description[0] != '\0';
}
