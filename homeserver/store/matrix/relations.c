#include "homeserver/store/matrix/relations.h"

#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/store/driver/writer.h"

enum { TO, ANNOTATIONS, THREADS, INSERT, DELETE, COUNT };
static const struct statement TEXTS[COUNT] = {
    [TO] = "SELECT r.pos, r.rel_type, e.event_id, e.type, e.state_key, e.sender, e.ts FROM relations r"
           " JOIN events e ON e.pos = r.pos WHERE r.target_id = $1 AND r.pos <= $2 AND e.redacted_by IS NULL"
           " ORDER BY r.pos",
    [ANNOTATIONS] = "SELECT e.content FROM relations r JOIN events e ON e.pos = r.pos WHERE r.target_id = $1"
                    " AND r.rel_type = 'm.annotation' AND e.sender = $2 AND e.type = $3 AND e.redacted_by IS NULL",
    [THREADS] = "SELECT r.target_id, max(r.pos) AS latest FROM relations r JOIN events e ON e.pos = r.pos"
                " WHERE r.room_no = $1 AND r.rel_type = 'm.thread' AND r.pos <= $2 AND e.redacted_by IS NULL"
                " GROUP BY r.target_id HAVING max(r.pos) <= $3 ORDER BY latest DESC",
    [INSERT] = "INSERT INTO relations (target_id, pos, rel_type, room_no)"
               " SELECT $1, $2, $3, e.room_no FROM events e WHERE e.pos = $2 ON CONFLICT DO NOTHING",
    [DELETE] = "DELETE FROM relations WHERE target_id = $1 AND pos = $2",
};
STATEMENTS(RELATIONS, "relations", TEXTS);

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

static bool has_key(const char *content, const char *key)
{
    json_t *object = json_loads(content, 0, NULL);
    const char *its = json_get_string(json_get_object(object, "m.relates_to"), "key");
    bool same = its != NULL && strcmp(its, key) == 0;
    json_decref(object);
    return same;
}

bool relations_annotated(struct db *db, const char *target_id, user_no sender, const char *type, const char *key)
{
    bool found = false;
    struct stmt *q = db_query(db, &RELATIONS, ANNOTATIONS, "tit", target_id, sender, type);
    while (!found && stmt_next(q))
        found = has_key(col_text(q, 0), key);
    stmt_end(q);
    return found;
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

bool relations_insert(struct tx *tx, const char *target_id, const char *rel_type, stream_pos pos)
{
    return db_run(tx->db, &RELATIONS, INSERT, "tit", target_id, pos, rel_type);
}

bool relations_forget(struct tx *tx, const char *content, stream_pos pos)
{
    if (strstr(content, "\"m.relates_to\"") == NULL)
        return true;
    json_t *object = json_loads(content, 0, NULL);
    const char *target_id = json_get_string(json_get_object(object, "m.relates_to"), "event_id");
    bool done = target_id == NULL || db_run(tx->db, &RELATIONS, DELETE, "ti", target_id, pos);
    json_decref(object);
    return done;
}
