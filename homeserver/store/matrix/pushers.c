#include "homeserver/store/matrix/pushers.h"

#include "homeserver/store/driver/writer.h"

#define COLUMNS                                                                                                        \
    "p.user_no, p.device_no, p.app_id, p.pushkey, p.kind, p.app_name, p.device_name, p.lang, p.profile_tag, p.data,"   \
    " p.gateway, p.id_only, p.enabled, p.set_ms"
#define TOLD "p.enabled = 1 AND u.state <> 'locked' AND u.state <> 'left'"
#define ONE "user_no = $1 AND app_id = $2 AND pushkey = $3"

enum {
    OF_USER,
    GET,
    AT,
    HTTP_OF,
    MAILS,
    IN_ROOM,
    GATEWAYS,
    MAILED_POS,
    PUT,
    REMOVE,
    REMOVE_OF_OTHERS,
    REJECT,
    MAILED,
    FORGET,
    COUNT
};
static const struct statement TEXTS[COUNT] = {
    [OF_USER] = "SELECT " COLUMNS ", d.device_id FROM pushers p JOIN devices d ON d.device_no = p.device_no"
                " WHERE p.user_no = $1 ORDER BY p.set_ms, p.app_id, p.pushkey",
    [GET] = "SELECT " COLUMNS " FROM pushers p WHERE p.user_no = $1 AND p.app_id = $2 AND p.pushkey = $3",
    [AT] = "SELECT " COLUMNS " FROM pushers p JOIN users u ON u.user_no = p.user_no"
           " WHERE p.user_no = $2 AND p.gateway = $1 AND p.kind = 'http' AND " TOLD,
    [HTTP_OF] = "SELECT " COLUMNS " FROM pushers p JOIN users u ON u.user_no = p.user_no"
                " WHERE p.user_no = $1 AND p.kind = 'http' AND " TOLD " ORDER BY p.gateway",
    [MAILS] = "SELECT " COLUMNS " FROM pushers p JOIN users u ON u.user_no = p.user_no"
              " WHERE p.gateway = '' AND p.kind = 'email' AND p.mailed_ms < $1 AND " TOLD,
    [IN_ROOM] = "SELECT " COLUMNS ", m.joined_pos FROM memberships m JOIN pushers p ON p.user_no = m.user_no"
                " JOIN users u ON u.user_no = p.user_no"
                " WHERE m.room_no = $2 AND m.membership = 'join' AND p.gateway = $1 AND p.kind = 'http' AND " TOLD
                " ORDER BY p.user_no",
    [GATEWAYS] = "SELECT DISTINCT gateway FROM pushers WHERE gateway <> ''",
    [MAILED_POS] = "SELECT mailed_pos FROM pushers WHERE " ONE,
    [PUT] = "INSERT INTO pushers (user_no, app_id, pushkey, device_no, kind, app_name, device_name, profile_tag, lang,"
            " data, gateway, id_only, enabled, set_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
            " $14) ON CONFLICT (user_no, app_id, pushkey) DO UPDATE SET device_no = $4, kind = $5, app_name = $6,"
            " device_name = $7, profile_tag = $8, lang = $9, data = $10, gateway = $11, id_only = $12, enabled = $13,"
            " set_ms = $14",
    [REMOVE] = "DELETE FROM pushers WHERE " ONE,
    [REMOVE_OF_OTHERS] = "DELETE FROM pushers WHERE user_no <> $1 AND app_id = $2 AND pushkey = $3"
                         " AND kind = 'http'",
    [REJECT] = "DELETE FROM pushers WHERE " ONE " AND set_ms = $4",
    [MAILED] = "UPDATE pushers SET mailed_ms = $4, mailed_pos = $5 WHERE " ONE,
    [FORGET] = "DELETE FROM pushers WHERE user_no = $1",
};
STATEMENTS(PUSHERS, "pushers", TEXTS);

#define COLUMNS_COUNT 14

bool pushers_next(struct stmt *q, struct pusher_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct pusher_row){
        .user = col_int(q, 0),
        .device = col_int(q, 1),
        .app_id = col_text(q, 2),
        .pushkey = col_text(q, 3),
        .kind = col_text(q, 4),
        .app_name = col_text(q, 5),
        .device_name = col_text(q, 6),
        .lang = col_text(q, 7),
        .profile_tag = col_text(q, 8),
        .data = col_text(q, 9),
        .gateway = col_text(q, 10),
        .id_only = col_int(q, 11) != 0,
        .enabled = col_int(q, 12) != 0,
        .set_ms = col_int(q, 13),
    };
    return true;
}

bool pushers_next_of_user(struct stmt *q, struct pusher_row *row)
{
    if (!pushers_next(q, row))
        return false;
    row->device_id = col_text(q, COLUMNS_COUNT);
    return true;
}

bool pushers_next_in_room(struct stmt *q, struct pusher_in_room *row)
{
    if (!pushers_next(q, &row->pusher))
        return false;
    row->joined_pos = col_int(q, COLUMNS_COUNT);
    return true;
}

struct stmt *pushers_of_user(struct db *db, user_no user)
{
    return db_query(db, &PUSHERS, OF_USER, "i", user);
}

struct stmt *pushers_get(struct db *db, user_no user, const char *app_id, const char *pushkey)
{
    return db_query(db, &PUSHERS, GET, "itt", user, app_id, pushkey);
}

struct stmt *pushers_at(struct db *db, const char *gateway, user_no user)
{
    return db_query(db, &PUSHERS, AT, "ti", gateway, user);
}

struct stmt *pushers_http_of(struct db *db, user_no user)
{
    return db_query(db, &PUSHERS, HTTP_OF, "i", user);
}

struct stmt *pushers_mails(struct db *db, int64_t mailed_before_ms)
{
    return db_query(db, &PUSHERS, MAILS, "i", mailed_before_ms);
}

struct stmt *pushers_in_room(struct db *db, const char *gateway, room_no room)
{
    return db_query(db, &PUSHERS, IN_ROOM, "ti", gateway, room);
}

struct stmt *pushers_gateways(struct db *db)
{
    return db_query(db, &PUSHERS, GATEWAYS, "");
}

const char *pushers_next_gateway(struct stmt *q)
{
    return stmt_next(q) ? col_text(q, 0) : NULL;
}

stream_pos pushers_mailed_pos(struct db *db, user_no user, const char *app_id, const char *pushkey)
{
    return db_int(db, &PUSHERS, MAILED_POS, 0, "itt", user, app_id, pushkey);
}

bool pushers_put(struct tx *tx, const struct pusher_row *row)
{
    return db_run(tx->db, &PUSHERS, PUT, "ittitttttttiii", row->user, row->app_id, row->pushkey, row->device, row->kind,
                  row->app_name, row->device_name, row->profile_tag, row->lang, row->data, row->gateway,
                  (int64_t)row->id_only, (int64_t)row->enabled, row->set_ms);
}

bool pushers_remove(struct tx *tx, user_no user, const char *app_id, const char *pushkey)
{
    return db_run(tx->db, &PUSHERS, REMOVE, "itt", user, app_id, pushkey);
}

bool pushers_remove_of_others(struct tx *tx, user_no user, const char *app_id, const char *pushkey)
{
    return db_run(tx->db, &PUSHERS, REMOVE_OF_OTHERS, "itt", user, app_id, pushkey);
}

bool pushers_reject(struct tx *tx, user_no user, const char *app_id, const char *pushkey, int64_t set_ms)
{
    return db_run(tx->db, &PUSHERS, REJECT, "itti", user, app_id, pushkey, set_ms);
}

bool pushers_mailed(struct tx *tx, const struct pusher_row *row, int64_t at_ms, stream_pos pos)
{
    return db_run(tx->db, &PUSHERS, MAILED, "ittii", row->user, row->app_id, row->pushkey, at_ms, pos);
}

bool pushers_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &PUSHERS, FORGET, "i", user);
}
