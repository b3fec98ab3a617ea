#include "homeserver/sync/filter_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/filters.h"
#include "homeserver/rooms/read/filter.h"

#define TEXT_MAX 2048 /* bytes of a definition in the query that is remembered */

/* A user's filter by its number; or any user's by the hash of its definition. No padding: keys are compared as bytes.
 */
struct key {
    user_no user; /* 0: by definition */
    int64_t filter_no;
    unsigned char definition[SHA256_BYTES];
};

struct cached {
    struct key key;
    struct filter *filter;
    UT_hash_handle hh;
};

struct filter_cache {
    pthread_mutex_t lock;
    struct cached *all; /* in order of insertion: the front goes first */
    struct filter *everything;
    size_t max;
};

struct filter_cache *filter_cache_create(size_t max)
{
    struct error ignored;
    struct filter_cache *cache = xcalloc(1, sizeof *cache);
    pthread_mutex_init(&cache->lock, NULL);
    cache->everything = filter_parse(NULL, &ignored);
    cache->max = max;
    return cache;
}

static void drop(struct filter_cache *cache, struct cached *cached)
{
    HASH_DEL(cache->all, cached);
    filter_unref(cached->filter);
    free(cached);
}

void filter_cache_destroy(struct filter_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->all != NULL)
        drop(cache, cache->all);
    filter_unref(cache->everything);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* A number in decimal; 0: it is none. */
static int64_t number_from(const char *id)
{
    size_t digits = strspn(id, "0123456789");
    return digits > 0 && digits < 19 && id[digits] == '\0' && id[0] != '0' ? strtoll(id, NULL, 10) : 0;
}

static struct filter *find(struct filter_cache *cache, const struct key *key)
{
    struct cached *cached;
    pthread_mutex_lock(&cache->lock);
    HASH_FIND(hh, cache->all, key, sizeof *key, cached);
    struct filter *filter = cached != NULL ? filter_ref(cached->filter) : NULL;
    pthread_mutex_unlock(&cache->lock);
    return filter;
}

static void keep(struct filter_cache *cache, const struct key *key, struct filter *filter)
{
    struct cached *cached;
    pthread_mutex_lock(&cache->lock);
    HASH_FIND(hh, cache->all, key, sizeof *key, cached);
    if (cached == NULL) {
        if (HASH_COUNT(cache->all) >= cache->max)
            drop(cache, cache->all);
        cached = xcalloc(1, sizeof *cached);
        cached->key = *key;
        cached->filter = filter_ref(filter);
        HASH_ADD(hh, cache->all, key, sizeof cached->key, cached);
    }
    pthread_mutex_unlock(&cache->lock);
}

static struct key key_of(user_no user, const char *param)
{
    struct key key = {.user = user};
    if (param[0] != '{') {
        key.filter_no = number_from(param);
        return key;
    }
    key.user = 0;
    sha256(param, strlen(param), key.definition);
    return key;
}

struct filter *filter_cache_find(struct filter_cache *cache, user_no user, const char *param)
{
    if (param == NULL)
        return filter_ref(cache->everything);
    struct key key = key_of(user, param);
    return find(cache, &key);
}

static struct filter *load_by_number(struct db *db, user_no user, int64_t filter_no, struct error *e)
{
    char *definition = filters_get(db, user, filter_no);
    struct filter *filter = definition != NULL ? filter_parse_text(definition, e) : NULL;
    if (definition == NULL)
        error_set(e, ERROR_INVALID_PARAM, "There is no such filter.");
    free(definition);
    return filter;
}

struct filter *filter_cache_load(struct filter_cache *cache, struct db *db, user_no user, const char *param,
                                 struct error *e)
{
    if (param == NULL)
        return filter_ref(cache->everything);
    struct key key = key_of(user, param);
    struct filter *filter = find(cache, &key);
    if (filter != NULL)
        return filter;
    filter = param[0] == '{' ? filter_parse_text(param, e) : load_by_number(db, user, key.filter_no, e);
    if (filter != NULL && (param[0] != '{' || strlen(param) <= TEXT_MAX))
        keep(cache, &key, filter);
    return filter;
}
