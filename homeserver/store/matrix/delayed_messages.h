/* Messages that wait for the end of quiet hours (school.md F3), and for some weeks what became of them: their sender
 * knows them by a placeholder of an event id, "$held…", which is drawn, so that it tells nothing
 * of how many there are. */
#ifndef PARTA_STORE_MATRIX_DELAYED_MESSAGES_H
#define PARTA_STORE_MATRIX_DELAYED_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

enum held_state { HELD_NONE, HELD_WAITS, HELD_DELIVERED, HELD_TAKEN_BACK, HELD_DROPPED };

struct delayed_message {
    int64_t no;
    const char *placeholder; /* drawn by delayed_messages_insert */
    room_no room;
    user_no sender;
    device_no device;   /* with txn_id; 0: none, or it has signed out since */
    const char *txn_id; /* NULL: none */
    const char *about;  /* store/matrix/events.h, transactions */
    const char *type;
    const char *content; /* JSON */
    int64_t due_ms, created_ms;
};

/* What became of one. */
struct held_fate {
    int64_t no;
    enum held_state state;
    int64_t due_ms;
    char event_id[ID_BYTES_MAX + 1]; /* HELD_DELIVERED: as which event */
};

/* Whether it has the form of a placeholder, which no id that the server gives events has. Asks no database: it may be
 * nobody's. */
bool delayed_message_is_placeholder(const char *event_id);

/* What that transaction id was held as, whatever became of it. false: it was not. */
bool delayed_messages_find(struct db *db, device_no device, room_no room, const char *about, const char *txn_id,
                           char placeholder[ID_BYTES_MAX + 1]);

/* false: that person has none of that name in the room; *out is HELD_NONE. */
bool delayed_messages_by_placeholder(struct db *db, const char *placeholder, room_no room, user_no sender,
                                     struct held_fate *out);

int64_t delayed_messages_last(struct db *db); /* the newest one's number of those that wait; 0: there is none */

/* The first that is due, of those behind the one number and up to the other; one row or none, strings borrowed;
 * stmt_end after. */
struct stmt *delayed_messages_due(struct db *db, int64_t now_ms, int64_t after, int64_t last);
bool delayed_messages_next(struct stmt *q, struct delayed_message *row);

/* Inside a job. */
bool delayed_messages_insert(struct tx *tx, const struct delayed_message *row, char placeholder[ID_BYTES_MAX + 1]);
bool delayed_messages_postpone(struct tx *tx, int64_t no, int64_t due_ms);

/* Its content goes; state is one of the last three. event_id: HELD_DELIVERED; NULL otherwise. */
bool delayed_messages_finish(struct tx *tx, int64_t no, enum held_state state, const char *event_id);
bool delayed_messages_forget(struct tx *tx, user_no sender); /* an erasure (G4) */

/* Forgets what became of those that were due before that time; at most limit rows. Returns how many. */
int delayed_messages_prune(struct tx *tx, int64_t before_ms, int64_t limit);

#endif
