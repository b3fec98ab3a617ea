/* Sets of facts, compared: roles, enrollments, guardianships and memberships are all "a has b, as kind, from begin",
 * with a value. Sorting both sides and merging them finds the difference in one pass. */
#ifndef PARTA_POLICY_RECORDS_SET_DIFF_H
#define PARTA_POLICY_RECORDS_SET_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fact {
    int64_t a, b;
    int32_t kind, begin; /* with a and b: what the fact is */
    int32_t value;       /* what it says; a changed value is a changed fact */
};

struct facts {
    struct fact *rows; /* heap */
    size_t n, cap;
};

void facts_add(struct facts *facts, struct fact fact);
void facts_finish(struct facts *facts);

void facts_sort(struct facts *facts);
void facts_merge(struct facts *facts);                 /* sorts; of those with the same key the greatest value stays */
bool facts_have(const struct facts *facts, int64_t a); /* sorted: one with this a, and 0 for the rest of its key */

/* before: what was held instead, with another value; NULL: nothing. */
typedef bool fact_fn(void *self, const struct fact *fact, const struct fact *before);

/* Sorts both (they hold each key once), then calls put for each of want that have does not hold so, and drop for each
 * of have that want does not hold at all. Stops at the first false, which it returns. */
bool facts_diff(struct facts *have, struct facts *want, fact_fn *put, fact_fn *drop, void *self);

#endif
