/* Tables of words: the names of an enumeration's values by value, or any few words that something must be one of. */
#ifndef PARTA_BASE_WORDS_H
#define PARTA_BASE_WORDS_H

#include <stddef.h>

/* Where word stands among the n words; −1: nowhere, or it is NULL. Letter by letter. */
int word_find(const char *const *words, size_t n, const char *word);

/* The same in an array whose length the compiler knows. */
#define WORD_FIND(array, word) word_find((array), sizeof(array) / sizeof *(array), (word))

#endif
