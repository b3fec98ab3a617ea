/* To which thread of a room an event belongs (Client-Server API, "Threading" and "Receipts"): the one it says
 * (m.thread), or the one of the event it relates to, over at most three hops; else the main timeline. */
#ifndef PARTA_ROOMS_THREADS_H
#define PARTA_ROOMS_THREADS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

struct db;

#define THREAD_MAIN "main"

/* The root's event id into out; false: the main timeline. content: JSON text of the event's. Blocks when it has to look
 * at other events; never for an event without a relation or with one of type m.thread. */
bool thread_root(struct db *db, const char *content, char out[ID_BYTES_MAX + 1]);

/* The same, and through which events, none or some, it was found: what these say may be redacted later. */
#define THREAD_HOPS_MAX 3
struct thread_hops {
    size_t n;
    char ids[THREAD_HOPS_MAX][ID_BYTES_MAX + 1];
};
bool thread_root_through(struct db *db, const char *content, char out[ID_BYTES_MAX + 1], struct thread_hops *hops);

/* What the content relates to, however (rel_type and event_id are both there). false: nothing. Never blocks. */
bool thread_target(const char *content, char out[ID_BYTES_MAX + 1]);

/* Whether thread_root would ask the database: it relates to another event, but not by m.thread. */
bool thread_needs_look(const char *content);

#endif
