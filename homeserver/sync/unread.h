/* How much a person has not read: notifications and highlights per room and thread (Client-Server API, "Receiving
 * notifications", "Threaded read receipts").
 *
 * Nothing of it is stored. The counts follow from the events behind the person's read position, their push rules and
 * the thread each event is in. An event is read when it is not behind the newest of the person's receipts that count
 * for its thread (unthreaded ones count for all), or of their own messages in that thread, or not after they joined.
 * They are counted anew each time, from what the room has found out once for all whose rules come to the same
 * (sync/notified.h): of that only what the person has not read is walked over, two nanoseconds an event. The result is
 * remembered for the loops, which count on from it. How far back is looked: see notified.h; beyond, nothing counts. */
#ifndef PARTA_SYNC_UNREAD_H
#define PARTA_SYNC_UNREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct db;
struct ignored;
struct push_event;
struct unread;
struct user_names;

struct unread_counts {
    int64_t notify, highlight;
};

struct unread_tally {
    struct unread_counts main; /* outside of threads */
    size_t n;
    struct unread_thread {
        char *root; /* event id */
        struct unread_counts counts;
    } * threads;
};
void unread_tally_finish(struct unread_tally *tally); /* frees the threads and empties it */

/* max: how many (user, room) pairs are remembered. bytes: what may be kept of rooms (sync/notified.h). */
struct unread *unread_create(struct user_names *names, size_t max, size_t bytes);
void unread_destroy(struct unread *unread); /* NULL is accepted */

/* For whom, where and when; borrowed. */
struct unread_ask {
    user_no user;
    const char *user_id;
    room_no room;
    const char *room_id;
    stream_pos joined_pos;         /* when they joined */
    stream_pos upto;               /* of the snapshot */
    const struct ignored *ignored; /* whom the user ignores: their messages do not count; NULL: nobody */
    bool only_behind;              /* ask only if something may be unread, whatever the rules say */
    struct push_rules *rules;      /* theirs, of the snapshot (unread_rules); NULL: looked up */
};

/* The user's push rules, for whoever asks for many rooms. The caller unrefs them. Blocks (reads). */
struct push_rules *unread_rules(struct unread *unread, struct db *db, user_no user);

/* Blocks (reads). false: it was not asked (only_behind). The caller finishes *out. */
bool unread_get(struct unread *unread, struct db *db, const struct unread_ask *ask, struct unread_tally *out);

/* What the default rules answer about an event to all whom it does not mention: found out by whoever asks first, on any
 * thread. 0: nobody has. */
typedef _Atomic unsigned char unread_answer;

/* An event on the fast path: counted without the database. No state event. */
struct unread_news {
    const struct push_event *event;
    unread_answer *answer;
    const char *thread; /* the root's event id; NULL: main timeline */
    stream_pos pos;     /* of the event */
    stream_pos before;  /* the room's event before it */
    bool own;           /* the user sent it */
};

/* Counts one event after what is remembered, and gives the sum, and when the user joined. false: it can't be known
 * without the database. own_change: when the user's global account data (push rules) last changed. Never blocks. */
bool unread_advance(struct unread *unread, user_no user, const char *user_id, room_no room, stream_pos own_change,
                    const struct unread_news *news, struct unread_tally *out, stream_pos *joined_pos);

#endif
