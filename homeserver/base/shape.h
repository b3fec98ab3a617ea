/* Texts of fixed width: times of day and offsets, whose digits scanf would read with signs and spaces between. */
#ifndef PARTA_BASE_SHAPE_H
#define PARTA_BASE_SHAPE_H

#include <stdbool.h>

/* Whether text begins as shape says: "0" stands for any digit, all else for itself ("00:00"). */
static inline bool shape_begins(const char *text, const char *shape)
{
    for (; *shape != '\0'; ++text, ++shape)
        if (*shape == '0' ? *text < '0' || *text > '9' : *text != *shape)
            return false;
    return true;
}

#endif
