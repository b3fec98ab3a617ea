/* Everything that /sync needs beside the request: one service, wired in main.
 *
 * Life: create it when writer, rooms, names and hub are there, before the first change; the writer's observers must be,
 * in this order, what keeps its own caches and then hub_observe, last. At the end: http_stop, sync_service_stop,
 * writer_stop, sync_service_destroy, hub_destroy. */
#ifndef PARTA_SYNC_SYNC_SERVICE_H
#define PARTA_SYNC_SYNC_SERVICE_H

#include <stdbool.h>

struct filter_cache;
struct lazy;
struct presence;
struct recent;
struct rooms;
struct signing_key;
struct sync_hub;
struct typing;
struct unread;
struct user_names;
struct writer;

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

/* Everything is borrowed for the service's life. */
struct sync_service *sync_service_create(const struct sync_service_settings *settings);
void sync_service_stop(struct sync_service *syncer);    /* ends its threads: before writer_stop. NULL is accepted */
void sync_service_destroy(struct sync_service *syncer); /* after writer_stop. NULL is accepted */

#endif
