/* Ephemeral events of a room in today's JSON (Client-Server API, "Typing Notifications", "Receipts"). */
#ifndef PARTA_SYNC_V2_EPHEMERAL_H
#define PARTA_SYNC_V2_EPHEMERAL_H

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/sync/receipts.h"
#include "homeserver/sync/typing.h"

struct db;
struct user_names;

/* Appends a user's id as a JSON string; "" when there is no such user. Here and below, db is NULL on a loop: the names
 * are in memory then. */
void v2_add_user_id(struct text *out, struct user_names *names, struct db *db, user_no user);

/* Appends an m.typing event. */
void v2_add_typing(struct text *out, struct user_names *names, struct db *db, const struct typists *typists);

/* Appends a receipt to the m.receipt event that `before` was put into, which opens and closes what differs: event,
 * type, user. before NULL: begins the event. V2_RECEIPTS_END ends it. */
void v2_add_receipt(struct text *out, struct user_names *names, struct db *db, const struct receipt_row *before,
                    const struct receipt_row *row);
#define V2_RECEIPTS_END "}}},\"type\":\"m.receipt\"}"

/* Appends `,"ephemeral":{"events":[…]}`, or nothing if there is no news: m.typing, and m.receipt, one event a thread.
 * receipts: in order of thread, event, type and user. */
void v2_add_ephemeral(struct text *out, struct user_names *names, struct db *db, const struct typists *typists,
                      const struct receipt_rows *receipts);

#endif
