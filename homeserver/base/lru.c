#include "homeserver/base/lru.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/base/text.h"

struct lru_entry {
    void *value;
    UT_hash_handle hh;
    unsigned char key[];
};

struct lru {
    const struct lru_type *type;
    size_t max;
    pthread_mutex_t lock;
    struct lru_entry *all; /* in order of use: the front was asked for longest ago */
};

struct lru *lru_create(const struct lru_type *type, size_t max)
{
    struct lru *lru = xcalloc(1, sizeof *lru);
    lru->type = type;
    lru->max = max;
    pthread_mutex_init(&lru->lock, NULL);
    return lru;
}

static void drop(struct lru *lru, struct lru_entry *entry)
{
    HASH_DEL(lru->all, entry);
    lru->type->unref(entry->value);
    free(entry);
}

void lru_destroy(struct lru *lru)
{
    if (lru == NULL)
        return;
    while (lru->all != NULL)
        drop(lru, lru->all);
    pthread_mutex_destroy(&lru->lock);
    free(lru);
}

/* With the lock, as all below: what stands under the key. NULL: nothing. */
static struct lru_entry *peek(struct lru *lru, const void *key)
{
    struct lru_entry *entry;
    HASH_FIND(hh, lru->all, key, lru->type->key_bytes, entry);
    return entry;
}

/* The same; it now counts as asked for last. */
static struct lru_entry *find(struct lru *lru, const void *key)
{
    struct lru_entry *entry = peek(lru, key);
    size_t bytes = lru->type->key_bytes;
    if (entry != NULL && entry->hh.next != NULL) {
        HASH_DEL(lru->all, entry);
        HASH_ADD_KEYPTR(hh, lru->all, entry->key, bytes, entry);
    }
    return entry;
}

static void insert(struct lru *lru, const void *key, void *value)
{
    size_t bytes = lru->type->key_bytes;
    if (HASH_COUNT(lru->all) >= lru->max)
        drop(lru, lru->all);
    struct lru_entry *entry = xcalloc(1, sizeof *entry + bytes);
    entry->value = value;
    memcpy(entry->key, key, bytes);
    HASH_ADD_KEYPTR(hh, lru->all, entry->key, bytes, entry);
}

void *lru_get(struct lru *lru, const void *key)
{
    pthread_mutex_lock(&lru->lock);
    struct lru_entry *entry = find(lru, key);
    void *value = entry != NULL ? lru->type->ref(entry->value) : NULL;
    pthread_mutex_unlock(&lru->lock);
    return value;
}

void *lru_peek(struct lru *lru, const void *key)
{
    pthread_mutex_lock(&lru->lock);
    struct lru_entry *entry = peek(lru, key);
    void *value = entry != NULL ? lru->type->ref(entry->value) : NULL;
    pthread_mutex_unlock(&lru->lock);
    return value;
}

void *lru_add(struct lru *lru, const void *key, void *value)
{
    pthread_mutex_lock(&lru->lock);
    struct lru_entry *entry = find(lru, key);
    if (entry != NULL) {
        lru->type->unref(value);
        value = entry->value;
    } else {
        insert(lru, key, value);
    }
    value = lru->type->ref(value);
    pthread_mutex_unlock(&lru->lock);
    return value;
}
