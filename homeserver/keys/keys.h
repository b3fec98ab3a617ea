/* End-to-end encryption as the server knows it (Client-Server API, "End-to-End Encryption"): it keeps what clients
 * publish and hands it on; it never sees what they say.
 *
 * Who acts, and the two questions that guard all of it (school.md A1, A6, D9, F1). To who may not know of somebody the
 * person does not exist: they are left out of answers, and what is sent to them is thrown away. Own devices may
 * everything. Asked inside the job where something is written. */
#ifndef PARTA_KEYS_KEYS_H
#define PARTA_KEYS_KEYS_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct db;
struct rooms;
struct writer;

/* A person's device that asks; borrowed for the call. */
struct keys_caller {
    struct writer *writer;
    struct rooms *rooms;
    user_no user;
    const char *user_id;
    device_no device;
    const char *device_id;
};

#define KEYS_PEOPLE_MAX 1000  /* whom one request may be about … */
#define KEYS_DEVICES_MAX 5000 /* … and how many devices */

/* Whether the asker may learn of the other's keys: as of their profile (A6; D9). 0: nobody: false. Blocks (reads). */
bool keys_may_know(const struct rooms *rooms, struct db *db, user_no asker, user_no other);

/* Whether messages from device to device, and one-time keys to begin them with, may pass: to who may be known and is
 * in, or invited into, a room with the sender where messages are encrypted. Devices speak to each other about such
 * rooms; anything else would be a way past F1. */
bool keys_may_reach(const struct rooms *rooms, struct db *db, user_no from, user_no to);

/* The user of this server, if the asker may know or reach them; 0: nobody. */
user_no keys_known(const struct keys_caller *caller, struct db *db, const char *user_id);
user_no keys_reached(const struct keys_caller *caller, struct db *db, const char *user_id);

#endif
