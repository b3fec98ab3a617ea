#include "homeserver/sync/rules_cache.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/lru.h"
#include "homeserver/base/text.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/store/matrix/account_data.h"

#define CACHED_MAX 1024

struct rules_cache {
    struct push_rules *defaults;
    struct lru *rules; /* by the hash of the stored text */
};

static void *ref(void *rules)
{
    return push_rules_ref(rules);
}

static void unref(void *rules)
{
    push_rules_unref(rules);
}

struct rules_cache *rules_cache_create(void)
{
    static const struct lru_type RULES = {BLAKE2B_BYTES, ref, unref};
    struct rules_cache *cache = xcalloc(1, sizeof *cache);
    cache->defaults = push_rules_compile(NULL);
    cache->rules = lru_create(&RULES, CACHED_MAX);
    return cache;
}

void rules_cache_destroy(struct rules_cache *cache)
{
    if (cache == NULL)
        return;
    lru_destroy(cache->rules);
    push_rules_unref(cache->defaults);
    free(cache);
}

bool rules_cache_are_default(const struct rules_cache *cache, const struct push_rules *rules)
{
    return rules == cache->defaults;
}

struct push_rules *rules_cache_get(struct rules_cache *cache, struct db *db, user_no user)
{
    unsigned char key[BLAKE2B_BYTES];
    char *stored = account_data_get(db, user, 0, PUSH_RULES_TYPE);
    if (stored == NULL)
        return push_rules_ref(cache->defaults);
    blake2b(stored, strlen(stored), key);
    struct push_rules *rules = lru_get(cache->rules, key);
    if (rules == NULL)
        rules = lru_add(cache->rules, key, push_rules_compile(stored));
    free(stored);
    return rules;
}
