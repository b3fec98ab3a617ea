/* Subscribing to a thread, and taking that back (MSC4306). It is the person's own affair, and asks what reading the
 * thread asks (rooms/read/visibility.h). */
#ifndef PARTA_ROOMS_ACTS_SUBSCRIBE_THREAD_H
#define PARTA_ROOMS_ACTS_SUBSCRIBE_THREAD_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct rooms;
struct writer;

struct thread_choice {
    const char *room_id, *root; /* root: the event id of the thread's first event */
    user_no user;
    const char *user_id;
    bool subscribe;
    const char *cause; /* the event that had a client subscribe by itself; NULL: the person did */
};

/* true: it is so now, or was before. A client's own subscription changes nothing of a person's, and is refused where
 * the person took theirs back after the cause (ERROR_UNSUBSCRIBED_SINCE), or where the cause is not of the thread
 * (ERROR_NOT_IN_THREAD); ERROR_NOT_FOUND: no such thread is to be read; ERROR_BOUND. Blocks (writes). */
bool thread_choose(struct writer *writer, struct rooms *rooms, const struct thread_choice *choice, struct error *e);

#endif
