/* Searching in what people wrote, whatever the case: "Иванов" is found by "иван". */
#ifndef PARTA_BASE_CASEFOLD_H
#define PARTA_BASE_CASEFOLD_H

#include <stdbool.h>

/* s in lower case and composed (NFC: й is one character, however it was typed), Cyrillic ё as е, as Russian is
 * searched: heap. s is valid UTF-8. */
char *casefold(const char *s);

/* Whether s, folded, contains needle, which is folded already. NULL contains nothing. */
bool casefold_contains(const char *s, const char *needle);

#endif
