/* A bounded map from keys to counted values, of which the one asked for longest ago makes way: for what is costly to
 * make again and small to keep.
 *
 * Keys are byte strings of one length, compared as bytes (a struct that is one has no padding). Values are shared: the
 * map holds a reference of each, and whoever gets one has its own, so that nothing is copied or freed under somebody's
 * hands. Any thread; a lock is held for a look-up only. */
#ifndef PARTA_BASE_LRU_H
#define PARTA_BASE_LRU_H

#include <stddef.h>

struct lru_type {
    size_t key_bytes;
    void *(*ref)(
        void *value); /* returns value; both are called with the map's lock held, and must not come back here */
    void (*unref)(void *value);
};

struct lru;

/* type: static storage. max: how many values, at least 1. */
struct lru *lru_create(const struct lru_type *type, size_t max);
void lru_destroy(struct lru *lru); /* NULL is accepted */

/* A reference of the caller's; NULL: not here (any more). */
void *lru_get(struct lru *lru, const void *key);

/* The same, but it does not count as asking: for whoever looks so often that keeping the order would cost more than the
 * look (it touches the neighbours in it). */
void *lru_peek(struct lru *lru, const void *key);

/* Keeps value under key, unless there is one already: that one stays. Returns a reference to the one that is kept, and
 * takes over the caller's of value: of two who make a value at the same time both go on with the same. */
void *lru_add(struct lru *lru, const void *key, void *value);

#endif
