/* What people write for others to read: names ('n'), and patterns with the text they meet ('g', a line each; 'w': by
 * words). A name that is taken shows something; what is made visible stays as it is; a pattern matches what the
 * plainest matcher says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/glob.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/names.h"
#include "homeserver/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_visible(const char *bytes, size_t len, bool lines)
{
    struct text once = TEXT_INIT, twice = TEXT_INIT;
    text_adds(&once, "");
    text_adds(&twice, "");
    text_add_visible(&once, bytes, len, lines);
    text_add_visible(&twice, once.data, once.len, lines);
    must(utf8_valid(once.data, once.len) && strcmp(once.data, twice.data) == 0);
    text_finish(&once);
    text_finish(&twice);
}

static void check_name(const char *name, size_t len)
{
    size_t different;
    bool good = name_valid(name, NAME_BYTES_MAX);
    must(good == (name_fault(name, NAME_BYTES_MAX) == NULL));
    must(!good || (strlen(name) <= NAME_BYTES_MAX && utf8_valid(name, strlen(name)) && !text_is_blank(name)));
    must(!good || words_fault(name, NAME_BYTES_MAX) == NULL);
    token_fault(name);
    if (utf8_valid(name, strlen(name))) {
        size_t letters = text_letters(name, &different);
        must(different <= LETTERS_TOLD_APART && different <= letters);
        must(letters == 0 || !text_is_blank(name));
    }
    check_visible(name, len, false);
    check_visible(name, len, true);
}

static const char *next(const char *s)
{
    do
        ++s;
    while (((unsigned char)*s & 0xc0) == 0x80);
    return s;
}

static bool plain_match(const char *p, const char *s)
{
    const char *star = NULL, *from = NULL;
    while (*s != '\0') {
        size_t n = (size_t)(next(s) - s);
        if (*p == '*') {
            star = ++p;
            from = s;
        } else if (*p == '?' || (*p != '\0' && strncmp(p, s, n) == 0)) {
            p = *p == '?' ? p + 1 : p + n;
            s += n;
        } else if (star != NULL) {
            p = star;
            s = from = next(from);
        } else {
            return false;
        }
    }
    while (*p == '*')
        ++p;
    return *p == '\0';
}

static void check_pattern(const char *pattern, const char *text, bool words)
{
    uint32_t budget = GLOB_BUDGET, more = GLOB_BUDGET;
    size_t len = strlen(pattern), text_len = strlen(text);
    if (!utf8_valid(pattern, len) || !utf8_valid(text, text_len))
        return; /* the door of JSON lets nothing else in */
    bool matches = glob_match(pattern, len, text, text_len, &budget);
    must(budget == 0 || matches == plain_match(pattern, text));
    if (words && matches && *text != '\0')
        must(glob_match_words(pattern, len, text, text_len, &more) || more == 0);
    if (words && len != 0 && !glob_has_wildcard(pattern, len)) /* an empty text is never found */
        must(glob_find_words(pattern, len, text, text_len, &more) ==
                 glob_match_words(pattern, len, text, text_len, &budget) ||
             more == 0 || budget == 0);
    char *folded = xstrndup(text, text_len);
    glob_fold(folded, text, text_len);
    must(utf8_valid(folded, text_len) && glob_fold_equal(text, folded, text_len));
    free(folded);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    char *text = xstrndup((const char *)bytes + 1, len - 1), *line = strchr(text, '\n');
    if (bytes[0] == 'n') {
        check_name(text, len - 1);
    } else if (line != NULL) {
        *line = '\0';
        check_pattern(text, line + 1, bytes[0] == 'w');
    }
    free(text);
    return 0;
}
