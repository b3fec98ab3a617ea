/* Memory of many small things that go together: no free of their own, so that 100 000 names cost little more than
 * their bytes. */
#ifndef PARTA_POLICY_ONEROSTER_ARENA_H
#define PARTA_POLICY_ONEROSTER_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_create(void);        /* empty, never NULL */
void arena_destroy(struct arena *arena); /* NULL is accepted */

/* Both: never NULL, valid until arena_destroy; alloc: aligned to 8 bytes, not zeroed. */
void *arena_alloc(struct arena *arena, size_t size);
const char *arena_copy(struct arena *arena, const char *s);

#endif
