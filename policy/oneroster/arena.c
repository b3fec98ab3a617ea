#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/reader_private.h"

#define CHUNK_BYTES 65536

struct chunk {
    struct chunk *next;
    _Alignas(16) char bytes[];
};

struct roster_memory {
    struct chunk *chunks;
    size_t used, size; /* of the first chunk */
};

struct roster_memory *roster_memory_create(void)
{
    return xcalloc(1, sizeof(struct roster_memory));
}

void roster_memory_destroy(struct roster_memory *memory)
{
    if (memory == NULL)
        return;
    for (struct chunk *chunk = memory->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(memory);
}

void *roster_memory_alloc(struct roster_memory *memory, size_t size)
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

const char *roster_memory_copy(struct roster_memory *memory, const char *s)
{
    size_t bytes = strlen(s) + 1;
    return memcpy(roster_memory_alloc(memory, bytes), s, bytes);
}
