#include "homeserver/http/limits.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/http/address.h"

#define WAYS 4 /* buckets that share a place in the table */
#define STRIPES 64
#define TURNS_AHEAD_MS 120000 /* nobody is told to stay away for longer than this beyond the next token */

struct bucket {
    uint64_t key; /* 0: free */
    double tokens;
    int64_t at_ms;   /* when tokens was right */
    int64_t told_ms; /* the last moment that somebody was told to come back at */
    enum rate_class rate;
};

struct limits {
    struct limit classes[RATE__COUNT];
    struct bucket *buckets;
    size_t sets; /* a power of two */
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
    pthread_mutex_t stripes[STRIPES];
};

struct limits *limits_create(const struct limit classes[RATE__COUNT], size_t buckets)
{
    struct limits *limits = xcalloc(1, sizeof *limits);
    memcpy(limits->classes, classes, sizeof limits->classes);
    for (limits->sets = 1; limits->sets * WAYS < buckets;)
        limits->sets *= 2;
    limits->buckets = xcalloc(limits->sets * WAYS, sizeof *limits->buckets);
    randombytes_buf(limits->hash_key, sizeof limits->hash_key);
    for (int i = 0; i < STRIPES; ++i)
        pthread_mutex_init(&limits->stripes[i], NULL);
    return limits;
}

void limits_destroy(struct limits *limits)
{
    if (limits == NULL)
        return;
    for (int i = 0; i < STRIPES; ++i)
        pthread_mutex_destroy(&limits->stripes[i]);
    free(limits->buckets);
    free(limits);
}

static void refill(const struct limits *limits, struct bucket *b, int64_t now_ms)
{
    const struct limit *limit = &limits->classes[b->rate];
    if (now_ms <= b->at_ms)
        return;
    b->tokens += (double)(now_ms - b->at_ms) * limit->per_second / 1000;
    if (b->tokens > limit->burst)
        b->tokens = limit->burst;
    b->at_ms = now_ms;
}

/* The bucket of key, or a free one, or the one that lost least by being forgotten: the fullest. */
static struct bucket *bucket_for(struct limits *limits, struct bucket *set, uint64_t key, enum rate_class rate,
                                 int64_t now_ms)
{
    struct bucket *victim = NULL;
    double least_missing = 0;
    for (int i = 0; i < WAYS; ++i) {
        struct bucket *b = &set[i];
        if (b->key == key)
            return b;
        if (b->key != 0)
            refill(limits, b, now_ms);
        double missing = b->key == 0 ? -1 : limits->classes[b->rate].burst - b->tokens;
        if (victim == NULL || missing < least_missing) {
            victim = b;
            least_missing = missing;
        }
    }
    *victim = (struct bucket){.key = key, .tokens = limits->classes[rate].burst, .at_ms = now_ms, .rate = rate};
    return victim;
}

/* When the next token comes that nobody was told of yet. Beyond the time in which the bucket fills twice it begins anew
 * with the next one: whoever comes again and again without waiting sends the others behind them no further away. */
static int64_t turn(const struct limits *limits, struct bucket *b, double cost, int64_t now_ms)
{
    const struct limit *limit = &limits->classes[b->rate];
    double each_ms = 1000 / limit->per_second, ahead_ms = 2 * limit->burst * each_ms;
    int64_t next_ms = now_ms + (int64_t)((cost - b->tokens) * each_ms) + 1;
    int64_t turn_ms = b->told_ms + (int64_t)each_ms;
    if (turn_ms < next_ms || turn_ms - next_ms > (ahead_ms < TURNS_AHEAD_MS ? (int64_t)ahead_ms : TURNS_AHEAD_MS))
        turn_ms = next_ms;
    b->told_ms = turn_ms;
    return turn_ms - now_ms;
}

/* How many requests one of so many bytes is; never more than a full bucket. */
static double cost_of(const struct limits *limits, enum rate_class rate, size_t bytes)
{
    static const size_t BYTES_EACH[RATE__COUNT] = {[RATE_MESSAGE] = 4096, [RATE_ROOM] = 16384};
    size_t cost = BYTES_EACH[rate] != 0 ? 1 + bytes / BYTES_EACH[rate] : 1;
    double most = limits->classes[rate].burst;
    return (double)cost <= most ? (double)cost : most;
}

static int64_t take(struct limits *limits, enum rate_class rate, const void *name, size_t len, size_t bytes,
                    int64_t now_ms)
{
    uint64_t key;
    crypto_shorthash((unsigned char *)&key, name, len, limits->hash_key);
    key |= 1; /* 0 means free */
    size_t at = (size_t)(key >> 8) & (limits->sets - 1);
    pthread_mutex_t *lock = &limits->stripes[at % STRIPES];
    pthread_mutex_lock(lock);
    struct bucket *b = bucket_for(limits, &limits->buckets[at * WAYS], key, rate, now_ms);
    refill(limits, b, now_ms);
    int64_t wait_ms = 0;
    double cost = cost_of(limits, rate, bytes);
    if (b->tokens >= cost)
        b->tokens -= cost;
    else
        wait_ms = turn(limits, b, cost, now_ms);
    pthread_mutex_unlock(lock);
    return wait_ms;
}

static bool is_free(const struct limits *limits, enum rate_class rate)
{
    return limits == NULL || rate == RATE_NONE || limits->classes[rate].per_second <= 0;
}

int64_t limits_take(struct limits *limits, enum rate_class rate, user_no user, const char *ip, size_t bytes,
                    int64_t now_ms)
{
    struct {
        char kind, rate;
        unsigned char bytes[16];
    } name = {.kind = 'u', .rate = (char)rate};
    struct address place;
    if (is_free(limits, rate))
        return 0;
    if (user > 0 && rate != RATE_LOGIN && rate != RATE_REGISTER && rate != RATE_CODES) {
        memcpy(name.bytes, &user, sizeof user);
    } else {
        name.kind = 'a';
        if (address_parse(ip, strlen(ip), &place)) { /* else: everybody without an address is one place */
            address_place(&place);
            memcpy(name.bytes, place.bytes, sizeof place.bytes);
        }
    }
    return take(limits, rate, &name, sizeof name, bytes, now_ms);
}

int64_t limits_take_key(struct limits *limits, enum rate_class rate, const char *key, int64_t now_ms)
{
    struct text name = TEXT_INIT;
    if (is_free(limits, rate))
        return 0;
    text_addc(&name, 'k');
    text_addc(&name, (char)rate);
    text_adds(&name, key);
    int64_t wait_ms = take(limits, rate, name.data, name.len, 0, now_ms);
    text_finish(&name);
    return wait_ms;
}
