#include "homeserver/sync/device_memory.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/store/matrix/one_time_keys.h"
#include "homeserver/store/matrix/to_device.h"

#define CHUNK 1024
#define CHUNKS (1 << 14) /* of devices with higher numbers nothing is ever known */
#define NOTHING_WAITS (-1)

struct entry {
    _Atomic int64_t counts;   /* one_time_keys.h; 0: not known */
    _Atomic stream_pos waits; /* something does, from about here on; NOTHING_WAITS; 0: not known */
    _Atomic stream_pos low;
};

struct device_memory {
    _Atomic(struct entry *) chunks[CHUNKS];
};

struct device_memory *device_memory_create(void)
{
    return xcalloc(1, sizeof(struct device_memory));
}

void device_memory_destroy(struct device_memory *memory)
{
    for (size_t i = 0; memory != NULL && i < CHUNKS; ++i)
        free(memory->chunks[i]);
    free(memory);
}

static struct entry *find(const struct device_memory *memory, device_no device)
{
    struct entry *chunk = device < (device_no)CHUNK * CHUNKS ? memory->chunks[device / CHUNK] : NULL;
    return chunk != NULL ? &chunk[device % CHUNK] : NULL;
}

static struct entry *make(struct device_memory *memory, device_no device)
{
    struct entry *there = NULL;
    if (device >= (device_no)CHUNK * CHUNKS || find(memory, device) != NULL)
        return find(memory, device);
    struct entry *chunk = xcalloc(CHUNK, sizeof *chunk);
    if (!atomic_compare_exchange_strong(&memory->chunks[device / CHUNK], &there, chunk))
        free(chunk);
    return find(memory, device);
}

void device_memory_observe(void *self, const struct change *changes, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        const struct change *c = &changes[i];
        if (c->kind != CHANGE_KEY_COUNTS && c->kind != CHANGE_TO_DEVICE && c->kind != CHANGE_KEYS_LOW)
            continue;
        struct entry *entry = make(self, c->device);
        if (entry == NULL)
            continue;
        if (c->kind == CHANGE_KEY_COUNTS)
            entry->counts = c->event;
        else if (c->kind == CHANGE_KEYS_LOW)
            entry->low = c->pos;
        else if (entry->waits <= 0)
            entry->waits = c->pos;
    }
}

bool device_memory_knows(const struct device_memory *memory, device_no device)
{
    const struct entry *entry = find(memory, device);
    return entry != NULL && entry->counts != 0 && entry->waits != 0;
}

/* What the observer says in between is newer: it stays. */
void device_memory_load(struct device_memory *memory, struct db *db, device_no device)
{
    struct entry *entry = make(memory, device);
    int64_t counts = 0, waits = 0;
    if (entry == NULL || device_memory_knows(memory, device))
        return;
    atomic_compare_exchange_strong(&entry->counts, &counts, one_time_keys_left(db, device));
    stream_pos oldest = to_device_oldest(db, device);
    atomic_compare_exchange_strong(&entry->waits, &waits, oldest != 0 ? oldest : NOTHING_WAITS);
}

void device_memory_add_counts(const struct device_memory *memory, device_no device, struct text *out)
{
    const struct entry *entry = find(memory, device);
    int64_t counts = entry != NULL ? entry->counts : 0;
    if (counts == 0)
        return;
    text_adds(out, ",\"device_one_time_keys_count\":{\"" ONE_TIME_ALGORITHM "\":");
    text_add_int(out, counts >> KEY_COUNTS_SHIFT);
    text_adds(out, (counts & KEY_COUNTS_FALLBACK) != 0 ? "},\"device_unused_fallback_key_types\":[\"" ONE_TIME_ALGORITHM
                                                         "\"]"
                                                       : "},\"device_unused_fallback_key_types\":[]");
}

stream_pos device_memory_low(const struct device_memory *memory, device_no device)
{
    const struct entry *entry = find(memory, device);
    return entry != NULL ? entry->low : 0;
}

struct delivered {
    struct device_memory *memory;
    device_no device;
    stream_pos since;
    struct error e;
};

/* Told before what this group adds is: the observer comes afterwards. */
static bool job_delivered(struct tx *tx, void *arg, struct error *e)
{
    struct delivered *d = arg;
    if (!to_device_delivered(tx, d->device, d->since))
        return false;
    stream_pos oldest = to_device_oldest(tx->db, d->device);
    make(d->memory, d->device)->waits = oldest != 0 ? oldest : NOTHING_WAITS;
    return true;
}

static void release(void *arg, bool ok)
{
    free(arg);
}

void device_memory_delivered(struct device_memory *memory, struct writer *writer, device_no device, stream_pos since)
{
    struct entry *entry = find(memory, device);
    stream_pos waits = entry != NULL ? entry->waits : 0;
    if (waits <= 0 || waits > since || !atomic_compare_exchange_strong(&entry->waits, &waits, NOTHING_WAITS))
        return;
    struct delivered *d = xcalloc(1, sizeof *d);
    *d = (struct delivered){.memory = memory, .device = device, .since = since};
    writer_submit(writer, job_delivered, d, &d->e, release, d);
}
