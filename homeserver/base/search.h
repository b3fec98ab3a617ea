/* Where something is, or belongs, among what is sorted.
 *
 * A macro: what is compared are two members, on the hot paths of /sync among others, and each of its users would need a
 * function and a struct for a callback. */
#ifndef PARTA_BASE_SEARCH_H
#define PARTA_BASE_SEARCH_H

#include <stddef.h>

/* at_, a variable, becomes the first of n_ indices for which before_, an expression of at_, does not hold; n_ where it
 * holds for all. before_ holds for some first ones and for no other. */
#define SEARCH_FIRST(at_, n_, before_)                                                                                 \
    do {                                                                                                               \
        size_t low_ = 0, high_ = (n_);                                                                                 \
        while (low_ < high_) {                                                                                         \
            (at_) = low_ + (high_ - low_) / 2;                                                                         \
            if (before_)                                                                                               \
                low_ = (at_) + 1;                                                                                      \
            else                                                                                                       \
                high_ = (at_);                                                                                         \
        }                                                                                                              \
        (at_) = low_;                                                                                                  \
    } while (0)

#endif
