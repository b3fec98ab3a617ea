/* Which events of a room notify, found out once for all people whose push rules come to the same there
 * (push/rules/scope.h): what unread counts are counted from (sync/unread.h).
 *
 * A struct notified holds a stretch of the room, (start, upto], by thread: each message, with its sender and whether
 * it notifies somebody whom it does not mention, and what it does for those whom it does; state events if they notify.
 * It is carried on when somebody asks for more, by whoever asks. What changes the past looks again at those events
 * alone: a redaction at the event and at what got its thread through it, other power levels at the events that asked
 * for the sender's power.
 *
 * Bounds. Beginning anew looks back over NOTIFIED_BUILD_MAX events of the room at most, and only as far as somebody
 * has not read; carried on, it grows to NOTIFIED_EVENTS_MAX events or NOTIFIED_BYTES_MAX, and then begins anew (with
 * fewer events, if it is their bytes). What lies before it counts for nobody. All of them together hold the bytes that
 * notified_create says; whoever was asked longest ago goes. 16 bytes a message, 8 a mention. */
#ifndef PARTA_SYNC_NOTIFIED_H
#define PARTA_SYNC_NOTIFIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "homeserver/base/ids.h"
#include "homeserver/push/rules/scope.h"

struct db;
struct notified_cache;
struct user_names;

#define NOTIFIED_BUILD_MAX 4096
#define NOTIFIED_EVENTS_MAX 131072
#define NOTIFIED_BYTES_MAX (8 << 20)

struct notified_event {
    stream_pos pos;
    uint32_t sender;    /* a user_no; no server has four thousand million accounts */
    uint32_t state : 1; /* a state event: notifies, but nobody has read anything by it */
    uint32_t notify : 1;
    uint32_t highlight : 1;
    uint32_t about : 29; /* index + 1 of notified->about: what it does for those whom it mentions; 0: the same */
};

/* What an event does for those whom it mentions, instead. */
struct notified_about {
    bool notify, highlight;
    uint32_t n;
    uint64_t *users; /* notified_hash, ascending; heap */
};

struct notified_thread {
    UT_hash_handle hh; /* by root */
    struct notified_thread *prev, *next;
    char *root; /* event id; NULL: the main timeline */
    size_t n, cap;
    struct notified_event *events; /* by position */
};

struct notified {
    struct notified_thread main;
    struct notified_thread *threads; /* the one with the newest event first (utlist), none is empty … */
    struct notified_thread *by_root; /* … and as a map */
    struct notified_about *about;
};

/* bytes: that all of them may hold. names is borrowed. */
struct notified_cache *notified_create(struct user_names *names, size_t bytes);
void notified_destroy(struct notified_cache *cache); /* NULL is accepted */

struct notified_ask {
    room_no room;
    const char *room_id;
    struct push_rules *rules; /* borrowed, and what follows is theirs in this room */
    const struct push_scope *scope;
    int64_t members;
    const char *display_name;
    stream_pos after, upto; /* the stretch that is asked for; upto: not beyond db's snapshot */
};

/* Held by the caller, alone, until notified_close. It may hold events beyond upto. Blocks (reads, some milliseconds at
 * the first time). */
const struct notified *notified_open(struct notified_cache *cache, struct db *db, const struct notified_ask *ask);
void notified_close(struct notified_cache *cache, const struct notified *notified);

/* How a user is called in struct notified_about. */
uint64_t notified_hash(const char *user_id, size_t len);

#endif
