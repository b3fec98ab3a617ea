/* What a name may be made of: the one check for every way by which a name reaches other people (school.md B3, F1):
 * sign-up, approval, roster, records, profiles, rooms.
 *
 * A name is read by people, so it must show something, and nothing that is not shown: no control characters (C0, DEL,
 * C1), no invisible or zero-width ones, no bidirectional overrides, no private or unassigned ones that fonts draw as
 * nothing, no tower of combining marks. Two names that look alike letter by letter (Latin a, Cyrillic а) are not this
 * check's affair. A variation selector or joiner stands only behind a pictogram, where it belongs. */
#ifndef PARTA_BASE_NAMES_H
#define PARTA_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct text;

#define NAME_BYTES_MAX 255 /* of one name, unless its field is narrower */
#define NAME_SENTENCE                                                                                                  \
    "A name is at most 255 bytes that can be seen: no control characters, nothing zero-width, nothing that turns the " \
    "direction."

/* Of pictograms (emojis). */
#define EMOJI_VARIATION 0xfe0f /* behind one: shows it in colour */
#define EMOJI_JOINER 0x200d    /* makes one of two */

/* What is wrong, for behind "is": "empty", "written with a character that nobody sees"; NULL: nothing. Any bytes. */
const char *name_fault(const char *name, size_t bytes_max);
bool name_valid(const char *name, size_t bytes_max);

/* The same of a text of several lines, such as a topic: line breaks and tabs are good. */
const char *words_fault(const char *text, size_t bytes_max);

/* The same of what names something to programs, such as a sourcedId: nothing unseen either, but
 * for the rest as it is. */
const char *token_fault(const char *token);

/* Appends what others have written as a terminal or a log may show it, whatever the bytes: what nobody sees, and with
 * it all that moves, colours or turns what is shown (C0, DEL, C1, bidirectional overrides, zero-width ones), as JSON
 * escapes it (\u001b), so that JSON stays the same JSON; what is not UTF-8 as U+FFFD. lines: line
 * breaks and tabs stay. */
void text_add_visible(struct text *out, const char *bytes, size_t len, bool lines);

/* Whether there is anything to see: ten zero-width spaces are no reason. */
bool text_is_blank(const char *text);

/* How many letters and digits it has (of any writing: what is seen and is neither a space, nor punctuation, nor a
 * symbol or pictogram), and how many different ones: at most LETTERS_TOLD_APART are. text is valid UTF-8. */
#define LETTERS_TOLD_APART 8
size_t text_letters(const char *text, size_t *different);

#endif
