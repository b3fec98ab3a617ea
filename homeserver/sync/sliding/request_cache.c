#include "homeserver/sync/sliding/request_cache.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "homeserver/base/json.h"
#include "homeserver/base/lru.h"
#include "homeserver/base/text.h"

#define CACHED_MAX 256
#define BODY_BYTES_MAX 8192 /* of one that is kept: all together are a few MiB, whatever people send */

/* No padding: keys are compared as bytes. */
struct key {
    uint64_t digest, len;
};

static void *ref(void *value)
{
    struct sliding_known *known = value;
    atomic_fetch_add_explicit(&known->refs, 1, memory_order_relaxed);
    return known;
}

static void unref(void *value)
{
    struct sliding_known *known = value;
    if (known == NULL || atomic_fetch_sub_explicit(&known->refs, 1, memory_order_acq_rel) != 1)
        return;
    sliding_request_finish(&known->request);
    json_decref(known->body);
    free(known);
}

void sliding_known_unref(const struct sliding_known *known)
{
    unref((struct sliding_known *)known);
}

/* The map has nothing else: a cache is one. */
struct sliding_request_cache *sliding_request_cache_create(void)
{
    static const struct lru_type KNOWN = {sizeof(struct key), ref, unref};
    return (struct sliding_request_cache *)lru_create(&KNOWN, CACHED_MAX);
}

void sliding_request_cache_destroy(struct sliding_request_cache *cache)
{
    lru_destroy((struct lru *)cache);
}

static struct sliding_known *read_body(const char *body, size_t len, struct error *e)
{
    json_t *value = len > 0 ? json_parse(body, len, e) : json_object();
    if (value == NULL)
        return NULL;
    struct sliding_known *known = xcalloc(1, sizeof *known);
    known->refs = 1;
    known->body = value;
    if (json_is_object(value) ? sliding_request_parse(&known->request, SLIDING_UNSTABLE, value, e)
                              : error_set(e, ERROR_BAD_JSON, "The body is not a JSON object."))
        return known;
    unref(known);
    return NULL;
}

const struct sliding_known *sliding_request_cache_get(struct sliding_request_cache *cache, const char *body, size_t len,
                                                      uint64_t digest, struct error *e)
{
    const struct key key = {digest, len};
    struct sliding_known *known = cache != NULL ? lru_get((struct lru *)cache, &key) : NULL;
    if (known != NULL)
        return known;
    known = read_body(body, len, e);
    return known != NULL && cache != NULL && len <= BODY_BYTES_MAX ? lru_add((struct lru *)cache, &key, known) : known;
}
