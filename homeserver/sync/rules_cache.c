#include "homeserver/sync/rules_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/store/matrix/account_data.h"

#define CACHED_MAX 1024

struct cached {
    unsigned char key[SHA256_BYTES]; /* of the stored text */
    struct push_rules *rules;
    UT_hash_handle hh;
};

struct rules_cache {
    pthread_mutex_t lock;
    struct push_rules *defaults;
    struct cached *all; /* in order of insertion: the front goes first */
};

struct rules_cache *rules_cache_create(void)
{
    struct rules_cache *cache = xcalloc(1, sizeof *cache);
    pthread_mutex_init(&cache->lock, NULL);
    cache->defaults = push_rules_compile(NULL);
    return cache;
}

static void drop(struct rules_cache *cache, struct cached *cached)
{
    HASH_DEL(cache->all, cached);
    push_rules_unref(cached->rules);
    free(cached);
}

void rules_cache_destroy(struct rules_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->all != NULL)
        drop(cache, cache->all);
    push_rules_unref(cache->defaults);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static struct push_rules *find(struct rules_cache *cache, const unsigned char key[SHA256_BYTES])
{
    struct cached *cached;
    pthread_mutex_lock(&cache->lock);
    HASH_FIND(hh, cache->all, key, SHA256_BYTES, cached);
    struct push_rules *rules = cached != NULL ? push_rules_ref(cached->rules) : NULL;
    pthread_mutex_unlock(&cache->lock);
    return rules;
}

/* Compiled outside of the lock: should two do so at once, both get what came first. */
static struct push_rules *keep(struct rules_cache *cache, const unsigned char key[SHA256_BYTES],
                               struct push_rules *rules)
{
    struct cached *cached;
    pthread_mutex_lock(&cache->lock);
    HASH_FIND(hh, cache->all, key, SHA256_BYTES, cached);
    if (cached != NULL) {
        push_rules_unref(rules);
        rules = push_rules_ref(cached->rules);
    } else {
        if (HASH_COUNT(cache->all) >= CACHED_MAX)
            drop(cache, cache->all);
        cached = xcalloc(1, sizeof *cached);
        memcpy(cached->key, key, SHA256_BYTES);
        cached->rules = push_rules_ref(rules);
        HASH_ADD(hh, cache->all, key, SHA256_BYTES, cached);
    }
    pthread_mutex_unlock(&cache->lock);
    return rules;
}

bool rules_cache_are_default(const struct rules_cache *cache, const struct push_rules *rules)
{
    return rules == cache->defaults;
}

struct push_rules *rules_cache_get(struct rules_cache *cache, struct db *db, user_no user)
{
    unsigned char key[SHA256_BYTES];
    char *stored = account_data_get(db, user, 0, PUSH_RULES_TYPE);
    if (stored == NULL)
        return push_rules_ref(cache->defaults);
    sha256(stored, strlen(stored), key);
    struct push_rules *rules = find(cache, key);
    if (rules == NULL)
        rules = keep(cache, key, push_rules_compile(stored));
    free(stored);
    return rules;
}
