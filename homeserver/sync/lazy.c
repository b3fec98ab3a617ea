#include "homeserver/sync/lazy.h"

#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>

#include "homeserver/base/text.h"

#define SETS (1 << 16) /* of 96 bytes; memory that was never touched costs nothing */
#define WAYS 4         /* keys that have a place in a set; the one told longest ago makes way */
#define LOCKS 64

struct slot {
    uint64_t key; /* 0: empty */
    stream_pos member_pos, sent_in;
};

struct lazy {
    unsigned char secret[crypto_shorthash_KEYBYTES]; /* keys can't be made to collide */
    pthread_mutex_t locks[LOCKS];
    struct slot (*sets)[WAYS];
};

struct lazy *lazy_create(void)
{
    struct lazy *lazy = xcalloc(1, sizeof *lazy);
    randombytes_buf(lazy->secret, sizeof lazy->secret);
    for (int i = 0; i < LOCKS; ++i)
        pthread_mutex_init(&lazy->locks[i], NULL);
    lazy->sets = xcalloc(SETS, sizeof *lazy->sets);
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
    const struct slot *slot = slot_of(lazy->sets[key % SETS], key);
    bool known = slot->key == key && (member_pos == 0 || slot->member_pos == member_pos) &&
                 slot->sent_in >= joined_pos && slot->sent_in <= since;
    pthread_mutex_unlock(lock);
    return known;
}

void lazy_note(struct lazy *lazy, device_no device, room_no room, user_no user, stream_pos member_pos, stream_pos upto)
{
    uint64_t key = key_of(lazy, device, room, user);
    pthread_mutex_t *lock = &lazy->locks[key % LOCKS];
    pthread_mutex_lock(lock);
    *slot_of(lazy->sets[key % SETS], key) = (struct slot){key, member_pos, upto};
    pthread_mutex_unlock(lock);
}
