/* What a person was, or would have been, notified of: the newest first, over all rooms they are in (Client-Server API,
 * "Listing Notifications").
 *
 * Nothing of it is stored: the events since the person joined each room are asked about with their push rules as they
 * are now, newest first, until the page is full. Of one room a page looks at NOTIFICATIONS_SCAN_MAX events at most; if
 * that ends it early, it may hold fewer than asked for, even none, and still have a next page. A full page always has
 * one. What was redacted, or sent by somebody they ignore, is left out. */
#ifndef PARTA_PUSH_NOTIFICATIONS_H
#define PARTA_PUSH_NOTIFICATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

#define NOTIFICATIONS_SCAN_MAX 500

struct db;
struct event_row;
struct push_rules;
struct user_names;

struct notifications_wanted {
    user_no user;
    const char *user_id;
    const char *server_name;
    stream_pos upto; /* events up to here, itself included */
    size_t limit;    /* > 0 */
    bool highlights_only;
};

struct notifications_event {
    struct event_row *row; /* heap */
    const char *actions;   /* JSON text, borrowed from rules */
    bool read;             /* a receipt of theirs for its thread, or for the whole room, is not before it */
};

struct notifications {
    struct push_rules *rules;
    struct notifications_event *events; /* newest first */
    size_t n;
    stream_pos next; /* upto of the next page; 0: there is none */
};

/* Blocks (reads, up to some milliseconds a room); inside one snapshot (db_begin_read) of the caller's. */
void notifications_read(struct notifications *notified, struct db *db, struct user_names *names,
                        const struct notifications_wanted *wanted);
void notifications_finish(struct notifications *notified);

#endif
