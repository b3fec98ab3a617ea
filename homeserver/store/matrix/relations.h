/* Who relates to an event (m.relates_to): for bundled aggregations, for /relations and for the list of threads.
 *
 * A redacted event relates to nothing any more, so that none of these answers one. Rows come with what aggregation
 * needs; the events themselves are read by position (events.h). */
#ifndef PARTA_STORE_MATRIX_RELATIONS_H
#define PARTA_STORE_MATRIX_RELATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

/* Strings are borrowed until the next relations_next or stmt_end. */
struct relation {
    stream_pos pos;
    const char *rel_type;
    const char *event_id;
    const char *type;
    bool state;
    user_no sender;
    int64_t ts; /* origin_server_ts, ms */
};

/* Those that relate to target_id, up to a position, oldest first. End with stmt_end. Block (a read). */
struct stmt *relations_to(struct db *db, const char *target_id, stream_pos upto);
bool relations_next(struct stmt *q, struct relation *relation);

/* Whether sender has annotated target_id with that type and key before, and not taken it back. Blocks (a read). */
bool relations_annotated(struct db *db, const char *target_id, user_no sender, const char *type, const char *key);

/* Roots of the room's threads with the position of their newest reply: those whose newest reply among the ones up to
 * `upto` is not after `latest`, the newest first. End with stmt_end. */
struct stmt *relations_threads(struct db *db, room_no room, stream_pos upto, stream_pos latest);
bool relations_next_thread(struct stmt *q, const char **root_id, stream_pos *latest);

/* Inside a job: the event at pos, which is there already, relates to target_id. */
bool relations_insert(struct tx *tx, const char *target_id, const char *rel_type, stream_pos pos);

/* Inside a job: the event at pos relates to nothing any more; content: what it said before. */
bool relations_forget(struct tx *tx, const char *content, stream_pos pos);

#endif
