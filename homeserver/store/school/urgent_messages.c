#include "homeserver/store/school/urgent_messages.h"

#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum { SINCE, INSERT, COUNT };
static const struct statement TEXTS[COUNT] = {
    [SINCE] = "SELECT COUNT(*) FROM urgent_messages WHERE sender = $1 AND sent_ms > $2",
    [INSERT] = "INSERT INTO urgent_messages (pos, sender, sent_ms) VALUES ($1, $2, $3)",
};
STATEMENTS(URGENT, "urgent_messages", TEXTS);

int64_t urgent_messages_since(struct db *db, user_no sender, int64_t since_ms)
{
    return db_int(db, &URGENT, SINCE, 0, "ii", sender, since_ms);
}

bool urgent_messages_insert(struct tx *tx, stream_pos pos, user_no sender)
{
    return db_run(tx->db, &URGENT, INSERT, "iii", pos, sender, tx->now_ms);
}
