#include "homeserver/rooms/pdu/pdu_batch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/thread.h"

struct pdu_signer {
    const struct signing_key *key;
    const char *server_name;
    pthread_t thread;
    bool started;
    char last_id[ID_BYTES_MAX + 1]; /* of the last event hashed: whose turn it is to hash owns it */

    pthread_mutex_t lock;
    pthread_cond_t work, moved;
    struct pdu_batch *head, **tail; /* guarded by lock, like the rest, and the bools of batches */
    size_t given, hashed;           /* batches */
    bool stopping;
};

static bool hash_all(struct pdu_signer *s, struct pdu_batch *batch)
{
    struct error ignored;
    bool good = true;
    for (size_t i = 0; i < batch->n; ++i) {
        struct pdu_batch_item *item = &batch->items[i];
        const char *before = s->last_id;
        if (item->follows)
            item->pdu->prev_events = &before;
        good = pdu_finish_unsigned(item->pdu, s->key->id, s->server_name, &item->bytes, &ignored) && good;
        item->pdu->prev_events = NULL;
        strcpy(s->last_id, item->pdu->event_id);
    }
    return good;
}

/* Signs what nobody else has taken. */
static void sign_rest(const struct pdu_signer *s, struct pdu_batch *batch)
{
    for (size_t i; (i = atomic_fetch_add(&batch->claimed, 1)) < batch->n;) {
        struct pdu_batch_item *item = &batch->items[i];
        signing_key_sign(s->key, item->bytes.data, item->bytes.len, item->pdu->signature);
    }
}

static void unlink_batch(struct pdu_signer *s, struct pdu_batch *batch)
{
    struct pdu_batch **at = &s->head;
    while (*at != batch)
        at = &(*at)->next;
    *at = batch->next;
    if (s->tail == &batch->next)
        s->tail = at;
    batch->queued = false;
}

/* Called with the lock, as its taker. */
static void hash_in_turn(struct pdu_signer *s, struct pdu_batch *batch)
{
    unlink_batch(s, batch);
    while (s->hashed != batch->number)
        pthread_cond_wait(&s->moved, &s->lock);
    pthread_mutex_unlock(&s->lock);
    bool good = hash_all(s, batch);
    pthread_mutex_lock(&s->lock);
    batch->failed = !good;
    batch->hashed = true;
    s->hashed += 1;
    pthread_cond_broadcast(&s->moved);
}

static void *signer_main(void *arg)
{
    struct pdu_signer *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct pdu_batch *batch = s->head;
        if (batch == NULL) {
            pthread_cond_wait(&s->work, &s->lock);
            continue;
        }
        batch->held = true;
        hash_in_turn(s, batch);
        pthread_mutex_unlock(&s->lock);
        sign_rest(s, batch);
        pthread_mutex_lock(&s->lock);
        batch->held = false;
        pthread_cond_broadcast(&s->moved);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct pdu_signer *pdu_signer_create(const struct signing_key *key, const char *server_name)
{
    struct pdu_signer *s = xcalloc(1, sizeof *s);
    s->key = key;
    s->server_name = server_name;
    s->tail = &s->head;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->moved, NULL);
    return s;
}

void pdu_signer_destroy(struct pdu_signer *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    if (s->started)
        pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->moved);
    free(s);
}

/* One batch is not worth a thread. */
void pdu_signer_give(struct pdu_signer *s, struct pdu_batch *batch)
{
    pthread_mutex_lock(&s->lock);
    if (s->given == 1)
        s->started = thread_start(&s->thread, "signer", 0, signer_main, s);
    batch->number = s->given++;
    batch->claimed = 0;
    batch->queued = true;
    batch->held = batch->hashed = batch->failed = false;
    batch->next = NULL;
    *s->tail = batch;
    s->tail = &batch->next;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

bool pdu_signer_wait(struct pdu_signer *s, struct pdu_batch *batch)
{
    pthread_mutex_lock(&s->lock);
    if (batch->queued)
        hash_in_turn(s, batch);
    while (!batch->hashed)
        pthread_cond_wait(&s->moved, &s->lock);
    pthread_mutex_unlock(&s->lock);
    sign_rest(s, batch);
    pthread_mutex_lock(&s->lock);
    while (batch->held)
        pthread_cond_wait(&s->moved, &s->lock);
    bool good = !batch->failed;
    pthread_mutex_unlock(&s->lock);
    return good;
}
