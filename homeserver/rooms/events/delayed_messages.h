/* Quiet hours that delay (school.md F3): what was held is delivered when they are over.
 *
 * A held message passes the gate and event authorization again when it is due: by then its sender may have left, or
 * quiet hours have been set anew. What is refused then is dropped, as if it had been refused at once, and logged; what
 * is to wait longer waits. It is delivered with its device and transaction id, so that the sender's client takes it for
 * the echo of what it showed all along. */
#ifndef PARTA_ROOMS_EVENTS_DELAYED_MESSAGES_H
#define PARTA_ROOMS_EVENTS_DELAYED_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

struct rooms;
struct writer;

/* Delivers what is due, one message a job of the writer, until *stop becomes true (NULL: never). Returns how many were
 * delivered. Blocks. */
int delayed_messages_deliver(struct writer *writer, struct rooms *rooms, int64_t now_ms, const _Atomic bool *stop);

#endif
