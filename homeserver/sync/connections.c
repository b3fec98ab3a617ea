#include "homeserver/sync/connections.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"

struct connection {
    int64_t id, used;                    /* used 0: the place is free */
    struct connection_state *had, *next; /* either may be NULL */
};

struct holder;

struct owner {
    UT_hash_handle hh;                 /* by who */
    struct owner *prev, *next;         /* the one used longest ago first (utlist), as … */
    struct owner *own_prev, *own_next; /* … among the person's */
    struct connections_owner who;
    struct holder *holder;
    struct connection of[CONNECTIONS_OF_DEVICE];
};

/* A person with all their devices. */
struct holder {
    UT_hash_handle hh;
    user_no user;
    size_t bytes;
    struct owner *oldest;
};

struct connections {
    pthread_mutex_t lock;
    unsigned char secret[crypto_shorthash_KEYBYTES];
    struct owner *owners, *oldest;
    struct holder *holders;
    size_t bytes, max;
    int64_t turn;
};

struct connections *connections_create(size_t bytes)
{
    struct connections *all = xcalloc(1, sizeof *all);
    pthread_mutex_init(&all->lock, NULL);
    randombytes_buf(all->secret, sizeof all->secret);
    all->max = bytes;
    return all;
}

int64_t connections_id(device_no device, const char *conn_id)
{
    struct text text = TEXT_INIT;
    unsigned char digest[SHA256_BYTES];
    int64_t id;
    text_addf(&text, "%lld ", (long long)device);
    text_adds(&text, conn_id);
    sha256(text.data, text.len, digest);
    memcpy(&id, digest, sizeof id);
    text_finish(&text);
    return id & INT64_MAX;
}

uint64_t connections_body(const struct connections *all, const char *body, size_t len)
{
    uint64_t digest;
    crypto_shorthash((unsigned char *)&digest, (const unsigned char *)body, len, all->secret);
    return digest;
}

struct connection_state *connection_state_create(void)
{
    struct connection_state *state = xcalloc(1, sizeof *state);
    state->refs = 1;
    return state;
}

struct connection_state *connection_state_copy(const struct connection_state *state)
{
    struct connection_state *copy = connection_state_create();
    copy->upto = state->upto;
    copy->members = state->members;
    copy->body = state->body;
    copy->interest = state->interest;
    copy->live = state->live;
    copy->lazy = state->lazy;
    copy->to_device = state->to_device;
    copy->limit = state->limit;
    copy->more = state->more;
    copy->txn_id = state->txn_id != NULL ? xstrdup(state->txn_id) : NULL;
    copy->counts = state->counts != NULL ? xstrdup(state->counts) : NULL;
    memcpy(copy->pos, state->pos, sizeof copy->pos);
    memcpy(copy->extensions, state->extensions, sizeof copy->extensions);
    copy->n_parts = state->n_parts;
    copy->n_rooms = state->n_rooms;
    copy->parts = xcalloc(state->n_parts + 1, sizeof *copy->parts);
    copy->rooms = xcalloc(state->n_rooms + 1, sizeof *copy->rooms);
    if (state->n_parts != 0)
        memcpy(copy->parts, state->parts, state->n_parts * sizeof *copy->parts);
    if (state->n_rooms != 0)
        memcpy(copy->rooms, state->rooms, state->n_rooms * sizeof *copy->rooms);
    return copy;
}

void connection_state_unref(struct connection_state *state)
{
    if (state == NULL || atomic_fetch_sub_explicit(&state->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(state->txn_id);
    free(state->counts);
    free(state->parts);
    free(state->rooms);
    free(state);
}

static size_t bytes_of(const struct connection_state *state)
{
    if (state == NULL)
        return 0;
    return sizeof *state + (state->counts != NULL ? strlen(state->counts) : 0) + state->n_parts * sizeof *state->parts +
           state->n_rooms * sizeof *state->rooms;
}

static void count(struct connections *all, struct owner *owner, size_t more, size_t less)
{
    all->bytes = all->bytes + more - less;
    owner->holder->bytes = owner->holder->bytes + more - less;
}

/* Puts state, of which the reference is taken, in a place of a connection. */
static void set_state(struct connections *all, struct owner *owner, struct connection_state **place,
                      struct connection_state *state)
{
    count(all, owner, bytes_of(state), bytes_of(*place));
    connection_state_unref(*place);
    *place = state;
}

static void drop_connection(struct connections *all, struct owner *owner, struct connection *connection)
{
    set_state(all, owner, &connection->had, NULL);
    set_state(all, owner, &connection->next, NULL);
    connection->used = 0;
}

static void drop_owner(struct connections *all, struct owner *owner)
{
    struct holder *holder = owner->holder;
    for (size_t i = 0; i < CONNECTIONS_OF_DEVICE; ++i)
        drop_connection(all, owner, &owner->of[i]);
    count(all, owner, 0, sizeof *owner);
    HASH_DEL(all->owners, owner);
    DL_DELETE(all->oldest, owner);
    DL_DELETE2(holder->oldest, owner, own_prev, own_next);
    free(owner);
    if (holder->oldest == NULL) {
        HASH_DEL(all->holders, holder);
        free(holder);
    }
}

void connections_destroy(struct connections *all)
{
    if (all == NULL)
        return;
    while (all->oldest != NULL)
        drop_owner(all, all->oldest);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

/* Used now. NULL: it has no connection. */
static struct owner *owner_of(struct connections *all, struct connections_owner who)
{
    struct owner *owner;
    HASH_FIND(hh, all->owners, &who, sizeof who, owner);
    if (owner == NULL)
        return NULL;
    DL_DELETE(all->oldest, owner);
    DL_APPEND(all->oldest, owner);
    DL_DELETE2(owner->holder->oldest, owner, own_prev, own_next);
    DL_APPEND2(owner->holder->oldest, owner, own_prev, own_next);
    return owner;
}

static struct owner *add_owner(struct connections *all, struct connections_owner who)
{
    struct owner *owner = xcalloc(1, sizeof *owner);
    owner->who = who;
    HASH_FIND(hh, all->holders, &who.user, sizeof who.user, owner->holder);
    if (owner->holder == NULL) {
        owner->holder = xcalloc(1, sizeof *owner->holder);
        owner->holder->user = who.user;
        HASH_ADD(hh, all->holders, user, sizeof who.user, owner->holder);
    }
    HASH_ADD(hh, all->owners, who, sizeof who, owner);
    DL_APPEND(all->oldest, owner);
    DL_APPEND2(owner->holder->oldest, owner, own_prev, own_next);
    count(all, owner, sizeof *owner, 0);
    return owner;
}

static struct connection *find_of(struct owner *owner, int64_t id)
{
    for (size_t i = 0; i < CONNECTIONS_OF_DEVICE; ++i)
        if (owner->of[i].used != 0 && owner->of[i].id == id)
            return &owner->of[i];
    return NULL;
}

/* A place that is free, or the one used longest ago. */
static struct connection *oldest_of(struct owner *owner)
{
    struct connection *oldest = &owner->of[0];
    for (size_t i = 1; i < CONNECTIONS_OF_DEVICE; ++i)
        if (owner->of[i].used < oldest->used)
            oldest = &owner->of[i];
    return oldest;
}

/* Finds it, or makes it in the place of the one used longest ago. */
static struct connection *make(struct connections *all, struct connections_owner who, int64_t id, struct owner **owner)
{
    *owner = owner_of(all, who);
    if (*owner == NULL)
        *owner = add_owner(all, who);
    struct connection *connection = find_of(*owner, id);
    if (connection == NULL) {
        connection = oldest_of(*owner);
        drop_connection(all, *owner, connection);
        connection->id = id;
    }
    connection->used = ++all->turn;
    return connection;
}

/* Of the person's own what was used longest ago, but not what has just been. false: there is no more. */
static bool drop_own(struct connections *all, struct owner *owner, const struct connection *keep)
{
    struct owner *other = owner->holder->oldest;
    if (other != owner) {
        drop_owner(all, other);
        return true;
    }
    struct connection *oldest = NULL;
    for (size_t i = 0; i < CONNECTIONS_OF_DEVICE; ++i) {
        struct connection *one = &owner->of[i];
        if (one != keep && one->used != 0 && (oldest == NULL || one->used < oldest->used))
            oldest = one;
    }
    if (oldest != NULL)
        drop_connection(all, owner, oldest);
    return oldest != NULL;
}

/* owner and connection: those that have just been used. */
static void make_room(struct connections *all, struct owner *owner, const struct connection *connection)
{
    while (owner->holder->bytes > all->max / CONNECTIONS_SHARE && drop_own(all, owner, connection))
        ;
    while (all->bytes > all->max && all->oldest != owner)
        drop_owner(all, all->oldest);
}

static bool is_pos(const struct connection_state *state, const char *pos)
{
    return state != NULL && strcmp(state->pos, pos) == 0;
}

/* The client has the answer that led to the next state. */
static void advance(struct connections *all, struct owner *owner, struct connection *connection)
{
    struct connection_state *next = connection->next;
    connection->next = NULL;
    count(all, owner, 0, bytes_of(next));
    set_state(all, owner, &connection->had, next);
}

struct connection_state *connections_take(struct connections *all, struct connections_owner who, int64_t connection,
                                          const char *pos, bool *known, bool *again)
{
    struct connection_state *state = NULL;
    pthread_mutex_lock(&all->lock);
    struct owner *owner = owner_of(all, who);
    struct connection *found = owner != NULL ? find_of(owner, connection) : NULL;
    *known = found != NULL;
    *again = false;
    if (found != NULL && is_pos(found->next, pos))
        advance(all, owner, found);
    if (found != NULL && is_pos(found->had, pos)) {
        *again = found->next != NULL;
        state = found->had;
        atomic_fetch_add_explicit(&state->refs, 1, memory_order_relaxed);
        found->used = ++all->turn;
    }
    pthread_mutex_unlock(&all->lock);
    return state;
}

/* base NULL: it is made. NULL: it is not here any more. */
static struct connection *place_of(struct connections *all, struct connections_owner who, int64_t id,
                                   const struct connection_state *base, struct owner **owner)
{
    if (base == NULL)
        return make(all, who, id, owner);
    *owner = owner_of(all, who);
    return *owner != NULL ? find_of(*owner, id) : NULL;
}

void connections_put(struct connections *all, struct connections_owner who, int64_t connection,
                     const struct connection_state *base, struct connection_state *next)
{
    pthread_mutex_lock(&all->lock);
    struct owner *owner;
    struct connection *place = place_of(all, who, connection, base, &owner);
    if (place != NULL && base == NULL)
        set_state(all, owner, &place->had, NULL);
    if (place != NULL && place->had == base) {
        set_state(all, owner, &place->next, next);
        make_room(all, owner, place);
    } else
        connection_state_unref(next); /* another request was answered from elsewhere meanwhile */
    pthread_mutex_unlock(&all->lock);
}

void connections_replace(struct connections *all, struct connections_owner who, int64_t connection,
                         const struct connection_state *base, struct connection_state *state)
{
    pthread_mutex_lock(&all->lock);
    struct owner *owner;
    struct connection *place = place_of(all, who, connection, base, &owner);
    if (place != NULL && (base == NULL || (place->had == base && place->next == NULL))) {
        atomic_fetch_add_explicit(&state->refs, 1, memory_order_relaxed);
        set_state(all, owner, &place->next, NULL);
        set_state(all, owner, &place->had, state);
        make_room(all, owner, place);
    }
    pthread_mutex_unlock(&all->lock);
}

bool connections_find(struct connections *all, struct connections_owner who, const char *pos, uint64_t body,
                      stream_pos *upto, unsigned *interest)
{
    bool found = false;
    pthread_mutex_lock(&all->lock);
    struct owner *owner = owner_of(all, who);
    for (size_t i = 0; !found && owner != NULL && i < CONNECTIONS_OF_DEVICE; ++i) {
        struct connection *connection = &owner->of[i];
        if (is_pos(connection->next, pos))
            advance(all, owner, connection);
        found = is_pos(connection->had, pos) && connection->had->body == body;
        if (found) {
            *upto = connection->had->upto;
            *interest = connection->had->interest;
            connection->used = ++all->turn;
        }
    }
    pthread_mutex_unlock(&all->lock);
    return found;
}

struct connection_state *connections_hold(struct connections *all, struct connections_owner who, const char *pos,
                                          uint64_t body, int64_t *connection)
{
    struct connection_state *state = NULL;
    pthread_mutex_lock(&all->lock);
    struct owner *owner = owner_of(all, who);
    for (size_t i = 0; state == NULL && owner != NULL && i < CONNECTIONS_OF_DEVICE; ++i) {
        const struct connection *place = &owner->of[i];
        if (!is_pos(place->had, pos) || place->next != NULL || place->had->body != body)
            continue;
        state = place->had;
        *connection = place->id;
        atomic_fetch_add_explicit(&state->refs, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&all->lock);
    return state;
}

struct connection_room *connection_state_room(const struct connection_state *state, room_no room)
{
    size_t low = 0, high = state->n_rooms;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (state->rooms[middle].room < room)
            low = middle + 1;
        else
            high = middle;
    }
    return low < state->n_rooms && state->rooms[low].room == room ? &state->rooms[low] : NULL;
}

size_t connections_bytes(struct connections *all)
{
    pthread_mutex_lock(&all->lock);
    size_t bytes = all->bytes;
    pthread_mutex_unlock(&all->lock);
    return bytes;
}
