#include "homeserver/store/matrix/filters.h"

#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum { GET, FIND, LAST, PUT, PRUNE, PRUNE_BYTES, FORGET, N };
static const struct statement TEXTS[N] = {
    [GET] = "SELECT definition FROM filters WHERE user_no = $1 AND filter_no = $2",
    [FIND] = "SELECT filter_no FROM filters WHERE user_no = $1 AND definition = $2",
    [LAST] = "SELECT max(filter_no) FROM filters WHERE user_no = $1",
    [PUT] = "INSERT INTO filters (user_no, filter_no, definition) VALUES ($1, $2, $3)",
    [PRUNE] =
        "DELETE FROM filters WHERE user_no = $1 AND filter_no <= (SELECT filter_no FROM filters WHERE user_no = $1"
        " ORDER BY filter_no DESC LIMIT 1 OFFSET $2)",
    [PRUNE_BYTES] =
        "DELETE FROM filters WHERE user_no = $1 AND filter_no <= (SELECT max(n.filter_no) FROM (SELECT filter_no,"
        " SUM(octet_length(definition)) OVER (ORDER BY filter_no DESC) AS bytes FROM filters WHERE user_no = "
        "$1) n"
        " WHERE n.bytes > $2)",
    [FORGET] = "DELETE FROM filters WHERE user_no = $1",
};
STATEMENTS(FILTERS, "filters", TEXTS);

char *filters_get(struct db *db, user_no user, int64_t filter_no)
{
    return db_text(db, &FILTERS, GET, "ii", user, filter_no);
}

int64_t filters_find(struct db *db, user_no user, const char *definition)
{
    return db_int(db, &FILTERS, FIND, 0, "it", user, definition);
}

bool filters_put(struct tx *tx, user_no user, const char *definition, int64_t *filter_no)
{
    *filter_no = filters_find(tx->db, user, definition);
    if (*filter_no != 0)
        return true;
    *filter_no = db_int(tx->db, &FILTERS, LAST, 0, "i", user) + 1;
    if (*filter_no <
        tx->now_ms) /* a database that was put back from a copy must not give a number that the lost one gave */
        *filter_no = tx->now_ms;
    return db_run(tx->db, &FILTERS, PUT, "iit", user, *filter_no, definition) &&
           db_run(tx->db, &FILTERS, PRUNE, "ii", user, (int64_t)FILTERS_PER_USER) &&
           db_run(tx->db, &FILTERS, PRUNE_BYTES, "ii", user, (int64_t)FILTERS_BYTES_PER_USER);
}

bool filters_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &FILTERS, FORGET, "i", user);
}
