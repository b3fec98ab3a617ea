#include "homeserver/store/matrix/verifications.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

#define ROW                                                                                                            \
    "SELECT sid, purpose, medium, address, delivery, secret_hash, code_hash, send_attempt, tries, expires_ms,"         \
    " coalesce(validated_ms, 0) FROM verifications "

enum { GET, FIND, INSERT, RESEND, TRIED, VALIDATE, END, END_ALL, DELIVER, FORGET, LOST, PURGE, COUNT };
static const struct statement TEXTS[COUNT] = {
    [GET] = ROW "WHERE sid = $1",
    [FIND] = ROW "WHERE medium = $1 AND address = $2 AND purpose = $3 AND secret_hash = $4 AND expires_ms > $5"
                 " AND tries < $6"
                 " ORDER BY created_ms DESC LIMIT 1",
    [INSERT] =
        "INSERT INTO verifications (sid, purpose, medium, address, secret_hash, code_hash, send_attempt, delivery,"
        " created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $9)",
    [RESEND] = "UPDATE verifications SET code_hash = $2, send_attempt = $3, expires_ms = $4, delivery = 'waiting'"
               " WHERE sid = $1",
    [TRIED] = "UPDATE verifications SET tries = tries + 1 WHERE sid = $1",
    [VALIDATE] = "UPDATE verifications SET validated_ms = $2, expires_ms = $3 WHERE sid = $1",
    [END] = "UPDATE verifications SET expires_ms = $2 WHERE sid = $1 AND expires_ms > $2",
    [END_ALL] = "UPDATE verifications SET expires_ms = $4"
                " WHERE purpose = $1 AND medium = $2 AND address = $3 AND expires_ms > $4",
    [DELIVER] = "UPDATE verifications SET delivery = $3 WHERE sid = $1 AND send_attempt = $2",
    [FORGET] = "DELETE FROM verifications WHERE (medium, address) IN"
               " (SELECT medium, address FROM contacts WHERE user_no = $1)",
    [LOST] = "UPDATE verifications SET delivery = 'failed' WHERE delivery = 'waiting'",
    [PURGE] = "DELETE FROM verifications WHERE expires_ms < $1",
};
STATEMENTS(VERIFICATIONS, "verifications", TEXTS);

static void take_hash(struct stmt *q, int column, unsigned char out[TOKEN_HASH_BYTES])
{
    size_t len = 0;
    const void *bytes = col_bytes(q, column, &len);
    memset(out, 0, TOKEN_HASH_BYTES);
    if (len == TOKEN_HASH_BYTES)
        memcpy(out, bytes, len);
}

static bool one(struct stmt *q, struct verification_row *row)
{
    bool found = stmt_next(q);
    *row = (struct verification_row){0};
    if (found) {
        *row = (struct verification_row){
            .sid = xstrdup(col_text(q, 0)),
            .purpose = xstrdup(col_text(q, 1)),
            .medium = xstrdup(col_text(q, 2)),
            .address = xstrdup(col_text(q, 3)),
            .delivery = xstrdup(col_text(q, 4)),
            .send_attempt = col_int(q, 7),
            .tries = col_int(q, 8),
            .expires_ms = col_int(q, 9),
            .validated_ms = col_int(q, 10),
        };
        take_hash(q, 5, row->secret_hash);
        take_hash(q, 6, row->code_hash);
    }
    stmt_end(q);
    return found;
}

void verification_row_finish(struct verification_row *row)
{
    free(row->sid);
    free(row->purpose);
    free(row->medium);
    free(row->address);
    free(row->delivery);
    *row = (struct verification_row){0};
}

bool verifications_get(struct db *db, const char *sid, struct verification_row *row)
{
    return one(db_query(db, &VERIFICATIONS, GET, "t", sid), row);
}

bool verifications_find(struct db *db, const struct verification_row *like, int tries, int64_t now_ms,
                        struct verification_row *row)
{
    return one(db_query(db, &VERIFICATIONS, FIND, "tttbii", like->medium, like->address, like->purpose,
                        like->secret_hash, sizeof like->secret_hash, now_ms, (int64_t)tries),
               row);
}

bool verifications_insert(struct tx *tx, const struct verification_row *row)
{
    return db_run(tx->db, &VERIFICATIONS, INSERT, "ttttbbiii", row->sid, row->purpose, row->medium, row->address,
                  row->secret_hash, sizeof row->secret_hash, row->code_hash, sizeof row->code_hash, row->send_attempt,
                  tx->now_ms, row->expires_ms);
}

bool verifications_resend(struct tx *tx, const struct verification_row *row)
{
    return db_run(tx->db, &VERIFICATIONS, RESEND, "tbii", row->sid, row->code_hash, sizeof row->code_hash,
                  row->send_attempt, row->expires_ms);
}

bool verifications_tried(struct tx *tx, const char *sid)
{
    return db_run(tx->db, &VERIFICATIONS, TRIED, "t", sid);
}

bool verifications_validate(struct tx *tx, const char *sid, int64_t expires_ms)
{
    return db_run(tx->db, &VERIFICATIONS, VALIDATE, "tii", sid, tx->now_ms, expires_ms);
}

bool verifications_end(struct tx *tx, const char *sid)
{
    return db_run(tx->db, &VERIFICATIONS, END, "ti", sid, tx->now_ms);
}

bool verifications_end_all(struct tx *tx, const char *purpose, const char *medium, const char *address)
{
    return db_run(tx->db, &VERIFICATIONS, END_ALL, "ttti", purpose, medium, address, tx->now_ms);
}

bool verifications_deliver(struct tx *tx, const char *sid, int64_t send_attempt, const char *delivery)
{
    return db_run(tx->db, &VERIFICATIONS, DELIVER, "tit", sid, send_attempt, delivery);
}

bool verifications_lost(struct tx *tx)
{
    return db_run(tx->db, &VERIFICATIONS, LOST, "");
}

bool verifications_purge(struct tx *tx, int64_t before_ms)
{
    return db_run(tx->db, &VERIFICATIONS, PURGE, "i", before_ms);
}

bool verifications_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &VERIFICATIONS, FORGET, "i", user);
}
