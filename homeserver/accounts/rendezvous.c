#include "homeserver/accounts/rendezvous.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"

#define PLACE_MAX 48

struct meeting {
    char id[RENDEZVOUS_NAME_CHARS + 1], sequence[RENDEZVOUS_NAME_CHARS + 1];
    char place[PLACE_MAX];
    int64_t ends_ms, changed_ms;
    char *data;
    size_t len;
    struct meeting *prev, *next; /* oldest first: all live as long */
    UT_hash_handle hh;
};

struct rendezvous {
    pthread_mutex_t lock;
    struct meeting *by_id, *by_age;
};

struct rendezvous *rendezvous_create(void)
{
    struct rendezvous *r = xcalloc(1, sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static void end(struct rendezvous *r, struct meeting *m)
{
    HASH_DEL(r->by_id, m);
    DL_DELETE(r->by_age, m);
    free(m->data);
    free(m);
}

void rendezvous_destroy(struct rendezvous *r)
{
    if (r == NULL)
        return;
    while (r->by_age != NULL)
        end(r, r->by_age);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* The lock is held, here and below. */
static struct meeting *find(struct rendezvous *r, const char *id, int64_t now_ms)
{
    struct meeting *m = NULL;
    while (r->by_age != NULL && r->by_age->ends_ms <= now_ms)
        end(r, r->by_age);
    HASH_FIND_STR(r->by_id, id, m);
    return m;
}

static void set(struct meeting *m, const char *data, size_t len, int64_t now_ms)
{
    free(m->data);
    m->data = xcalloc(1, len + 1);
    if (len != 0) /* of an empty body there is no address */
        memcpy(m->data, data, len);
    m->len = len;
    m->changed_ms = now_ms;
    random_name(m->sequence, RENDEZVOUS_NAME_CHARS);
}

static void view(const struct meeting *m, int64_t now_ms, struct rendezvous_view *out)
{
    *out = (struct rendezvous_view){.expires_in_ms = m->ends_ms - now_ms, .changed_ms = m->changed_ms};
    memcpy(out->id, m->id, sizeof out->id);
    memcpy(out->sequence, m->sequence, sizeof out->sequence);
}

bool rendezvous_open(struct rendezvous *r, const char *place, const char *data, size_t len, int64_t now_ms,
                     struct rendezvous_view *out)
{
    char kept[PLACE_MAX];
    snprintf(kept, sizeof kept, "%s", place);
    pthread_mutex_lock(&r->lock);
    find(r, "", now_ms); /* those that have ended go */
    size_t here = 0;
    for (const struct meeting *m = r->by_age; m != NULL; m = m->next)
        here += strcmp(m->place, kept) == 0;
    bool room = HASH_COUNT(r->by_id) < RENDEZVOUS_MAX && here < RENDEZVOUS_OF_PLACE;
    if (room) {
        struct meeting *m = xcalloc(1, sizeof *m);
        random_name(m->id, RENDEZVOUS_NAME_CHARS);
        memcpy(m->place, kept, sizeof m->place);
        m->ends_ms = now_ms + RENDEZVOUS_LIFETIME_MS;
        set(m, data, len, now_ms);
        HASH_ADD_STR(r->by_id, id, m);
        DL_APPEND(r->by_age, m);
        view(m, now_ms, out);
    }
    pthread_mutex_unlock(&r->lock);
    return room;
}

bool rendezvous_get(struct rendezvous *r, const char *id, int64_t now_ms, struct rendezvous_view *out)
{
    pthread_mutex_lock(&r->lock);
    const struct meeting *m = find(r, id, now_ms);
    if (m != NULL) {
        view(m, now_ms, out);
        out->data = xcalloc(1, m->len + 1);
        memcpy(out->data, m->data, m->len);
        out->len = m->len;
    }
    pthread_mutex_unlock(&r->lock);
    return m != NULL;
}

enum rendezvous_outcome rendezvous_put(struct rendezvous *r, const char *id, const char *sequence, const char *data,
                                       size_t len, int64_t now_ms, struct rendezvous_view *out)
{
    enum rendezvous_outcome outcome = RENDEZVOUS_GONE;
    pthread_mutex_lock(&r->lock);
    struct meeting *m = find(r, id, now_ms);
    if (m != NULL) {
        bool current = strcmp(m->sequence, sequence) == 0;
        bool same = m->len == len && (len == 0 || memcmp(m->data, data, len) == 0);
        if (current)
            set(m, data, len, now_ms);
        outcome = current || same ? RENDEZVOUS_PUT : RENDEZVOUS_CONCURRENT;
        view(m, now_ms, out);
    }
    pthread_mutex_unlock(&r->lock);
    return outcome;
}

bool rendezvous_close(struct rendezvous *r, const char *id, int64_t now_ms)
{
    pthread_mutex_lock(&r->lock);
    struct meeting *m = find(r, id, now_ms);
    bool there = m != NULL;
    if (there)
        end(r, m);
    pthread_mutex_unlock(&r->lock);
    return there;
}
