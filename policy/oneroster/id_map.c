#include "policy/oneroster/id_map.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"

#define SLOTS_FIRST 16 /* when the first id comes: of the maps of a reading most stay empty or small */

struct id_slot {
    const char *id; /* NULL: free */
    uint32_t hash, number;
};

_Static_assert(sizeof((struct id_map *)0)->key == crypto_shorthash_KEYBYTES &&
                   sizeof((struct row_set *)0)->key == crypto_shorthash_KEYBYTES,
               "the hash's key");

struct row_slot {
    struct row_key key; /* a is UINT32_MAX: free */
    uint32_t number;
};

static uint32_t hash_of(const unsigned char key[crypto_shorthash_KEYBYTES], const void *bytes, size_t len)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint32_t hash;
    crypto_shorthash(out, bytes, len, key);
    memcpy(&hash, out, sizeof hash);
    return hash;
}

/* --- Ids --- */

void id_map_finish(struct id_map *index)
{
    free(index->slots);
    *index = (struct id_map){0};
}

/* The slot that holds the id, or the free one where it belongs. */
static struct id_slot *id_slot(struct id_slot *slots, size_t size, const char *id, uint32_t hash)
{
    size_t at = hash & (size - 1);
    while (slots[at].id != NULL && (slots[at].hash != hash || strcmp(slots[at].id, id) != 0))
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static void id_index_grow(struct id_map *index)
{
    size_t size = index->size != 0 ? 2 * index->size : SLOTS_FIRST;
    struct id_slot *slots = xcalloc(size, sizeof *slots);
    for (size_t i = 0; i < index->size; ++i) {
        size_t at = index->slots[i].hash & (size - 1);
        if (index->slots[i].id == NULL)
            continue;
        while (slots[at].id != NULL)
            at = (at + 1) & (size - 1);
        slots[at] = index->slots[i];
    }
    free(index->slots);
    index->slots = slots;
    index->size = size;
}

bool id_map_put(struct id_map *index, const char *id, uint32_t number)
{
    if (index->size == 0) {
        crypto_shorthash_keygen(index->key);
        id_index_grow(index);
    }
    uint32_t hash = hash_of(index->key, id, strlen(id));
    struct id_slot *slot = id_slot(index->slots, index->size, id, hash);
    if (slot->id != NULL)
        return false;
    *slot = (struct id_slot){id, hash, number};
    if (2 * ++index->n > index->size)
        id_index_grow(index);
    return true;
}

uint32_t id_map_find(const struct id_map *index, const char *id)
{
    if (index->n == 0)
        return ID_NONE;
    const struct id_slot *slot = id_slot(index->slots, index->size, id, hash_of(index->key, id, strlen(id)));
    return slot->id != NULL ? slot->number : ID_NONE;
}

/* --- Facts --- */

void row_set_finish(struct row_set *set)
{
    free(set->slots);
    *set = (struct row_set){0};
}

/* As id_slot. */
static struct row_slot *fact_slot(const struct row_set *set, struct row_slot *slots, size_t size,
                                  const struct row_key *key)
{
    size_t at = hash_of(set->key, key, sizeof *key) & (size - 1);
    while (slots[at].key.a != UINT32_MAX && memcmp(&slots[at].key, key, sizeof *key) != 0)
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static void row_set_grow(struct row_set *set)
{
    size_t size = set->size != 0 ? 2 * set->size : SLOTS_FIRST;
    struct row_slot *slots = xcalloc(size, sizeof *slots);
    for (size_t i = 0; i < size; ++i)
        slots[i].key.a = UINT32_MAX;
    for (size_t i = 0; i < set->size; ++i)
        if (set->slots[i].key.a != UINT32_MAX)
            *fact_slot(set, slots, size, &set->slots[i].key) = set->slots[i];
    free(set->slots);
    set->slots = slots;
    set->size = size;
}

uint32_t row_set_put(struct row_set *set, struct row_key key, uint32_t number)
{
    if (set->size == 0) {
        crypto_shorthash_keygen(set->key);
        row_set_grow(set);
    }
    struct row_slot *slot = fact_slot(set, set->slots, set->size, &key);
    if (slot->key.a != UINT32_MAX)
        return slot->number;
    *slot = (struct row_slot){key, number};
    if (2 * ++set->n > set->size)
        row_set_grow(set);
    return ID_NONE;
}
