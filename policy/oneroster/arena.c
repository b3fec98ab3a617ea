#include "policy/oneroster/arena.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"

#define CHUNK_BYTES_FIRST 1024
#define CHUNK_BYTES 65536 /* chunks double until they have so many */

struct chunk {
    struct chunk *next;
    _Alignas(16) char bytes[];
};

struct arena {
    struct chunk *chunks;
    size_t used, size; /* of the first chunk */
    size_t chunk;      /* bytes of the next one were to double this; 0: there is none yet */
};

struct arena *arena_create(void)
{
    return xcalloc(1, sizeof(struct arena));
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL)
        return;
    for (struct chunk *chunk = arena->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (arena->size - arena->used < size) {
        size_t next = arena->chunk < CHUNK_BYTES_FIRST ? CHUNK_BYTES_FIRST : 2 * arena->chunk;
        arena->chunk = next < CHUNK_BYTES ? next : CHUNK_BYTES;
        arena->size = size > arena->chunk ? size : arena->chunk;
        arena->used = 0;
        struct chunk *chunk = xrealloc(NULL, sizeof *chunk + arena->size);
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    arena->used += size;
    return arena->chunks->bytes + arena->used - size;
}

const char *arena_copy(struct arena *arena, const char *s)
{
    size_t bytes = strlen(s) + 1;
    return memcpy(arena_alloc(arena, bytes), s, bytes);
}
