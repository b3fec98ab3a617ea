#include "homeserver/store/matrix/thread_subscriptions.h"

#include "homeserver/store/driver/writer.h"

#define ROW "SELECT root_pos, room_no, state, pos, stamp FROM thread_subscriptions "

enum { GET, NEWEST, PUT, FORGET, COUNT };
static const struct statement TEXTS[COUNT] = {
    [GET] = ROW "WHERE user_no = $1 AND root_pos = $2",
    [NEWEST] = ROW "WHERE user_no = $1 AND pos > $2 AND pos <= $3 ORDER BY pos DESC LIMIT $4",
    [PUT] = "INSERT INTO thread_subscriptions (user_no, root_pos, room_no, state, pos, stamp)"
            " VALUES ($1, $2, $3, $4, $5, 1) ON CONFLICT (user_no, root_pos) DO UPDATE SET state = excluded.state,"
            " pos = excluded.pos, stamp = thread_subscriptions.stamp + 1",
    [FORGET] = "DELETE FROM thread_subscriptions WHERE user_no = $1",
};
STATEMENTS(THREAD_SUBSCRIPTIONS, "thread_subscriptions", TEXTS);

bool thread_subscriptions_next(struct stmt *q, struct thread_subscription_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct thread_subscription_row){
        .root = col_int(q, 0),
        .room = col_int(q, 1),
        .state = (enum thread_subscription)col_int(q, 2),
        .pos = col_int(q, 3),
        .stamp = col_int(q, 4),
    };
    return true;
}

bool thread_subscriptions_get(struct db *db, user_no user, stream_pos root, struct thread_subscription_row *out)
{
    struct stmt *q = db_query(db, &THREAD_SUBSCRIPTIONS, GET, "ii", user, root);
    bool found = thread_subscriptions_next(q, out);
    stmt_end(q);
    return found;
}

struct stmt *thread_subscriptions_newest(struct db *db, user_no user, stream_pos after, stream_pos upto, int64_t limit)
{
    return db_query(db, &THREAD_SUBSCRIPTIONS, NEWEST, "iiii", user, after, upto, limit);
}

bool thread_subscriptions_put(struct tx *tx, user_no user, const struct thread_subscription_row *row)
{
    stream_pos pos = tx_next_pos(tx);
    tx_change(tx, (struct change){.kind = CHANGE_THREAD_SUBSCRIPTION, .private_ = true, .pos = pos, .user = user});
    return db_run(tx->db, &THREAD_SUBSCRIPTIONS, PUT, "iiiii", user, row->root, row->room, (int64_t)row->state, pos);
}

bool thread_subscriptions_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &THREAD_SUBSCRIPTIONS, FORGET, "i", user);
}
