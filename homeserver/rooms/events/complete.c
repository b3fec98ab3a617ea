#include "homeserver/rooms/events/complete.h"

#include <stdlib.h>

#include "homeserver/rooms/events/record.h"
#include "homeserver/rooms/pdu/pdu_batch.h"
#include "homeserver/store/driver/writer.h"

#define BATCH 256

/* A room of version 12 is called after its create event: two that one person makes in the same millisecond would be
 * one, so the later event says a later millisecond. */
bool complete_event(struct tx *tx, struct new_event *event, struct error *e)
{
    const struct rooms_settings *settings = rooms_settings(event->room->rooms);
    struct pdu *pdu = &event->pdu;
    bool done = pdu_finish(pdu, settings->key->id, settings->server_name, e);
    while (done && pdu->room_id == NULL && events_pos_of(tx->db, pdu->event_id) != 0) {
        event->row.ts = pdu->origin_server_ts += 1;
        done = pdu_finish(pdu, settings->key->id, settings->server_name, e);
    }
    if (done && event->room->version->id_format == EVENT_ID_OPAQUE) {
        pdu_reference_hash(pdu, event->reference);
        event->row.reference_hash = event->reference;
    }
    return done;
}

struct filled {
    struct new_event events[BATCH];
    struct pdu_batch_item items[BATCH];
    struct pdu_batch batch;
};

/* Two take turns: while the hasher works on one, the job fills the other. */
struct event_batch {
    struct rooms *rooms;
    struct tx *tx;
    struct pdu_hasher *hasher;      /* NULL: nothing has been given to it yet */
    struct filled *filling, *given; /* given: with the hasher, if its n is not 0 */
    struct room *chained; /* whose event was the last to be pushed, and is not written: the next of it follows */
};

struct event_batch *event_batch_create(struct rooms *rooms, struct tx *tx)
{
    struct event_batch *b = xcalloc(1, sizeof *b);
    b->rooms = rooms;
    b->tx = tx;
    return b;
}

static void filled_free(struct filled *filled)
{
    for (int i = 0; filled != NULL && i < BATCH; ++i)
        text_finish(&filled->events[i].content);
    free(filled);
}

void event_batch_destroy(struct event_batch *b)
{
    if (b == NULL)
        return;
    pdu_hasher_destroy(b->hasher); /* first: it may be at work on what is freed next */
    filled_free(b->filling);
    filled_free(b->given);
    free(b);
}

struct new_event *event_batch_next(struct event_batch *b)
{
    if (b->filling == NULL) {
        b->filling = xcalloc(1, sizeof *b->filling);
        b->filling->batch.items = b->filling->items;
    }
    struct new_event *event = &b->filling->events[b->filling->batch.n];
    struct text content = event->content;
    text_clear(&content);
    *event = (struct new_event){.content = content};
    return event;
}

/* What the hasher has, if anything, comes back and is written. */
static bool take_back(struct event_batch *b)
{
    struct filled *filled = b->given;
    if (filled == NULL || filled->batch.n == 0)
        return true;
    bool good = pdu_hasher_wait(b->hasher, &filled->batch);
    for (size_t i = 0; i < filled->batch.n && good; ++i)
        good = record_write(b->tx, &filled->events[i]);
    filled->batch.n = 0;
    return good;
}

/* The full one goes to the hasher, behind the one that it has, so that it is never idle while this thread writes rows;
 * what comes back is filled next. */
static bool turn(struct event_batch *b)
{
    struct filled *full = b->filling;
    const struct rooms_settings *settings = rooms_settings(b->rooms);
    if (full == NULL || full->batch.n == 0)
        return true;
    if (b->hasher == NULL)
        b->hasher = pdu_hasher_create(settings->key->id, settings->server_name);
    pdu_hasher_give(b->hasher, &full->batch);
    bool good = take_back(b);
    b->filling = b->given;
    b->given = full;
    return good;
}

/* An event that follows another of its room on its way learns that one's id from the hasher, which goes in order; one
 * that does not was framed with the id of an event that is written. */
bool event_batch_push(struct event_batch *b)
{
    struct filled *filled = b->filling;
    struct new_event *event = &filled->events[filled->batch.n];
    struct pdu_batch_item *item = &filled->items[filled->batch.n++];
    item->pdu = &event->pdu;
    item->follows = b->chained == event->room;
    b->chained = event->room;
    return filled->batch.n < BATCH || turn(b);
}

bool event_batch_flush(struct event_batch *b)
{
    b->chained = NULL;
    return turn(b) && take_back(b);
}

bool event_batch_holds(const struct event_batch *b, const struct room *room)
{
    const struct filled *oldest = b->given != NULL && b->given->batch.n != 0 ? b->given : b->filling;
    return oldest != NULL && oldest->batch.n != 0 && room->last_pos >= oldest->events[0].row.pos;
}
