#include "homeserver/rooms/signer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "homeserver/base/text.h"

struct signer {
    const struct signing_key *key;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t work, released;
    struct signing_batch *head, **tail; /* with queued, held and stopping guarded by lock */
    bool stopping;
};

/* Signs what nobody else has taken. */
static void sign_rest(const struct signer *s, struct signing_batch *batch)
{
    for (size_t i; (i = atomic_fetch_add(&batch->claimed, 1)) < batch->n;)
        signing_key_sign(s->key, batch->items[i].bytes, batch->items[i].len, batch->items[i].signature);
}

static void unlink_batch(struct signer *s, struct signing_batch *batch)
{
    struct signing_batch **at = &s->head;
    while (*at != batch)
        at = &(*at)->next;
    *at = batch->next;
    if (s->tail == &batch->next)
        s->tail = at;
    batch->queued = false;
}

static void *signer_main(void *arg)
{
    struct signer *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct signing_batch *batch = s->head;
        if (batch == NULL) {
            pthread_cond_wait(&s->work, &s->lock);
            continue;
        }
        unlink_batch(s, batch);
        batch->held = true;
        pthread_mutex_unlock(&s->lock);
        sign_rest(s, batch);
        pthread_mutex_lock(&s->lock);
        batch->held = false;
        pthread_cond_signal(&s->released);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct signer *signer_start(const struct signing_key *key)
{
    struct signer *s = xcalloc(1, sizeof *s);
    s->key = key;
    s->tail = &s->head;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->released, NULL);
    s->started = pthread_create(&s->thread, NULL, signer_main, s) == 0;
    return s;
}

void signer_stop(struct signer *s)
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
    pthread_cond_destroy(&s->released);
    free(s);
}

void signer_give(struct signer *s, struct signing_batch *batch)
{
    pthread_mutex_lock(&s->lock);
    batch->claimed = 0;
    batch->held = false;
    batch->queued = true;
    batch->next = NULL;
    *s->tail = batch;
    s->tail = &batch->next;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

void signer_wait(struct signer *s, struct signing_batch *batch)
{
    sign_rest(s, batch);
    pthread_mutex_lock(&s->lock);
    if (batch->queued)
        unlink_batch(s, batch);
    while (batch->held)
        pthread_cond_wait(&s->released, &s->lock);
    pthread_mutex_unlock(&s->lock);
}
