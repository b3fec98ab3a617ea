#include "homeserver/sync/filter_cache.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/lru.h"
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

struct filter_cache {
    struct lru *filters; /* by struct key */
    struct filter *everything;
};

static void *ref(void *filter)
{
    return filter_ref(filter);
}

static void unref(void *filter)
{
    filter_unref(filter);
}

struct filter_cache *filter_cache_create(size_t max)
{
    static const struct lru_type FILTERS = {sizeof(struct key), ref, unref};
    struct error ignored;
    struct filter_cache *cache = xcalloc(1, sizeof *cache);
    cache->filters = lru_create(&FILTERS, max);
    cache->everything = filter_parse(NULL, &ignored);
    return cache;
}

void filter_cache_destroy(struct filter_cache *cache)
{
    if (cache == NULL)
        return;
    lru_destroy(cache->filters);
    filter_unref(cache->everything);
    free(cache);
}

/* A number in decimal; 0: it is none. */
static int64_t number_from(const char *id)
{
    size_t digits = strspn(id, "0123456789");
    return digits > 0 && digits < 19 && id[digits] == '\0' && id[0] != '0' ? strtoll(id, NULL, 10) : 0;
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
    return lru_get(cache->filters, &key);
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
    struct filter *filter = lru_get(cache->filters, &key);
    if (filter != NULL)
        return filter;
    filter = param[0] == '{' ? filter_parse_text(param, e) : load_by_number(db, user, key.filter_no, e);
    bool keep = filter != NULL && (param[0] != '{' || strlen(param) <= TEXT_MAX);
    return keep ? lru_add(cache->filters, &key, filter) : filter;
}
