#include "homeserver/base/recent.h"

#include <pthread.h>
#include <stdlib.h>

#include "homeserver/base/search.h"
#include "homeserver/base/text.h"

struct recent {
    pthread_mutex_t lock;
    size_t items_max, bytes_max;
    size_t first, n, bytes; /* guarded by lock, like the ring */
    struct recent_item *ring[];
};

void *recent_item_create(stream_pos pos, size_t bytes)
{
    struct recent_item *item = xcalloc(1, bytes);
    item->pos = pos;
    item->bytes = bytes;
    item->refs = 1;
    return item;
}

void *recent_item_ref(void *item)
{
    ((struct recent_item *)item)->refs += 1;
    return item;
}

void recent_item_unref(void *arg)
{
    struct recent_item *item = arg;
    if (item != NULL && --item->refs == 0)
        free(item);
}

struct recent *recent_create(size_t items_max, size_t bytes_max)
{
    struct recent *recent = xcalloc(1, sizeof *recent + items_max * sizeof *recent->ring);
    recent->items_max = items_max;
    recent->bytes_max = bytes_max;
    pthread_mutex_init(&recent->lock, NULL);
    return recent;
}

void recent_destroy(struct recent *recent)
{
    if (recent == NULL)
        return;
    recent_clear(recent);
    pthread_mutex_destroy(&recent->lock);
    free(recent);
}

/* With the lock, as at. */
static void drop_oldest(struct recent *recent)
{
    struct recent_item *oldest = recent->ring[recent->first];
    recent->first = (recent->first + 1) % recent->items_max;
    recent->n -= 1;
    recent->bytes -= oldest->bytes;
    recent_item_unref(oldest);
}

static struct recent_item *at(const struct recent *recent, size_t i)
{
    return recent->ring[(recent->first + i) % recent->items_max];
}

void recent_add(struct recent *recent, void *arg)
{
    struct recent_item *item = arg;
    pthread_mutex_lock(&recent->lock);
    /* What does not rise is of a job that has been rolled back: the search below needs the order. */
    while (recent->n != 0 && (at(recent, recent->n - 1)->pos >= item->pos || recent->n == recent->items_max ||
                              recent->bytes + item->bytes > recent->bytes_max))
        drop_oldest(recent);
    recent->ring[(recent->first + recent->n++) % recent->items_max] = item;
    recent->bytes += item->bytes;
    pthread_mutex_unlock(&recent->lock);
}

void *recent_get(struct recent *recent, stream_pos pos)
{
    struct recent_item *found = NULL;
    pthread_mutex_lock(&recent->lock);
    size_t i;
    SEARCH_FIRST(i, recent->n, at(recent, i)->pos < pos);
    if (i < recent->n && at(recent, i)->pos == pos)
        found = recent_item_ref(at(recent, i));
    pthread_mutex_unlock(&recent->lock);
    return found;
}

void recent_clear(void *arg)
{
    struct recent *recent = arg;
    pthread_mutex_lock(&recent->lock);
    while (recent->n != 0)
        drop_oldest(recent);
    pthread_mutex_unlock(&recent->lock);
}
