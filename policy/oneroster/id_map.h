/* What the reader looks up and counts: sourcedId → number, and sets of rows that may not come twice. Open addressing in
 * one array, hashed with a key of its own, so that nobody's choice of ids makes it slow. */
#ifndef PARTA_POLICY_ONEROSTER_ID_MAP_H
#define PARTA_POLICY_ONEROSTER_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_NONE UINT32_MAX

struct id_map;

struct id_map *id_map_create(void);
void id_map_destroy(struct id_map *index); /* NULL is accepted */

/* false: the id is there already. id is borrowed as long as the index lives; number is not ID_NONE. */
bool id_map_put(struct id_map *index, const char *id, uint32_t number);
uint32_t id_map_find(const struct id_map *index, const char *id); /* ID_NONE: not there, or index is NULL */

struct row_key {
    uint32_t a, b; /* a is not UINT32_MAX */
    int32_t role, begin;
};
struct row_set;

struct row_set *row_set_create(void);
void row_set_destroy(struct row_set *set); /* NULL is accepted */

/* ID_NONE: it is new, and has that number now; otherwise the number of the one that is there. */
uint32_t row_set_put(struct row_set *set, struct row_key key, uint32_t number);

#endif
