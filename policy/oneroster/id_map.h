/* What the reader looks up and counts: sourcedId → number, and sets of rows that may not come twice. Open addressing in
 * one array, hashed with a key of its own, so that nobody's choice of ids makes it slow. */
#ifndef PARTA_POLICY_ONEROSTER_ID_MAP_H
#define PARTA_POLICY_ONEROSTER_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_NONE UINT32_MAX

/* All zero: empty; that costs nothing until the first id comes. */
struct id_map {
    unsigned char key[16];
    struct id_slot *slots;
    size_t n, size; /* size: a power of two, at least twice n; 0: nothing was put yet */
};
void id_map_finish(struct id_map *index); /* it is empty again */

/* false: the id is there already. id is borrowed as long as the index lives; number is not ID_NONE. */
bool id_map_put(struct id_map *index, const char *id, uint32_t number);
uint32_t id_map_find(const struct id_map *index, const char *id); /* ID_NONE: not there */

struct row_key {
    uint32_t a, b; /* a is not UINT32_MAX */
    int32_t role, begin;
};

/* All zero: empty. */
struct row_set {
    unsigned char key[16];
    struct row_slot *slots;
    size_t n, size;
};
void row_set_finish(struct row_set *set); /* it is empty again */

/* ID_NONE: it is new, and has that number now; otherwise the number of the one that is there. */
uint32_t row_set_put(struct row_set *set, struct row_key key, uint32_t number);

#endif
