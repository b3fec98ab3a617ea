/* Patterns of namespaces: regular expressions as registration files have them (Application Service API,
 * "Registration").
 *
 * An engine of our own, and a small one, for three reasons. A file from outside may name any expression, and both
 * backtracking and regcomp's counted repetitions can be made to take hours or gigabytes: this one is a set of at most
 * 255 positions (Glushkov), so that a match costs bytes of the text × positions, whatever is written. Bridges write \d
 * and (?: ), which POSIX does not know. And two such sets can be multiplied: whether two namespaces have a name in
 * common is computed, not guessed.
 *
 * What may stand in one: characters, ., classes in brackets (also [:alpha:] and the like), \d \w \s \D \W \S, \ before
 * a sign, ( ) and (?: ), |, *, +, ?, {m}, {m,}, {m,n}, a lazy ? behind these (which changes nothing about what
 * matches), ^ at the beginning and $ at the end. References back, looking ahead and the like are refused. A pattern
 * holds from the beginning of a name on; to its end only with $, as other homeservers have it. */
#ifndef PARTA_APPSERVICE_PATTERN_H
#define PARTA_APPSERVICE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#define PATTERN_BYTES_MAX 512
#define PATTERN_POSITIONS_MAX 255

struct pattern;

/* NULL: *problem is what is wrong with it, static. */
struct pattern *pattern_compile(const char *text, const char **problem);
void pattern_destroy(struct pattern *pattern); /* NULL is accepted */

bool pattern_matches(const struct pattern *pattern, const char *name); /* any thread */

/* Whether there is a name that both match. */
bool pattern_meets(const struct pattern *a, const struct pattern *b);

#endif
