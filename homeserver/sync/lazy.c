#include "homeserver/sync/lazy.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "homeserver/base/text.h"

#define SETS_FIRST (1u << 8) /* of 96 bytes */
#define SETS_MOST (1u << 16)
#define WAYS 4 /* keys that have a place in a set; the one told longest ago makes way */
#define LOCKS 64

struct slot {
    uint64_t key; /* 0: empty */
    stream_pos member_pos, sent_in;
};

struct lazy {
    unsigned char secret[crypto_shorthash_KEYBYTES]; /* keys can't be made to collide */
    pthread_mutex_t locks[LOCKS];
    struct slot (*sets)[WAYS]; /* who looks holds one of the locks, who makes it larger all */
    size_t n_sets;             /* a power of two, LOCKS at least */
    _Atomic size_t used;       /* slots */
};

struct lazy *lazy_create(void)
{
    struct lazy *lazy = xcalloc(1, sizeof *lazy);
    randombytes_buf(lazy->secret, sizeof lazy->secret);
    for (int i = 0; i < LOCKS; ++i)
        pthread_mutex_init(&lazy->locks[i], NULL);
    lazy->n_sets = SETS_FIRST;
    lazy->sets = xcalloc(lazy->n_sets, sizeof *lazy->sets);
    return lazy;
}

void lazy_destroy(struct lazy *lazy)
{
    if (lazy == NULL)
        return;
    for (int i = 0; i < LOCKS; ++i)
        pthread_mutex_destroy(&lazy->locks[i]);
    free(lazy->sets);
    free(lazy);
}

static uint64_t key_of(const struct lazy *lazy, device_no device, room_no room, user_no user)
{
    int64_t parts[] = {device, room, user};
    uint64_t key;
    crypto_shorthash((unsigned char *)&key, (const unsigned char *)parts, sizeof parts, lazy->secret);
    return key != 0 ? key : 1;
}

/* The key's slot, or the one to take for it. */
static struct slot *slot_of(struct slot set[WAYS], uint64_t key)
{
    struct slot *oldest = &set[0];
    for (int i = 0; i < WAYS; ++i) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].sent_in < oldest->sent_in)
            oldest = &set[i];
    }
    return oldest;
}

bool lazy_knows(struct lazy *lazy, device_no device, room_no room, user_no user, stream_pos member_pos,
                stream_pos joined_pos, stream_pos since)
{
    uint64_t key = key_of(lazy, device, room, user);
    pthread_mutex_t *lock = &lazy->locks[key % LOCKS];
    pthread_mutex_lock(lock);
    const struct slot *slot = slot_of(lazy->sets[key % lazy->n_sets], key);
    bool known = slot->key == key && (member_pos == 0 || slot->member_pos == member_pos) &&
                 slot->sent_in >= joined_pos && slot->sent_in <= since;
    pthread_mutex_unlock(lock);
    return known;
}

/* Keys lie anywhere in the table, so one that is large from the start is all in memory as soon as some hundred people
 * have come, a page for each: it is twice as large whenever it is half full. What was in one set finds room in two. */
static void grow(struct lazy *lazy)
{
    for (int i = 0; i < LOCKS; ++i)
        pthread_mutex_lock(&lazy->locks[i]);
    if (lazy->used > lazy->n_sets * WAYS / 2 && lazy->n_sets < SETS_MOST) {
        struct slot(*old)[WAYS] = lazy->sets;
        size_t n = lazy->n_sets;
        lazy->n_sets *= 2;
        lazy->sets = xcalloc(lazy->n_sets, sizeof *lazy->sets);
        for (size_t i = 0; i < n * WAYS; ++i) {
            const struct slot *slot = &old[i / WAYS][i % WAYS];
            if (slot->key != 0)
                lazy->sets[slot->key % lazy->n_sets][i % WAYS] = *slot;
        }
        free(old);
    }
    for (int i = 0; i < LOCKS; ++i)
        pthread_mutex_unlock(&lazy->locks[i]);
}

void lazy_note(struct lazy *lazy, device_no device, room_no room, user_no user, stream_pos member_pos, stream_pos upto)
{
    uint64_t key = key_of(lazy, device, room, user);
    pthread_mutex_t *lock = &lazy->locks[key % LOCKS];
    pthread_mutex_lock(lock);
    struct slot *slot = slot_of(lazy->sets[key % lazy->n_sets], key);
    lazy->used += slot->key == 0;
    *slot = (struct slot){key, member_pos, upto};
    bool full = lazy->used > lazy->n_sets * WAYS / 2 && lazy->n_sets < SETS_MOST;
    pthread_mutex_unlock(lock);
    if (full)
        grow(lazy);
}
