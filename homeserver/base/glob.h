/* Patterns with "*" and "?" (Matrix, Appendices, "Glob-style matching"), and letters without their case.
 *
 * Text is UTF-8 and "?" is one character of it, not one byte. The specification leaves open what case means; here it is
 * the simple folding of the alphabets that have one (Latin, Greek, Cyrillic, Armenian), which never changes the length
 * in bytes. Fold both sides first where case must not count.
 *
 * A pattern from a client meets text from another: the work is bounded by a budget of steps, roughly bytes looked at,
 * that several matches can share. When it is used up the answer is false. */
#ifndef PARTA_BASE_GLOB_H
#define PARTA_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GLOB_BUDGET (UINT32_C(1) << 20) /* about a millisecond */

/* "*" or "?"; without, a pattern matches itself alone. NULL is accepted with len 0 */
bool glob_has_wildcard(const char *pattern, size_t len);

/* Whether the pattern matches the whole of s. */
bool glob_match(const char *pattern, size_t pattern_len, const char *s, size_t len, uint32_t *budget);

/* Whether it matches some part of s that begins and ends at a word boundary: an end of s, or next to a character that
 * is none of A-Z a-z 0-9 _ (Client-Server API, "Push Rules"; so every letter beyond ASCII is a boundary). */
bool glob_match_words(const char *pattern, size_t pattern_len, const char *s, size_t len, uint32_t *budget);

/* The same for a text in which "*" and "?" are themselves. An empty one is never found. */
bool glob_find_words(const char *needle, size_t needle_len, const char *s, size_t len, uint32_t *budget);

/* Writes the folded form of s, which has as many bytes, to out; they may be the same. */
void glob_fold(char *out, const char *s, size_t len);

/* Whether s folded is folded, both of len bytes. */
bool glob_fold_equal(const char *s, const char *folded, size_t len);

#endif
