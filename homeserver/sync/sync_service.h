/* Everything that /sync needs beside the request: one service, wired in main.
 *
 * Life: create it when writer, rooms, names and hub are there, before the first change; the writer's observers must be,
 * in this order, what keeps its own caches and then hub_observe, last. At the end: http_stop, sync_service_stop,
 * writer_stop, sync_service_destroy, hub_destroy. */
#ifndef PARTA_SYNC_SYNC_SERVICE_H
#define PARTA_SYNC_SYNC_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/store/driver/writer.h"

struct connections;
struct device_memory;
struct filter_cache;
struct lazy;
struct presence;
struct recent;
struct rooms;
struct signing_key;
struct sync_hub;
struct sync_section;
struct typing;
struct unread;
struct user_names;
struct writer;

#define SYNC_SECTIONS_MAX 32

struct sync_service {
    struct writer *writer;
    struct rooms *rooms;
    struct user_names *names;
    struct sync_hub *hub;
    const struct signing_key *key; /* for events in federation format */
    const char *server_name;
    struct filter_cache *filters;
    struct lazy *lazy;
    struct presence *presence; /* NULL: presence is off */
    struct typing *typing;
    struct recent *recent_receipts; /* sync/recent_receipts.h */
    struct unread *unread;
    struct connections *connections;                        /* of sliding sync */
    struct device_memory *devices;                          /* sync/device_memory.h */
    const struct sync_section *sections[SYNC_SECTIONS_MAX]; /* in the order in which they are written */
    size_t n_sections;
    struct member_set *(*others[CHANGE__COUNT])(struct sync_service *sync, const struct change *change); /* by kind */
};

struct sync_service_settings {
    struct writer *writer;
    struct rooms *rooms;
    struct user_names *names;
    struct sync_hub *hub;
    const struct signing_key *key;
    const char *server_name;
    bool presence;
};

/* Everything is borrowed for the service's life. NULL: logged. */
struct sync_service *sync_service_create(const struct sync_service_settings *settings);
void sync_service_stop(struct sync_service *sync);    /* ends its threads: before writer_stop. NULL is accepted */
void sync_service_destroy(struct sync_service *sync); /* after writer_stop. NULL is accepted */

/* Adds a section behind those that are there, and has the hub wake whom its changes concern. Before the first change
 * and before anybody syncs. section must outlive the service. */
void sync_service_add(struct sync_service *sync, const struct sync_section *section);

#endif
