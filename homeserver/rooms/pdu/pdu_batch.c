#include "homeserver/rooms/pdu/pdu_batch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/thread.h"

struct pdu_hasher {
    const char *key_id, *server_name;
    pthread_t thread;
    bool started;
    char last_id[ID_BYTES_MAX + 1]; /* of the last event hashed: whose turn it is to hash owns it */

    pthread_mutex_t lock;
    pthread_cond_t work, moved;
    struct pdu_batch *head, **tail; /* guarded by lock, like the rest, and the bools of batches */
    size_t given, hashed;           /* batches */
    bool stopping;
};

static bool hash_all(struct pdu_hasher *h, struct pdu_batch *batch)
{
    struct error ignored;
    bool good = true;
    for (size_t i = 0; i < batch->n; ++i) {
        struct pdu_batch_item *item = &batch->items[i];
        const char *before = h->last_id;
        if (item->follows)
            item->pdu->prev_events = &before;
        good = pdu_finish(item->pdu, h->key_id, h->server_name, &ignored) && good;
        item->pdu->prev_events = NULL;
        strcpy(h->last_id, item->pdu->event_id);
    }
    return good;
}

static void unlink_batch(struct pdu_hasher *h, struct pdu_batch *batch)
{
    struct pdu_batch **at = &h->head;
    while (*at != batch)
        at = &(*at)->next;
    *at = batch->next;
    if (h->tail == &batch->next)
        h->tail = at;
    batch->queued = false;
}

/* Called with the lock, as its taker. */
static void hash_in_turn(struct pdu_hasher *h, struct pdu_batch *batch)
{
    unlink_batch(h, batch);
    while (h->hashed != batch->number)
        pthread_cond_wait(&h->moved, &h->lock);
    pthread_mutex_unlock(&h->lock);
    bool good = hash_all(h, batch);
    pthread_mutex_lock(&h->lock);
    batch->failed = !good;
    batch->hashed = true;
    h->hashed += 1;
    pthread_cond_broadcast(&h->moved);
}

static void *hasher_main(void *arg)
{
    struct pdu_hasher *h = arg;
    pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        if (h->head == NULL)
            pthread_cond_wait(&h->work, &h->lock);
        else
            hash_in_turn(h, h->head);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

struct pdu_hasher *pdu_hasher_create(const char *key_id, const char *server_name)
{
    struct pdu_hasher *h = xcalloc(1, sizeof *h);
    h->key_id = key_id;
    h->server_name = server_name;
    h->tail = &h->head;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->work, NULL);
    pthread_cond_init(&h->moved, NULL);
    return h;
}

void pdu_hasher_destroy(struct pdu_hasher *h)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_cond_signal(&h->work);
    pthread_mutex_unlock(&h->lock);
    if (h->started)
        pthread_join(h->thread, NULL);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->work);
    pthread_cond_destroy(&h->moved);
    free(h);
}

/* One batch is not worth a thread. */
void pdu_hasher_give(struct pdu_hasher *h, struct pdu_batch *batch)
{
    pthread_mutex_lock(&h->lock);
    if (h->given == 1)
        h->started = thread_start(&h->thread, "hasher", 0, hasher_main, h);
    batch->number = h->given++;
    batch->queued = true;
    batch->hashed = batch->failed = false;
    batch->next = NULL;
    *h->tail = batch;
    h->tail = &batch->next;
    pthread_cond_signal(&h->work);
    pthread_mutex_unlock(&h->lock);
}

bool pdu_hasher_wait(struct pdu_hasher *h, struct pdu_batch *batch)
{
    pthread_mutex_lock(&h->lock);
    if (batch->queued)
        hash_in_turn(h, batch);
    while (!batch->hashed)
        pthread_cond_wait(&h->moved, &h->lock);
    bool good = !batch->failed;
    pthread_mutex_unlock(&h->lock);
    return good;
}
