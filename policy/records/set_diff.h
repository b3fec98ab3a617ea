/* Sets of facts, compared: roles, enrollments, guardianships and memberships are all "a has b, as kind, from begin",
 * with a value. Sorting both sides and merging them finds the difference in one pass. */
#ifndef PARTA_POLICY_RECORDS_SET_DIFF_H
#define PARTA_POLICY_RECORDS_SET_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diff_row {
    int64_t a, b;
    int32_t kind, begin; /* with a and b: what the fact is */
    int32_t value;       /* what it says; a changed value is a changed fact */
};

struct diff_set {
    struct diff_row *rows; /* heap */
    size_t n, cap;
};

/* {0} is empty. Appends, unsorted; twice the same stays twice */
void diff_set_add(struct diff_set *facts, struct diff_row fact);
void diff_set_finish(struct diff_set *facts); /* frees the rows and empties it */

/* By a, b, kind, begin; value does not count. What the look-ups below need, once all is added. */
void diff_set_sort(struct diff_set *facts);
void diff_set_merge(struct diff_set *facts); /* sorts; of those with the same key the greatest value stays */
bool diff_set_have(const struct diff_set *facts,
                   int64_t a); /* sorted: one with this a, and 0 for the rest of its key */

/* Sorted: the one with the key of that row; NULL: there is none. */
const struct diff_row *diff_set_find(const struct diff_set *facts, const struct diff_row *key);

/* before: what was held instead, with another value; NULL: nothing. */
typedef bool diff_fn(void *self, const struct diff_row *fact, const struct diff_row *before);

/* Sorts both (they hold each key once), then calls put for each of want that have does not hold so, and drop for each
 * of have that want does not hold at all. Stops at the first false, which it returns. */
bool diff_set_diff(struct diff_set *have, struct diff_set *want, diff_fn *put, diff_fn *drop, void *self);

#endif
