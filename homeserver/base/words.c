#include "homeserver/base/words.h"

#include <string.h>

int word_find(const char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; word != NULL && i < n; ++i)
        if (strcmp(words[i], word) == 0)
            return (int)i;
    return -1;
}
