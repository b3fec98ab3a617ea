#include "homeserver/http/principals.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/http/address.h"

#define CHAINS_MIN 256 /* a power of two */
#define UNREAD_PART 8  /* one may have so large a part of what may be unread */

/* What one of a kind may do at a time. A whole school may stand behind an address, and those who have not signed in yet
 * do little: many of them wait, but they have half of the workers at most. */
static const struct {
    int running, heavy; /* 0: half of the workers */
    size_t waiting;
    int hashing; /* 0: no bound but the pool's own */
    size_t hashes_waiting;
    size_t connections; /* 0: no bound here */
} BUDGETS[PRINCIPAL_KIND__COUNT] = {
    [PRINCIPAL_ADDRESS] = {0, 2, 4096, 0, 0, 0},
    [PRINCIPAL_PERSON] = {4, 1, 64, 1, 4, 256},
    [PRINCIPAL_OPERATOR] = {0, 4, 256, 1, 16, 256},
};

struct principals {
    int workers;
    size_t unread_max;
    _Atomic size_t unread;
    pthread_mutex_t lock;
    struct principal **chains;
    size_t n, n_chains;
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
};

struct principals *principals_create(int workers, size_t unread_max)
{
    struct principals *principals = xcalloc(1, sizeof *principals);
    principals->workers = workers;
    principals->unread_max = unread_max;
    principals->n_chains = CHAINS_MIN;
    principals->chains = xcalloc(principals->n_chains, sizeof(struct principal *));
    randombytes_buf(principals->hash_key, sizeof principals->hash_key);
    pthread_mutex_init(&principals->lock, NULL);
    return principals;
}

void principals_destroy(struct principals *principals)
{
    if (principals == NULL)
        return;
    pthread_mutex_destroy(&principals->lock);
    free(principals->chains);
    free(principals);
}

struct principal_name principal_name(const struct identity *identity, const char *ip)
{
    struct principal_name name = {.kind = PRINCIPAL_ADDRESS};
    struct address address;
    if (identity->service != NULL) { /* one, whomever it acts as */
        name.kind = PRINCIPAL_OPERATOR;
        crypto_generichash(name.bytes, sizeof name.bytes, (const unsigned char *)identity->service,
                           strlen(identity->service), NULL, 0);
    } else if (identity->user != 0) {
        name.kind = PRINCIPAL_PERSON;
        memcpy(name.bytes, &identity->user, sizeof identity->user);
    } else if (identity->name != NULL) {
        name.kind = PRINCIPAL_OPERATOR;
        crypto_generichash(name.bytes, sizeof name.bytes, (const unsigned char *)identity->name, strlen(identity->name),
                           NULL, 0);
    } else if (address_parse(ip, strlen(ip), &address)) { /* else: everybody without an address is one place */
        name = principal_at(&address);
    }
    return name;
}

struct principal_name principal_at(const struct address *address)
{
    struct principal_name name = {.kind = PRINCIPAL_ADDRESS};
    struct address place = *address;
    address_place(&place);
    memcpy(name.bytes, place.bytes, sizeof place.bytes);
    return name;
}

bool principal_is(const struct principal *principal, const struct principal_name *name)
{
    return principal != NULL && memcmp(&principal->name, name, sizeof *name) == 0;
}

static struct principal **chain_of(const struct principals *principals, const struct principal_name *name)
{
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)name, sizeof *name, principals->hash_key);
    return &principals->chains[hash & (principals->n_chains - 1)];
}

static void grow(struct principals *principals)
{
    struct principal **old = principals->chains, *next;
    size_t n = principals->n_chains;
    principals->n_chains *= 2;
    principals->chains = xcalloc(principals->n_chains, sizeof(struct principal *));
    for (size_t i = 0; i < n; ++i)
        for (struct principal *p = old[i]; p != NULL; p = next) {
            struct principal **chain = chain_of(principals, &p->name);
            next = p->next;
            p->next = *chain;
            *chain = p;
        }
    free(old);
}

static struct principal *make(struct principals *principals, const struct principal_name *name)
{
    struct principal *p = xcalloc(1, sizeof *p);
    int half = principals->workers > 1 ? principals->workers / 2 : 1;
    p->name = *name;
    p->all = principals;
    p->works.owner = p->hashes.owner = p;
    p->works.most_running = BUDGETS[name->kind].running > 0 ? BUDGETS[name->kind].running : half;
    p->works.most_heavy = BUDGETS[name->kind].heavy;
    p->works.most_waiting = BUDGETS[name->kind].waiting;
    p->hashes.most_running = BUDGETS[name->kind].hashing;
    p->hashes.most_waiting = BUDGETS[name->kind].hashes_waiting;
    if (principals->n == principals->n_chains)
        grow(principals);
    struct principal **chain = chain_of(principals, name);
    p->next = *chain;
    *chain = p;
    ++principals->n;
    return p;
}

struct principal *principals_find(struct principals *principals, const struct principal_name *name)
{
    pthread_mutex_lock(&principals->lock);
    struct principal *p = *chain_of(principals, name);
    while (p != NULL && !principal_is(p, name))
        p = p->next;
    if (p == NULL)
        p = make(principals, name);
    atomic_fetch_add(&p->refs, 1);
    pthread_mutex_unlock(&principals->lock);
    return p;
}

struct principal *principal_ref(struct principal *principal)
{
    atomic_fetch_add(&principal->refs, 1);
    return principal;
}

static void forget(struct principals *principals, struct principal *p)
{
    struct principal **at = chain_of(principals, &p->name);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    --principals->n;
    free(p);
}

/* The last reference goes under the lock, under which alone new ones are found. */
void principal_unref(struct principal *principal)
{
    if (principal == NULL)
        return;
    struct principals *principals = principal->all;
    int refs = atomic_load(&principal->refs);
    while (refs > 1)
        if (atomic_compare_exchange_weak(&principal->refs, &refs, refs - 1))
            return;
    pthread_mutex_lock(&principals->lock);
    if (atomic_fetch_sub(&principal->refs, 1) == 1)
        forget(principals, principal);
    pthread_mutex_unlock(&principals->lock);
}

size_t principals_count(struct principals *principals)
{
    pthread_mutex_lock(&principals->lock);
    size_t n = principals->n;
    pthread_mutex_unlock(&principals->lock);
    return n;
}

bool principal_is_spread(const struct principal *principal)
{
    size_t most = principal != NULL ? BUDGETS[principal->name.kind].connections : 0;
    return most != 0 && atomic_load(&principal->connections) > most;
}

void principal_keep(struct principal *principal, ptrdiff_t bytes)
{
    atomic_fetch_add(&principal->unread, (size_t)bytes);
    atomic_fetch_add(&principal->all->unread, (size_t)bytes);
}

bool principal_has_room(const struct principal *principal)
{
    size_t max = principal->all->unread_max, unread = atomic_load(&principal->all->unread);
    size_t left = unread < max ? max - unread : 0;
    return atomic_load(&principal->unread) < (left < max / UNREAD_PART ? left : max / UNREAD_PART);
}

size_t principals_unread(const struct principals *principals)
{
    return atomic_load(&principals->unread);
}

bool principals_are_full(const struct principals *principals)
{
    return atomic_load(&principals->unread) > principals->unread_max / 2;
}
