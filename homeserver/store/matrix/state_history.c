#include "homeserver/store/matrix/state_history.h"

enum { OF, COUNT };
static const char *const TEXTS[COUNT] = {
    [OF] = "SELECT pos, content FROM events WHERE room_no = $1 AND type = $2 AND state_key = $3 ORDER BY pos",
};
static const struct statements HISTORY = {"history", TEXTS, COUNT};

struct stmt *state_history_of(struct db *db, room_no room, const char *type, const char *state_key)
{
    return db_query(db, &HISTORY, OF, "itt", room, type, state_key);
}

bool state_history_next(struct stmt *q, stream_pos *pos, const char **content)
{
    if (!stmt_next(q))
        return false;
    *pos = col_int(q, 0);
    *content = col_text(q, 1);
    return true;
}
