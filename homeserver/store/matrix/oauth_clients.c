#include "homeserver/store/matrix/oauth_clients.h"

#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

#define ROW "SELECT client_no, client_id, metadata, used_ms FROM oauth_clients "

enum { BY_ID, BY_DIGEST, INSERT, USED, PRUNE, HOW_MANY, COUNT };
static const struct statement TEXTS[COUNT] = {
    [BY_ID] = ROW "WHERE client_id = $1",
    [BY_DIGEST] = ROW "WHERE digest = $1",
    [INSERT] = "INSERT INTO oauth_clients (client_id, digest, metadata, used_ms) VALUES ($1, $2, $3, $4)"
               " ON CONFLICT DO NOTHING",
    [USED] = "UPDATE oauth_clients SET used_ms = $2 WHERE client_no = $1",
    [PRUNE] =
        "DELETE FROM oauth_clients WHERE client_no IN (SELECT c.client_no FROM oauth_clients c WHERE c.used_ms < $1"
        " AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.client_no = c.client_no)"
        " AND NOT EXISTS (SELECT 1 FROM oauth_codes o WHERE o.client_no = c.client_no)"
        " AND NOT EXISTS (SELECT 1 FROM oauth_device_codes w WHERE w.client_no = c.client_no)"
        " ORDER BY c.used_ms LIMIT $2)",
    [HOW_MANY] = "SELECT count(*) FROM oauth_clients",
};
STATEMENTS(OAUTH_CLIENTS, "oauth_clients", TEXTS);

void oauth_client_row_finish(struct oauth_client_row *row)
{
    free(row->client_id);
    free(row->metadata);
    *row = (struct oauth_client_row){0};
}

static bool only_row(struct stmt *q, struct oauth_client_row *row)
{
    bool found = stmt_next(q);
    *row = (struct oauth_client_row){0};
    if (found)
        *row = (struct oauth_client_row){.no = col_int(q, 0),
                                         .client_id = xstrdup(col_text(q, 1)),
                                         .metadata = xstrdup(col_text(q, 2)),
                                         .used_ms = col_int(q, 3)};
    stmt_end(q);
    return found;
}

bool oauth_clients_get(struct db *db, const char *client_id, struct oauth_client_row *row)
{
    return only_row(db_query(db, &OAUTH_CLIENTS, BY_ID, "t", client_id), row);
}

bool oauth_clients_put(struct tx *tx, const char *client_id, const unsigned char digest[SHA256_BYTES],
                       const char *metadata, struct oauth_client_row *row)
{
    const size_t len = SHA256_BYTES;
    *row = (struct oauth_client_row){0};
    return db_run(tx->db, &OAUTH_CLIENTS, INSERT, "tbti", client_id, digest, len, metadata, tx->now_ms) &&
           only_row(db_query(tx->db, &OAUTH_CLIENTS, BY_DIGEST, "b", digest, len), row) &&
           oauth_clients_used(tx, row->no);
}

bool oauth_clients_used(struct tx *tx, client_no no)
{
    return db_run(tx->db, &OAUTH_CLIENTS, USED, "ii", no, tx->now_ms);
}

int oauth_clients_prune(struct tx *tx, int64_t before_ms, int most)
{
    return db_rows(tx->db, &OAUTH_CLIENTS, PRUNE, "ii", before_ms, (int64_t)most);
}

int64_t oauth_clients_count(struct db *db)
{
    return db_int(db, &OAUTH_CLIENTS, HOW_MANY, 0, "");
}
