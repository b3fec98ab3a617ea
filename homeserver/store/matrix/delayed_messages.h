/* Messages that wait for the end of quiet hours (school.md F3). */
#ifndef PARTA_STORE_MATRIX_DELAYED_MESSAGES_H
#define PARTA_STORE_MATRIX_DELAYED_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

struct delayed_message {
    int64_t no;
    room_no room;
    user_no sender;
    device_no device;   /* with txn_id; 0: none, or it has signed out since */
    const char *txn_id; /* NULL: none */
    const char *about;  /* store/matrix/events.h, transactions */
    const char *type;
    const char *content; /* JSON */
    int64_t due_ms, created_ms;
};

void delayed_message_placeholder(int64_t no, char out[ID_BYTES_MAX + 1]); /* "$held12": what its sender is answered */

/* What that transaction id waits as; 0: nothing. */
int64_t delayed_messages_find(struct db *db, device_no device, room_no room, const char *about, const char *txn_id);

int64_t delayed_messages_last(struct db *db); /* the newest one's number; 0: there is none */

/* The one that has been due for longest, of those up to that number; one row or none, strings
 * borrowed; stmt_end after. */
struct stmt *delayed_messages_due(struct db *db, int64_t now_ms, int64_t last);
bool delayed_messages_next(struct stmt *q, struct delayed_message *row);

/* Inside a job. */
int64_t delayed_messages_insert(struct tx *tx,
                                const struct delayed_message *row); /* its number; 0: the database failed */
bool delayed_messages_delete(struct tx *tx, int64_t no);
bool delayed_messages_forget(struct tx *tx, user_no sender); /* an erasure (G4) */

#endif
