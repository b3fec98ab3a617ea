#include "homeserver/sync/filter_cache.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/lru.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/filters.h"
#include "homeserver/rooms/read/filter.h"

#define TEXT_MAX 2048 /* bytes of a definition in the query that is remembered */

/* A user's filter by its number. No padding: keys are compared as bytes. */
struct number {
    user_no user;
    int64_t filter_no;
};

struct filter_cache {
    struct lru *numbered, *texts; /* by struct number; by the hash of a definition in the query */
    struct lru *filters;          /* by identity: whoever wants the same shares one, which a loop then finds warm */
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
    static const struct lru_type NUMBERED = {sizeof(struct number), ref, unref}, HASHED = {BLAKE2B_BYTES, ref, unref};
    struct error ignored;
    struct filter_cache *cache = xcalloc(1, sizeof *cache);
    cache->numbered = lru_create(&NUMBERED, max);
    cache->texts = lru_create(&HASHED, max);
    cache->filters = lru_create(&HASHED, max);
    cache->everything = filter_parse(NULL, &ignored);
    return cache;
}

void filter_cache_destroy(struct filter_cache *cache)
{
    if (cache == NULL)
        return;
    lru_destroy(cache->numbered);
    lru_destroy(cache->texts);
    lru_destroy(cache->filters);
    filter_unref(cache->everything);
    free(cache);
}

/* A number in decimal; 0: it is none. */
static int64_t number_from(const char *id)
{
    int64_t number = 0;
    size_t digits = 0;
    for (; id[digits] >= '0' && id[digits] <= '9' && digits < 19; ++digits)
        number = number * 10 + (id[digits] - '0');
    return digits < 19 && id[digits] == '\0' && id[0] != '0' ? number : 0;
}

/* Takes the caller's reference of filter, of which there may be an equal one already. */
static struct filter *keep(struct filter_cache *cache, struct lru *names, const void *name, struct filter *filter)
{
    return filter != NULL ? lru_add(names, name, lru_add(cache->filters, filter->identity, filter)) : NULL;
}

static struct filter *load_by_text(struct filter_cache *cache, const char *text, struct error *e)
{
    unsigned char hash[BLAKE2B_BYTES];
    if (strlen(text) > TEXT_MAX)
        return filter_parse_text(text, e);
    blake2b(text, strlen(text), hash);
    struct filter *filter = lru_get(cache->texts, hash);
    return filter != NULL ? filter : keep(cache, cache->texts, hash, filter_parse_text(text, e));
}

static struct filter *load_by_number(struct filter_cache *cache, struct db *db, const struct number *number,
                                     struct error *e)
{
    struct filter *filter = lru_get(cache->numbered, number);
    if (filter != NULL)
        return filter;
    char *definition = filters_get(db, number->user, number->filter_no);
    filter = definition != NULL ? filter_parse_text(definition, e) : NULL;
    if (definition == NULL)
        error_set(e, ERROR_INVALID_PARAM, "There is no such filter.");
    free(definition);
    return keep(cache, cache->numbered, number, filter);
}

struct filter *filter_cache_load(struct filter_cache *cache, struct db *db, user_no user, const char *param,
                                 struct error *e)
{
    if (param == NULL)
        return filter_ref(cache->everything);
    if (param[0] == '{')
        return load_by_text(cache, param, e);
    return load_by_number(cache, db, &(struct number){user, number_from(param)}, e);
}

struct filter *filter_cache_find(struct filter_cache *cache, user_no user, const char *param)
{
    unsigned char hash[BLAKE2B_BYTES];
    if (param == NULL)
        return filter_ref(cache->everything);
    if (param[0] != '{')
        return lru_peek(cache->numbered, &(struct number){user, number_from(param)});
    blake2b(param, strlen(param), hash);
    return lru_peek(cache->texts, hash);
}
