/* What the reader looks up and counts: sourcedId → number, and sets of rows that may not come twice. Open addressing in
 * one array, hashed with a key of its own, so that nobody's choice of ids makes it slow. */
#ifndef PARTA_POLICY_ONEROSTER_ID_MAP_H
#define PARTA_POLICY_ONEROSTER_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_NONE UINT32_MAX

struct id_index;

struct id_index *id_index_create(void);
void id_index_destroy(struct id_index *index); /* NULL is accepted */

/* false: the id is there already. id is borrowed as long as the index lives; number is not ID_NONE. */
bool id_index_put(struct id_index *index, const char *id, uint32_t number);
uint32_t id_index_find(const struct id_index *index, const char *id); /* ID_NONE: not there, or index is NULL */

struct fact_key {
    uint32_t a, b; /* a is not UINT32_MAX */
    int32_t role, begin;
};
struct fact_set;

struct fact_set *fact_set_create(void);
void fact_set_destroy(struct fact_set *set);                  /* NULL is accepted */
bool fact_set_put(struct fact_set *set, struct fact_key key); /* false: it is there already */

#endif
