/* The fast path of /sync: a wake answered on the loop, without a worker and without the database.
 *
 * When a group of writes is committed, what of it many people are to get in the same words is rendered once and hung on
 * the wake (fast_path_prepare, on the writer's thread): messages, public receipts, typing. A parked poll that was up to
 * date then gets a reply spliced from these fragments and a few bytes of its own: its unread counts, carried on in
 * memory. So does a poll that comes back while its person's last wakes are still kept (hub_missed). Whatever is not
 * plain goes to a worker, and the sections answer (sync/v2.h): state, redactions, one's own marks, other filters than
 * lazy loading and a limit, members whom a lazily loading device has not met, more events than the limit, and signs of
 * life, for whoever is under any custody (school.md D9): to them not everybody is seen. The two ways give the same
 * answer; tests/unit/fast_path.c holds them against each other. */
#ifndef PARTA_SYNC_FAST_PATH_H
#define PARTA_SYNC_FAST_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/sync/unread.h"

struct change;
struct sync_request;
struct sync_service;
struct wake;

/* Wakes get their fragments from now on. Before the first change. */
void fast_path_start(struct sync_service *sync);

/* The hub's dresser; self: a struct sync_service. */
void fast_path_prepare(void *self, struct wake *wake, const struct change *changes, size_t n);

/* Appends the whole answer for a poll at request->since, of n wakes (≤ RECENT_WAKES_MAX), in order, that are all that
 * concerned its person after it. false: nothing was appended, a worker must do it (or the poll has what the wake tells
 * of: it was still on its way when the poll was parked). Any thread; never blocks. */
bool fast_path_answer(struct sync_service *sync, struct wake *const *wakes, size_t n,
                      const struct sync_request *request, struct text *out);

/* What one room of a wake has for everybody in it, for an answer that is put together otherwise (sync/sliding/live.h):
 * nothing but messages, as in fast_path_answer. request->filter says the limit and whether
 * members are loaded lazily. */
struct fast_told {
    const char *head; /* `"!room":{`, the wake's */
    size_t head_len, n_events;
    const char *type; /* of the last event; the wake's */
    int64_t came_ms;
    stream_pos pos;
    struct unread_counts sum; /* after it, of all threads */
};

/* Appends the events, with commas between. index: of wake->rooms. request->device: as which members are known; device:
 * who asks. members_since: what was told of members before may be old by now. false: a worker must do it, nothing was
 * appended. Any thread; never blocks. */
bool fast_path_room(struct sync_service *sync, const struct wake *wake, int index, const struct sync_request *request,
                    device_no device, stream_pos members_since, struct text *out, struct fast_told *told);

#endif
