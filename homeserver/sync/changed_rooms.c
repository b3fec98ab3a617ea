#include "homeserver/sync/changed_rooms.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"

struct changed_rooms {
    pthread_mutex_t lock;
    stream_pos known_after; /* what is not later may be missing */
    size_t n;               /* noted so far; the last CHANGED_ROOMS_NOTED are there */
    struct noted {
        room_no room;
        stream_pos pos;
    } ring[CHANGED_ROOMS_NOTED];
};

struct changed_rooms *changed_rooms_create(stream_pos start)
{
    struct changed_rooms *rooms = xcalloc(1, sizeof *rooms);
    rooms->known_after = start;
    pthread_mutex_init(&rooms->lock, NULL);
    return rooms;
}

void changed_rooms_destroy(struct changed_rooms *rooms)
{
    if (rooms == NULL)
        return;
    pthread_mutex_destroy(&rooms->lock);
    free(rooms);
}

void changed_rooms_note(struct changed_rooms *rooms, room_no room, stream_pos pos)
{
    pthread_mutex_lock(&rooms->lock);
    struct noted *last = &rooms->ring[(rooms->n + CHANGED_ROOMS_NOTED - 1) % CHANGED_ROOMS_NOTED];
    if (rooms->n != 0 && last->room == room) {
        last->pos = pos;
    } else {
        struct noted *noted = &rooms->ring[rooms->n % CHANGED_ROOMS_NOTED];
        if (rooms->n >= CHANGED_ROOMS_NOTED)
            rooms->known_after = noted->pos;
        *noted = (struct noted){room, pos};
        rooms->n += 1;
    }
    pthread_mutex_unlock(&rooms->lock);
}

/* Into its place; false: out is full. */
static bool insert(room_no out[CHANGED_ROOMS_MAX], size_t *n, room_no room)
{
    size_t at = *n;
    while (at != 0 && out[at - 1] >= room)
        --at;
    if (at < *n && out[at] == room)
        return true;
    if (*n == CHANGED_ROOMS_MAX)
        return false;
    memmove(&out[at + 1], &out[at], (*n - at) * sizeof *out);
    out[at] = room;
    *n += 1;
    return true;
}

bool changed_rooms_since(struct changed_rooms *rooms, stream_pos since, room_no out[CHANGED_ROOMS_MAX], size_t *n)
{
    *n = 0;
    pthread_mutex_lock(&rooms->lock);
    bool known = since >= rooms->known_after;
    for (size_t i = rooms->n; known && i != 0 && rooms->n - i < CHANGED_ROOMS_NOTED; --i) {
        const struct noted *noted = &rooms->ring[(i - 1) % CHANGED_ROOMS_NOTED];
        if (noted->pos <= since)
            break;
        known = insert(out, n, noted->room);
    }
    pthread_mutex_unlock(&rooms->lock);
    return known;
}
