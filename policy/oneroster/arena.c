#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/reader_private.h"

#define CHUNK_BYTES 65536

struct chunk {
    struct chunk *next;
    _Alignas(16) char bytes[];
};

struct arena {
    struct chunk *chunks;
    size_t used, size; /* of the first chunk */
};

struct arena *arena_create(void)
{
    return xcalloc(1, sizeof(struct arena));
}

void arena_destroy(struct arena *memory)
{
    if (memory == NULL)
        return;
    for (struct chunk *chunk = memory->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(memory);
}

void *arena_alloc(struct arena *memory, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (memory->size - memory->used < size) {
        memory->size = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        memory->used = 0;
        struct chunk *chunk = xrealloc(NULL, sizeof *chunk + memory->size);
        chunk->next = memory->chunks;
        memory->chunks = chunk;
    }
    memory->used += size;
    return memory->chunks->bytes + memory->used - size;
}

const char *arena_copy(struct arena *memory, const char *s)
{
    size_t bytes = strlen(s) + 1;
    return memcpy(arena_alloc(memory, bytes), s, bytes);
}
