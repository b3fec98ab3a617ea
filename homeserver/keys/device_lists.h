/* Whose keys a client should ask for again (Client-Server API, "Tracking the device list for a user", "Extensions to
 * /sync"): for /sync, /keys/changes and whatever else tells it. Only people with whom one shares a room where messages
 * are encrypted count, and oneself; who is kept from the asker (D9) is left out. */
#ifndef PARTA_KEYS_DEVICE_LISTS_H
#define PARTA_KEYS_DEVICE_LISTS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

struct db;
struct member_set;

struct device_lists {
    user_no *changed, *left; /* heap, ascending */
    size_t n_changed, n_left;
};

/* gate_unseen of the user, borrowed; NULL: nobody. Asked only where there is something to tell, which is seldom. */
typedef const struct member_set *device_lists_unseen(void *arg);

/* Blocks (reads). */
void device_lists_since(struct db *db, user_no user, stream_pos since, stream_pos upto, device_lists_unseen *unseen,
                        void *arg, struct device_lists *out);
void device_lists_finish(struct device_lists *lists);

#endif
