#include "homeserver/store/matrix/devices.h"

#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/device_keys.h"
#include "homeserver/store/matrix/oauth_codes.h"
#include "homeserver/store/matrix/one_time_keys.h"
#include "homeserver/store/matrix/page_sessions.h"
#include "homeserver/store/matrix/users.h"

#define ROW "SELECT device_no, user_no, device_id, display_name, last_seen_ip, last_seen_ms, created_ms FROM devices "

enum { BY_ID, OF_USER, NUMBER, SINCE, OTHERS, IDLEST, HOW_MANY, CLIENT, INSERT, RENAME, SEEN, SIGNED_IN_BY, DELETE, N };
static const struct statement TEXTS[N] = {
    [BY_ID] = ROW "WHERE user_no = $1 AND device_id = $2",
    [OF_USER] = ROW "WHERE user_no = $1 ORDER BY device_no",
    [NUMBER] = "SELECT device_no FROM devices WHERE user_no = $1 AND device_id = $2",
    [SINCE] = "SELECT 1 FROM devices WHERE user_no = $1 AND device_no = $2 AND created_ms <= $3",
    [OTHERS] = "SELECT device_no FROM devices WHERE user_no = $1 AND device_no <> $2",
    [IDLEST] = "SELECT device_no FROM devices WHERE user_no = $1 AND last_seen_ms < $2 ORDER BY last_seen_ms LIMIT 1",
    [HOW_MANY] = "SELECT count(*) FROM devices WHERE user_no = $1",
    [CLIENT] = "SELECT client_no FROM devices WHERE user_no = $1 AND device_id = $2",
    [INSERT] = ("INSERT INTO devices (user_no, device_id, display_name, last_seen_ip, last_seen_ms, created_ms)"
                " VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING RETURNING device_no"),
    [RENAME] = "UPDATE devices SET display_name = $3 WHERE user_no = $1 AND device_no = $2",
    [SEEN] = "UPDATE devices SET last_seen_ms = $3, last_seen_ip = $4 WHERE device_no = $2 AND user_no = $1",
    [SIGNED_IN_BY] = "UPDATE devices SET client_no = nullif($2, 0) WHERE device_no = $1",
    [DELETE] = {"DELETE FROM devices WHERE user_no = $1 AND device_no = $2", 0, GUARDED},
};
STATEMENTS(DEVICES, "devices", TEXTS);

static char *copy(const char *s)
{
    return s != NULL ? xstrdup(s) : NULL;
}

static void device_from_row(struct stmt *q, struct device_row *row)
{
    *row = (struct device_row){
        .no = col_int(q, 0),
        .user = col_int(q, 1),
        .device_id = copy(col_text(q, 2)),
        .display_name = copy(col_text(q, 3)),
        .last_seen_ip = copy(col_text(q, 4)),
        .last_seen_ms = col_int(q, 5),
        .created_ms = col_int(q, 6),
    };
}

void device_row_finish(struct device_row *row)
{
    free(row->device_id);
    free(row->display_name);
    free(row->last_seen_ip);
    *row = (struct device_row){0};
}

bool devices_get(struct db *db, user_no user, const char *device_id, struct device_row *row)
{
    struct stmt *q = db_query(db, &DEVICES, BY_ID, "it", user, device_id);
    bool found = stmt_next(q);
    *row = (struct device_row){0};
    if (found)
        device_from_row(q, row);
    stmt_end(q);
    return found;
}

device_no devices_no(struct db *db, user_no user, const char *device_id)
{
    return db_int(db, &DEVICES, NUMBER, 0, "it", user, device_id);
}

bool devices_since(struct db *db, user_no user, device_no no, int64_t at_ms)
{
    return db_int(db, &DEVICES, SINCE, 0, "iii", user, no, at_ms) != 0;
}

void devices_each(struct db *db, user_no user, void (*fn)(void *arg, const struct device_row *row), void *arg)
{
    struct stmt *q = db_query(db, &DEVICES, OF_USER, "i", user);
    while (stmt_next(q)) {
        struct device_row row;
        device_from_row(q, &row);
        fn(arg, &row);
        device_row_finish(&row);
    }
    stmt_end(q);
}

int64_t devices_count(struct db *db, user_no user)
{
    return db_int(db, &DEVICES, HOW_MANY, 0, "i", user);
}

/* device 0: several. */
static void list_changed(struct tx *tx, user_no user, device_no device)
{
    tx_change(tx, (struct change){.kind = CHANGE_DEVICES, .pos = tx_next_pos(tx), .user = user, .device = device});
}

device_no devices_insert(struct tx *tx, user_no user, const char *device_id, const char *display_name, const char *ip)
{
    device_no no = db_insert(tx->db, &DEVICES, INSERT, "ittti", user, device_id, display_name, ip, tx->now_ms);
    if (no != 0) {
        list_changed(tx, user, no);
        tx_change(tx, (struct change){/* its number may have been another's, of which memory knows something */
                                      .kind = CHANGE_KEY_COUNTS,
                                      .user = user,
                                      .device = no,
                                      .event = KEY_COUNTS_KNOWN});
    }
    return no;
}

bool devices_rename(struct tx *tx, user_no user, device_no no, const char *display_name)
{
    list_changed(tx, user, no);
    return db_run(tx->db, &DEVICES, RENAME, "iit", user, no, display_name);
}

bool devices_seen(struct tx *tx, user_no user, device_no no, int64_t at_ms, const char *ip)
{
    return db_run(tx->db, &DEVICES, SEEN, "iiit", user, no, at_ms, ip);
}

bool devices_signed_in_by(struct tx *tx, device_no no, client_no client)
{
    return db_run(tx->db, &DEVICES, SIGNED_IN_BY, "ii", no, client);
}

client_no devices_client(struct db *db, user_no user, const char *device_id)
{
    return db_int(db, &DEVICES, CLIENT, 0, "it", user, device_id);
}

static bool remove_one(struct tx *tx, user_no user, device_no no)
{
    tx_change(tx, (struct change){.kind = CHANGE_SESSION, .user = user, .device = no});
    return device_keys_end(tx, user, no) && db_run(tx->db, &DEVICES, DELETE, "ii", user, no);
}

bool devices_delete(struct tx *tx, user_no user, device_no no)
{
    list_changed(tx, user, no);
    return remove_one(tx, user, no);
}

void devices_end_idle(struct tx *tx, user_no user, int64_t most, int64_t before_ms)
{
    device_no idlest = 1;
    while (idlest != 0 && devices_count(tx->db, user) > most) {
        idlest = db_int(tx->db, &DEVICES, IDLEST, 0, "ii", user, before_ms);
        if (idlest != 0 && !devices_delete(tx, user, idlest))
            return;
    }
}

bool devices_delete_all(struct tx *tx, user_no user, device_no except)
{
    size_t n = 0, cap = 0;
    device_no *gone = NULL;
    struct stmt *q = db_query(tx->db, &DEVICES, OTHERS, "ii", user, except);
    while (stmt_next(q)) {
        if (n == cap)
            gone = xrealloc(gone, (cap = cap * 2 + 8) * sizeof *gone);
        gone[n++] = col_int(q, 0);
    }
    stmt_end(q);
    if (n != 0)
        list_changed(tx, user, 0);
    /* What would become one, wherever it is kept, and pages. */
    bool done =
        oauth_codes_forget(tx, user) && page_sessions_delete_of(tx, user) && (except != 0 || users_end_epoch(tx, user));
    for (size_t i = 0; done && i < n; ++i)
        done = remove_one(tx, user, gone[i]);
    free(gone);
    return done;
}
