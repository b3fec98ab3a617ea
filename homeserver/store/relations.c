#include "homeserver/store/relations.h"

enum { TO, THREADS, COUNT };
static const char *const TEXTS[COUNT] = {
    [TO] = "SELECT r.pos, r.rel_type, e.event_id, e.type, e.state_key, e.sender, e.ts FROM relations r"
           " JOIN events e ON e.pos = r.pos WHERE r.target_id = $1 AND r.pos <= $2 AND e.redacted_by IS NULL"
           " ORDER BY r.pos",
    [THREADS] = "SELECT r.target_id, max(r.pos) AS latest FROM relations r JOIN events e ON e.pos = r.pos"
                " WHERE r.room_no = $1 AND r.rel_type = 'm.thread' AND r.pos <= $2 AND e.redacted_by IS NULL"
                " GROUP BY r.target_id HAVING max(r.pos) <= $3 ORDER BY latest DESC",
};
static const struct statements RELATIONS = {"relations", TEXTS, COUNT};

struct stmt *relations_to(struct db *db, const char *target_id, stream_pos upto)
{
    return db_query(db, &RELATIONS, TO, "ti", target_id, upto);
}

bool relations_next(struct stmt *q, struct relation *relation)
{
    if (!stmt_next(q))
        return false;
    *relation = (struct relation){
        .pos = col_int(q, 0),
        .rel_type = col_text(q, 1),
        .event_id = col_text(q, 2),
        .type = col_text(q, 3),
        .state = !col_null(q, 4),
        .sender = col_int(q, 5),
        .ts = col_int(q, 6),
    };
    return true;
}

struct stmt *relations_threads(struct db *db, room_no room, stream_pos upto, stream_pos latest)
{
    return db_query(db, &RELATIONS, THREADS, "iii", room, upto, latest);
}

bool relations_next_thread(struct stmt *q, const char **root_id, stream_pos *latest)
{
    if (!stmt_next(q))
        return false;
    *root_id = col_text(q, 0);
    *latest = col_int(q, 1);
    return true;
}
