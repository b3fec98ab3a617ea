#include "homeserver/sync/recent_wakes.h"

#include <pthread.h>
#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/sync/wake.h"

struct recent_wakes {
    pthread_mutex_t lock;
    size_t first, n, bytes; /* a ring: the oldest is items[first] */
    struct {
        struct wake *wake;
        int64_t came_ms;
    } items[RECENT_WAKES_MAX];
};

struct recent_wakes *recent_wakes_create(void)
{
    struct recent_wakes *recent = xcalloc(1, sizeof *recent);
    pthread_mutex_init(&recent->lock, NULL);
    return recent;
}

static size_t bytes_of(const struct wake *wake)
{
    return wake->bytes + wake->n_users * (sizeof *wake->users + sizeof *wake->before + sizeof *wake->first) +
           wake->first[wake->n_users] * sizeof *wake->items;
}

static void drop_oldest(struct recent_wakes *recent)
{
    struct wake *wake = recent->items[recent->first].wake;
    recent->bytes -= bytes_of(wake);
    recent->first = (recent->first + 1) % RECENT_WAKES_MAX;
    recent->n -= 1;
    wake_unref(wake);
}

void recent_wakes_destroy(struct recent_wakes *recent)
{
    if (recent == NULL)
        return;
    while (recent->n != 0)
        drop_oldest(recent);
    pthread_mutex_destroy(&recent->lock);
    free(recent);
}

void recent_wakes_add(struct recent_wakes *recent, struct wake *wake, int64_t now_ms)
{
    size_t bytes = bytes_of(wake);
    pthread_mutex_lock(&recent->lock);
    while (recent->n != 0 && (recent->n == RECENT_WAKES_MAX || recent->bytes + bytes > RECENT_WAKES_BYTES ||
                              now_ms - recent->items[recent->first].came_ms > RECENT_WAKES_MS))
        drop_oldest(recent);
    if (bytes <= RECENT_WAKES_BYTES) {
        size_t at = (recent->first + recent->n++) % RECENT_WAKES_MAX;
        recent->items[at].wake = wake_ref(wake);
        recent->items[at].came_ms = now_ms;
        recent->bytes += bytes;
    }
    pthread_mutex_unlock(&recent->lock);
}

void recent_wakes_end(struct recent_wakes *recent, stream_pos event)
{
    pthread_mutex_lock(&recent->lock);
    size_t kept = 0;
    for (size_t i = 0; i < recent->n; ++i) {
        size_t at = (recent->first + i) % RECENT_WAKES_MAX;
        struct wake *wake = recent->items[at].wake;
        if (wake_has(wake, event)) {
            wake->ended = true;
            recent->bytes -= bytes_of(wake);
            wake_unref(wake);
        } else {
            recent->items[(recent->first + kept++) % RECENT_WAKES_MAX] = recent->items[at];
        }
    }
    recent->n = kept;
    pthread_mutex_unlock(&recent->lock);
}

/* Backwards from the last change: each wake says what the user's change before it was, so that none that is missing
 * goes unnoticed. One that is ahead of last_change has come since that was asked: who asks hears of it otherwise. */
size_t recent_wakes_since(struct recent_wakes *recent, user_no user, stream_pos since, stream_pos last_change,
                          int64_t now_ms, struct wake **out)
{
    struct wake *found[RECENT_WAKES_MAX];
    size_t n = 0;
    pthread_mutex_lock(&recent->lock);
    for (size_t i = recent->n; i-- > 0 && last_change > since;) {
        struct wake *wake = recent->items[(recent->first + i) % RECENT_WAKES_MAX].wake;
        if (wake->pos < last_change ||
            now_ms - recent->items[(recent->first + i) % RECENT_WAKES_MAX].came_ms > RECENT_WAKES_MS)
            break;
        ptrdiff_t at = wake->pos == last_change ? wake_find(wake, user) : -1;
        if (at < 0)
            continue;
        found[n++] = wake;
        last_change = wake->before[at];
    }
    if (last_change > since)
        n = 0;
    for (size_t i = 0; i < n; ++i)
        out[i] = wake_ref(found[n - 1 - i]);
    pthread_mutex_unlock(&recent->lock);
    return n;
}
