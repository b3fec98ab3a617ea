#include "policy/records/set_diff.h"

#include <stdlib.h>

#include "homeserver/base/text.h"

void diff_set_add(struct diff_set *facts, struct diff_row fact)
{
    if (facts->n == facts->cap) {
        facts->cap = facts->cap != 0 ? 2 * facts->cap : 256;
        facts->rows = xrealloc(facts->rows, facts->cap * sizeof *facts->rows);
    }
    facts->rows[facts->n++] = fact;
}

void diff_set_finish(struct diff_set *facts)
{
    free(facts->rows);
    *facts = (struct diff_set){0};
}

static int compare(const void *left, const void *right)
{
    const struct diff_row *x = left, *y = right;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    if (x->b != y->b)
        return x->b < y->b ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

void diff_set_sort(struct diff_set *facts)
{
    bool sorted = true;
    for (size_t i = 1; i < facts->n && sorted; ++i)
        sorted = compare(&facts->rows[i - 1], &facts->rows[i]) <= 0;
    if (!sorted)
        qsort(facts->rows, facts->n, sizeof *facts->rows, compare);
}

void diff_set_merge(struct diff_set *facts)
{
    size_t n = 0;
    diff_set_sort(facts);
    for (size_t i = 0; i < facts->n; ++i) {
        if (n == 0 || compare(&facts->rows[n - 1], &facts->rows[i]) != 0)
            facts->rows[n++] = facts->rows[i];
        else if (facts->rows[n - 1].value < facts->rows[i].value)
            facts->rows[n - 1].value = facts->rows[i].value;
    }
    facts->n = n;
}

bool diff_set_have(const struct diff_set *facts, int64_t a)
{
    struct diff_row key = {.a = a};
    return facts->n != 0 && bsearch(&key, facts->rows, facts->n, sizeof key, compare) != NULL;
}

bool diff_set_diff(struct diff_set *have, struct diff_set *want, diff_fn *put, diff_fn *drop, void *self)
{
    bool good = true;
    diff_set_sort(have);
    diff_set_sort(want);
    for (size_t h = 0, w = 0; good && (h < have->n || w < want->n);) {
        int order = h == have->n ? 1 : w == want->n ? -1 : compare(&have->rows[h], &want->rows[w]);
        if (order < 0)
            good = drop(self, &have->rows[h], NULL);
        else if (order > 0)
            good = put(self, &want->rows[w], NULL);
        else if (have->rows[h].value != want->rows[w].value)
            good = put(self, &want->rows[w], &have->rows[h]);
        h += order <= 0;
        w += order >= 0;
    }
    return good;
}

const struct diff_row *diff_set_find(const struct diff_set *facts, const struct diff_row *key)
{
    return facts->n != 0 ? bsearch(key, facts->rows, facts->n, sizeof *facts->rows, compare) : NULL;
}
