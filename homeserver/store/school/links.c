#include "homeserver/store/school/links.h"

#include <stdio.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/days.h"
#include "homeserver/base/words.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/sql_private.h"

#define ROW                                                                                                            \
    "SELECT link_no, kind, school_no, class_no, role, person, issuer, issuer_name, uses_allowed, uses, created_ms,"    \
    " expires_ms, revoked_ms, claim_until_ms, COALESCE(sent_by, ''), COALESCE(delivery, '') FROM links "
#define OPEN_AT(n) "revoked_ms IS NULL AND uses < uses_allowed AND expires_ms > $" #n

enum {
    LAST,
    FIND,
    GET,
    QUERY,
    CLAIM_OF,
    TOLD,
    INSERT,
    REVOKE,
    REVOKE_OF,
    USE,
    CLAIM,
    CLAIM_END,
    UNSENT,
    LOST,
    STALE,
    DRAW,
    DELIVER,
    N
};
static const struct statement TEXTS[N] = {
    [LAST] = "SELECT max(link_no) FROM links",
    [FIND] = ROW "WHERE token_hash = $1",
    [GET] = ROW "WHERE link_no = $1",
    [QUERY] = ROW "WHERE link_no > $1 AND ($3 = 0 OR school_no = $3) AND ($4 = 0 OR class_no = $4)"
                  " AND ($5 = 0 OR person = $5) AND ($6 = '' OR kind = $6) AND ($7 = 0 OR (" OPEN_AT(
                      7) "))"
                         " AND ($8 = 0 OR claim_until_ms > $8)"
                         " ORDER BY link_no LIMIT $2",
    [CLAIM_OF] = ROW "WHERE person = $1 AND claim_until_ms > $2 ORDER BY link_no DESC LIMIT 1",
    [TOLD] = "SELECT r.user_no FROM roles r WHERE r.school_no = $2 AND r.role = 'administrator' "
             "AND " CURRENT("r", 3) " UNION SELECT g.guardian FROM guardianships g WHERE g.child = $1 "
                                    "AND " IN_FORCE(
                                        "g") " UNION SELECT o.guardian FROM guardianships g JOIN "
                                             "guardianships o ON o.child = g.child"
                                             " AND o.guardian <> g.guardian WHERE g.guardian = $1 "
                                             "AND " IN_FORCE("g") " AND " IN_FORCE(
                                                 "o") " AND NOT EXISTS (SELECT 1 FROM custodies k WHERE "
                                                      "k.child = g.child AND k.guardian IN (g.guardian, "
                                                      "o.guardian))"
                                                      " UNION SELECT t.user_no FROM enrollments t JOIN "
                                                      "enrollments p ON p.class_no = t.class_no AND p.role "
                                                      "= 'pupil'"
                                                      " WHERE t.role = 'class_teacher' AND " CURRENT(
                                                          "t", 3) " AND " CURRENT("p", 3) " AND (p.user_no = $1 OR "
                                                                                          "p.user_no IN (SELECT "
                                                                                          "g.child FROM "
                                                                                          "guardianships g WHERE "
                                                                                          "g.guardian = $1 "
                                                                                          "AND " IN_FORCE("g") "))",
    [INSERT] = {"INSERT INTO links (link_no, token_hash, kind, school_no, class_no, role, person, issuer, "
                "issuer_name,"
                " uses_allowed, created_ms, expires_ms, sent_by, send_to, delivery)"
                " VALUES ($1, $2, $3, nullif($4, 0), nullif($5, 0), $6, nullif($7, 0), nullif($8, 0), $9, "
                "$10, $11, $12, nullif($13, ''), nullif($14, ''), CASE $13 WHEN '' THEN NULL ELSE 'waiting' END)"
                " RETURNING link_no",
                0, GUARDED},
    [REVOKE] = {"UPDATE links SET revoked_ms = $2 WHERE link_no = $1 AND revoked_ms IS NULL", 0, GUARDED},
    [REVOKE_OF] = {"UPDATE links SET revoked_ms = COALESCE(revoked_ms, created_ms), send_to = NULL"
                   " WHERE person = $1 AND (revoked_ms IS NULL OR send_to IS NOT NULL)",
                   0, GUARDED},
    [USE] = "UPDATE links SET uses = uses + 1 WHERE link_no = $1 AND " OPEN_AT(2),
    [CLAIM] = {"UPDATE links SET claim_until_ms = $2 WHERE link_no = $1", 0, GUARDED},
    [CLAIM_END] = {"UPDATE links SET claim_until_ms = NULL WHERE link_no = $1", 0, GUARDED},
    [UNSENT] = "SELECT link_no, sent_by, send_to, expires_ms FROM links WHERE delivery = 'waiting' AND sent_by = $2"
               " AND " OPEN_AT(1) " ORDER BY link_no LIMIT 1",
    [LOST] = "UPDATE links SET delivery = 'waiting' WHERE delivery = 'sending'",
    [STALE] =
        "UPDATE links SET delivery = 'failed', send_to = NULL WHERE delivery = 'waiting' AND NOT (" OPEN_AT(1) ")",
    [DRAW] = "UPDATE links SET token_hash = $2, delivery = 'sending' WHERE link_no = $1",
    [DELIVER] = "UPDATE links SET delivery = $2, send_to = CASE $2 WHEN 'waiting' THEN send_to END"
                " WHERE link_no = $1 AND delivery = 'sending'",
};
STATEMENTS(LINKS, "links", TEXTS);

static const char *const DELIVERIES[] = {
    [LINK_WAITING] = "waiting", [LINK_SENDING] = "sending", [LINK_SENT] = "sent", [LINK_FAILED] = "failed"};

static const char *const KINDS[LINK_KIND__COUNT] = {
    [LINK_CLASS] = "class", [LINK_SCHOOL] = "school", [LINK_GUARDIAN] = "guardian", [LINK_PERSONAL] = "personal"};

const char *link_kind_name(enum link_kind kind)
{
    return KINDS[kind];
}

bool link_kind_from(const char *name, enum link_kind *out)
{
    int i = WORD_FIND(KINDS, name);
    if (i >= 0)
        *out = (enum link_kind)i;
    return i >= 0;
}

bool links_next(struct stmt *q, struct link_row *out)
{
    if (!stmt_next(q))
        return false;
    *out = (struct link_row){.no = col_int(q, 0),
                             .school = col_int(q, 2),
                             .class = col_int(q, 3),
                             .role = col_role(q, 4),
                             .person = col_int(q, 5),
                             .issuer = col_int(q, 6),
                             .uses_allowed = col_int(q, 8),
                             .uses = col_int(q, 9),
                             .created_ms = col_int(q, 10),
                             .expires_ms = col_int(q, 11),
                             .revoked_ms = col_int(q, 12),
                             .claim_until_ms = col_int(q, 13)};
    link_kind_from(col_text(q, 1), &out->kind);
    snprintf(out->issuer_name, sizeof out->issuer_name, "%s", col_text(q, 7));
    snprintf(out->sent_by, sizeof out->sent_by, "%s", col_text(q, 14));
    for (size_t i = LINK_WAITING; i < sizeof DELIVERIES / sizeof *DELIVERIES; ++i)
        if (strcmp(col_text(q, 15), DELIVERIES[i]) == 0)
            out->delivery = (enum link_delivery)i;
    return true;
}

static bool one(struct stmt *q, struct link_row *out)
{
    *out = (struct link_row){0};
    bool found = links_next(q, out);
    stmt_end(q);
    return found;
}

bool links_find(struct db *db, const char *token, struct link_row *out)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(token, hash);
    return one(db_query(db, &LINKS, FIND, "b", hash, sizeof hash), out);
}

bool links_get(struct db *db, link_no no, struct link_row *out)
{
    return one(db_query(db, &LINKS, GET, "i", no), out);
}

struct stmt *links_query(struct db *db, const struct links_query *q)
{
    const char *kind = q->kind < LINK_KIND__COUNT ? KINDS[q->kind] : "";
    return db_query(db, &LINKS, QUERY, "iiiiitii", q->after, (int64_t)q->limit, q->school, q->class, q->person, kind,
                    q->open_ms, q->claimed_ms);
}

link_no links_insert(struct tx *tx, const struct link_row *row, const char *token, const char *send_to)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    const char *role = row->role != 0 ? school_role_name(row->role) : "";
    token_hash(token, hash);
    link_no no = tx_number_after(tx, db_int(tx->db, &LINKS, LAST, 0, ""));
    return db_insert(tx->db, &LINKS, INSERT, "ibtiitiitiiitt", no, hash, sizeof hash, KINDS[row->kind], row->school,
                     row->class, role, row->person, row->issuer, row->issuer_name, row->uses_allowed, tx->now_ms,
                     row->expires_ms, row->sent_by, send_to != NULL ? send_to : "");
}

bool links_revoke(struct tx *tx, link_no no)
{
    return db_run(tx->db, &LINKS, REVOKE, "ii", no, tx->now_ms);
}

bool links_revoke_of(struct tx *tx, user_no person)
{
    return db_run(tx->db, &LINKS, REVOKE_OF, "i", person);
}

bool links_use(struct tx *tx, link_no no)
{
    return db_rows(tx->db, &LINKS, USE, "ii", no, tx->now_ms) == 1;
}

bool links_claim_of(struct db *db, user_no person, int64_t now_ms, struct link_row *out)
{
    return one(db_query(db, &LINKS, CLAIM_OF, "ii", person, now_ms), out);
}

int links_claim_told(struct db *db, const struct link_row *link, user_no *out, int max)
{
    char day[DAY_TEXT_BYTES];
    int n = 0;
    struct stmt *q = db_query(db, &LINKS, TOLD, "iit", link->person, link->school, day_today(day));
    while (n < max && stmt_next(q)) {
        out[n] = col_int(q, 0);
        n += out[n] != link->person && out[n] != link->issuer;
    }
    stmt_end(q);
    return n;
}

bool links_claim(struct tx *tx, link_no no, int64_t until_ms)
{
    return db_run(tx->db, &LINKS, CLAIM, "ii", no, until_ms);
}

bool links_claim_end(struct tx *tx, link_no no)
{
    return db_run(tx->db, &LINKS, CLAIM_END, "i", no);
}

/* --- Sending --- */

bool links_unsent(struct db *db, const char *sent_by, int64_t now_ms, struct link_letter *out)
{
    struct stmt *q = db_query(db, &LINKS, UNSENT, "it", now_ms, sent_by);
    bool found = stmt_next(q);
    *out = (struct link_letter){0};
    if (found) {
        out->no = col_int(q, 0);
        snprintf(out->sent_by, sizeof out->sent_by, "%s", col_text(q, 1));
        snprintf(out->send_to, sizeof out->send_to, "%s", col_text(q, 2));
        out->expires_ms = col_int(q, 3);
    }
    stmt_end(q);
    return found;
}

bool links_lost(struct tx *tx)
{
    return db_run(tx->db, &LINKS, LOST, "");
}

bool links_stale(struct tx *tx)
{
    return db_run(tx->db, &LINKS, STALE, "i", tx->now_ms);
}

bool links_draw(struct tx *tx, link_no no, const char *token)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(token, hash);
    return db_run(tx->db, &LINKS, DRAW, "ib", no, hash, sizeof hash);
}

bool links_deliver(struct tx *tx, link_no no, enum link_delivery delivery)
{
    return db_run(tx->db, &LINKS, DELIVER, "it", no, DELIVERIES[delivery]);
}

const char *link_delivery_name(enum link_delivery delivery)
{
    return DELIVERIES[delivery];
}
