#include "homeserver/store/school/audit.h"

#include <string.h>

#include "homeserver/store/driver/writer.h"

enum { HEAD, INSERT, FORWARD, BACKWARD, COUNT };

#define WHICH                                                                                                          \
    " AND ($3 = 0 OR school_no = $3) AND ($4 = '' OR act = $4 OR (substr($4, length($4)) = '.' AND"                    \
    " substr(act, 1, length($4)) = $4)) AND ($5 = '' OR actor = $5)"
#define ROW "SELECT seq, entry, hash, signature, school_no, act, actor, report_no FROM audit WHERE "

static const struct statement TEXTS[COUNT] = {
    [HEAD] = "SELECT seq, hash FROM audit WHERE $1 = 0 OR school_no = $1 ORDER BY seq DESC LIMIT 1",
    [INSERT] = "INSERT INTO audit (seq, entry, hash, signature, school_no, act, actor, report_no)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    [FORWARD] = ROW "seq > $1" WHICH " ORDER BY seq LIMIT $2",
    [BACKWARD] = ROW "seq < $1" WHICH " ORDER BY seq DESC LIMIT $2",
};
STATEMENTS(AUDIT, "audit", TEXTS);

int64_t audit_head(struct db *db, school_no school, unsigned char hash[AUDIT_HASH_BYTES])
{
    int64_t seq = 0;
    size_t len;
    memset(hash, 0, AUDIT_HASH_BYTES);
    struct stmt *q = db_query(db, &AUDIT, HEAD, "i", school);
    if (stmt_next(q)) {
        const void *bytes = col_bytes(q, 1, &len);
        seq = col_int(q, 0);
        if (len == AUDIT_HASH_BYTES)
            memcpy(hash, bytes, len);
    }
    stmt_end(q);
    return seq;
}

bool audit_insert(struct tx *tx, const struct audit_row *row)
{
    return db_run(tx->db, &AUDIT, INSERT, "itbbitti", row->seq, row->entry, row->hash, (size_t)AUDIT_HASH_BYTES,
                  row->signature, (size_t)AUDIT_SIGNATURE_BYTES, row->school, row->act, row->actor, row->report);
}

struct stmt *audit_query(struct db *db, const struct audit_query *q)
{
    int64_t from = q->newest_first && q->after == 0 ? INT64_MAX : q->after;
    return db_query(db, &AUDIT, q->newest_first ? BACKWARD : FORWARD, "iiitt", from, (int64_t)q->limit, q->school,
                    q->act, q->actor);
}

/* What was tampered with may have any length: it then reads as zeros, which no entry hashes to. */
static const unsigned char *col_fixed(struct stmt *q, int column, size_t want)
{
    static const unsigned char ZEROS[AUDIT_SIGNATURE_BYTES];
    size_t len;
    const void *bytes = col_bytes(q, column, &len);
    return len == want ? bytes : ZEROS;
}

bool audit_next(struct stmt *q, struct audit_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct audit_row){.seq = col_int(q, 0),
                              .entry = col_text(q, 1),
                              .hash = col_fixed(q, 2, AUDIT_HASH_BYTES),
                              .signature = col_fixed(q, 3, AUDIT_SIGNATURE_BYTES),
                              .school = col_int(q, 4),
                              .act = col_text(q, 5),
                              .actor = col_text(q, 6),
                              .report = col_int(q, 7)};
    return true;
}
