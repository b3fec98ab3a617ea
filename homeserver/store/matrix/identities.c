#include "homeserver/store/matrix/identities.h"

#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/users.h"

enum { OWNER, HOW_MANY, EACH, INSERT, DELETE, FORGET, N };
static const struct statement TEXTS[N] = {
    [OWNER] = "SELECT user_no FROM identities WHERE issuer = $1 AND subject = $2",
    [HOW_MANY] = "SELECT count(*) FROM identities WHERE user_no = $1",
    [EACH] = "SELECT issuer, subject, linked_ms FROM identities WHERE user_no = $1 ORDER BY linked_ms, issuer, subject",
    [INSERT] = "INSERT INTO identities (issuer, subject, user_no, linked_ms) VALUES ($1, $2, $3, $4)",
    [DELETE] = {"DELETE FROM identities WHERE user_no = $1 AND issuer = $2", 0, GUARDED},
    [FORGET] = {"DELETE FROM identities WHERE user_no = $1", 0, GUARDED},
};
STATEMENTS(IDENTITIES, "identities", TEXTS);

user_no identities_owner(struct db *db, const struct identity_of *identity)
{
    return db_int(db, &IDENTITIES, OWNER, 0, "tt", identity->issuer, identity->subject);
}

int64_t identities_count(struct db *db, user_no user)
{
    return db_int(db, &IDENTITIES, HOW_MANY, 0, "i", user);
}

bool identities_any(struct db *db, user_no user)
{
    return identities_count(db, user) > 0;
}

bool identities_or_password(struct db *db, const struct user_row *row)
{
    return row->password_hash != NULL || identities_any(db, row->no);
}

void identities_each(struct db *db, user_no user, void (*fn)(void *arg, const struct identity_row *row), void *arg)
{
    struct stmt *q = db_query(db, &IDENTITIES, EACH, "i", user);
    while (stmt_next(q)) {
        struct identity_row row = {col_text(q, 0), col_text(q, 1), col_int(q, 2)};
        fn(arg, &row);
    }
    stmt_end(q);
}

bool identities_insert(struct tx *tx, user_no user, const struct identity_of *identity)
{
    return db_run(tx->db, &IDENTITIES, INSERT, "ttii", identity->issuer, identity->subject, user, tx->now_ms);
}

bool identities_delete(struct tx *tx, user_no user, const char *issuer)
{
    return db_run(tx->db, &IDENTITIES, DELETE, "it", user, issuer);
}

bool identities_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &IDENTITIES, FORGET, "i", user);
}
