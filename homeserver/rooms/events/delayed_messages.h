/* Quiet hours that delay (school.md F3): what was held is delivered when they are over.
 *
 * A held message passes the gate and event authorization again when it is due: by then its sender may have left, or
 * quiet hours have been set anew. What is refused then is dropped, and its sender is told; what is to wait longer
 * waits. It is delivered with its device and transaction id, so that the sender's client takes it for the echo of what
 * it showed all along. Meanwhile and afterwards it can be taken back, edited, answered and reacted to by the id that
 * was told (rooms/events/held_ids.h). */
#ifndef PARTA_ROOMS_EVENTS_DELAYED_MESSAGES_H
#define PARTA_ROOMS_EVENTS_DELAYED_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

struct delayed_message;
struct error;
struct rooms;
struct tx;
struct writer;

/* Tells a sender, inside the job, that their message is dropped, and why; logs if that cannot be done. */
struct held_dropped {
    void *self;
    void (*tell)(void *self, struct tx *tx, const struct delayed_message *row, const struct error *why);
};

/* Delivers what is due, one message a job of the writer, until *stop becomes true (NULL: never). dropped: NULL: nobody
 * is told. Returns how many were delivered. Blocks. */
int delayed_messages_deliver(struct writer *writer, struct rooms *rooms, const struct held_dropped *dropped,
                             int64_t now_ms, const _Atomic bool *stop);

#endif
