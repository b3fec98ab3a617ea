#include "homeserver/store/matrix/consumers.h"

#include "homeserver/store/driver/writer.h"

enum { OF, POS, ADD, ADVANCE, REMOVE, COUNT };
static const struct statement TEXTS[COUNT] = {
    [OF] = "SELECT destination, pos FROM consumers WHERE consumer = $1 ORDER BY destination",
    [POS] = "SELECT pos FROM consumers WHERE consumer = $1 AND destination = $2",
    [ADD] = "INSERT INTO consumers (consumer, destination, pos) VALUES ($1, $2, $3)"
            " ON CONFLICT (consumer, destination) DO NOTHING",
    [ADVANCE] = "UPDATE consumers SET pos = $3 WHERE consumer = $1 AND destination = $2",
    [REMOVE] = "DELETE FROM consumers WHERE consumer = $1 AND destination = $2",
};
STATEMENTS(CONSUMERS, "consumers", TEXTS);

struct stmt *consumers_of(struct db *db, const char *consumer)
{
    return db_query(db, &CONSUMERS, OF, "t", consumer);
}

bool consumers_next(struct stmt *q, struct consumer_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct consumer_row){.destination = col_text(q, 0), .pos = col_int(q, 1)};
    return true;
}

stream_pos consumers_pos(struct db *db, const char *consumer, const char *destination)
{
    return db_int(db, &CONSUMERS, POS, -1, "tt", consumer, destination);
}

bool consumers_add(struct tx *tx, const char *consumer, const char *destination, stream_pos pos)
{
    return db_run(tx->db, &CONSUMERS, ADD, "tti", consumer, destination, pos);
}

bool consumers_advance(struct tx *tx, const char *consumer, const char *destination, stream_pos pos)
{
    return db_run(tx->db, &CONSUMERS, ADVANCE, "tti", consumer, destination, pos);
}

bool consumers_remove(struct tx *tx, const char *consumer, const char *destination)
{
    return db_run(tx->db, &CONSUMERS, REMOVE, "tt", consumer, destination);
}
