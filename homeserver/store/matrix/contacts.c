#include "homeserver/store/matrix/contacts.h"

#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum { OWNER, HOW_MANY, EACH, INSERT, DELETE, FORGET, COUNT };
static const struct statement TEXTS[COUNT] = {
    [OWNER] = "SELECT user_no FROM contacts WHERE medium = $1 AND address = $2",
    [HOW_MANY] = "SELECT count(*) FROM contacts WHERE user_no = $1 AND medium = $2",
    [EACH] = "SELECT medium, address, user_no, verified_ms, added_ms FROM contacts WHERE user_no = $1"
             " ORDER BY added_ms, medium, address",
    [INSERT] = "INSERT INTO contacts (medium, address, user_no, verified_ms, added_ms) VALUES ($1, $2, $3, $4, $5)",
    [DELETE] = {"DELETE FROM contacts WHERE user_no = $1 AND medium = $2 AND address = $3", 0, GUARDED},
    [FORGET] = {"DELETE FROM contacts WHERE user_no = $1", 0, GUARDED},
};
STATEMENTS(CONTACTS, "contacts", TEXTS);

user_no contact_rows_owner(struct db *db, const char *medium, const char *address)
{
    return db_int(db, &CONTACTS, OWNER, 0, "tt", medium, address);
}

int64_t contact_rows_count(struct db *db, user_no user, const char *medium)
{
    return db_int(db, &CONTACTS, HOW_MANY, 0, "it", user, medium);
}

void contact_rows_each(struct db *db, user_no user, void (*fn)(void *arg, const struct contact_row *row), void *arg)
{
    struct stmt *q = db_query(db, &CONTACTS, EACH, "i", user);
    while (stmt_next(q)) {
        struct contact_row row = {col_text(q, 0), col_text(q, 1), col_int(q, 2), col_int(q, 3), col_int(q, 4)};
        fn(arg, &row);
    }
    stmt_end(q);
}

bool contact_rows_insert(struct tx *tx, const struct contact_row *row)
{
    return db_run(tx->db, &CONTACTS, INSERT, "ttiii", row->medium, row->address, row->user, row->verified_ms,
                  tx->now_ms);
}

bool contact_rows_delete(struct tx *tx, user_no user, const char *medium, const char *address)
{
    return db_run(tx->db, &CONTACTS, DELETE, "itt", user, medium, address);
}

bool contact_rows_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &CONTACTS, FORGET, "i", user);
}
