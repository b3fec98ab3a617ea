/* What is remembered of each device, so that a loop can answer for it without the database: how many one-time keys it
 * has left, whether its fallback key is unused, and whether messages wait for it (Client-Server API, "End-to-End
 * Encryption", "Send-to-Device messaging").
 *
 * Filled by the writer's observer, in order of commit, and for whoever has not been heard of since the start by the
 * first worker that asks. 24 bytes a device. Any thread. */
#ifndef PARTA_SYNC_DEVICE_MEMORY_H
#define PARTA_SYNC_DEVICE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/writer.h"

struct db;
struct device_memory;
struct text;

struct device_memory *device_memory_create(void);                               /* nobody is known yet; never NULL */
void device_memory_destroy(struct device_memory *memory);                       /* NULL is accepted */
void device_memory_observe(void *self, const struct change *changes, size_t n); /* the writer's observer */

/* Whether all of it is known of the device: else a worker must ask first. */
bool device_memory_knows(const struct device_memory *memory, device_no device);
/* Asks the database for what is not. Blocks (reads). */
void device_memory_load(struct device_memory *memory, struct db *db, device_no device);

/* "device_one_time_keys_count":{…},"device_unused_fallback_key_types":[…] with a comma before each; nothing of a device
 * that is not known. */
void device_memory_add_counts(const struct device_memory *memory, device_no device, struct text *out);

/* When the device was told last that its keys run out; 0: not since the start. */
stream_pos device_memory_low(const struct device_memory *memory, device_no device);

/* The device has everything up to since: what waited of it is deleted by and by. Never blocks. */
void device_memory_delivered(struct device_memory *memory, struct writer *writer, device_no device, stream_pos since);

#endif
