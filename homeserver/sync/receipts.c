#include "homeserver/sync/receipts.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/sync/recent_receipts.h"
#include "homeserver/rooms/read/threads.h"

/* An event that a mark is set on. */
struct marked {
    const char *event_id;
    stream_pos pos;
    char *content;
};

static bool find_event(struct db *db, room_no room, const char *event_id, struct marked *out, struct error *e)
{
    struct event_row row;
    struct stmt *q = events_by_id(db, event_id);
    *out = (struct marked){.event_id = event_id};
    if (events_next(q, &row) && row.room == room) {
        out->pos = row.pos;
        out->content = xstrdup(row.content);
    }
    stmt_end(q);
    return out->pos != 0 || error_set(e, ERROR_NOT_FOUND, "There is no such event in this room.");
}

/* A root belongs to the main timeline and counts for its own thread too, and so does what relates to it directly. */
static bool in_thread(struct db *db, const struct marked *event, const char *thread)
{
    char root[ID_BYTES_MAX + 1];
    bool threaded = thread_root(db, event->content, root);
    if (strcmp(thread, THREAD_MAIN) == 0)
        return !threaded;
    if (threaded || strcmp(event->event_id, thread) == 0)
        return !threaded || strcmp(root, thread) == 0;
    return thread_target(event->content, root) && strcmp(root, thread) == 0;
}

static bool put_receipt(struct tx *tx, room_no no, struct recent *recent, const struct marks *marks, const char *type,
                        const struct marked *event)
{
    const char *thread = marks->thread != NULL ? marks->thread : "";
    if (receipts_event_pos(tx->db, no, marks->user, type, thread) >= event->pos)
        return true;
    struct receipt_row row = {.room = no,
                              .user = marks->user,
                              .type = type,
                              .thread = thread,
                              .event_id = event->event_id,
                              .event_pos = event->pos,
                              .ts = tx->now_ms,
                              .pos = tx_next_pos(tx)};
    tx_on_rollback(tx, recent_clear, recent);
    recent_receipts_add(recent, &row);
    return receipts_put(tx, &row);
}

struct marking {
    struct rooms *rooms;
    struct recent *recent;
    const struct marks *marks;
};

static bool set_receipt(const struct marking *m, struct tx *tx, room_no no, const char *type, const char *event_id,
                        struct error *e)
{
    struct marked event;
    const char *thread = m->marks->thread;
    if (event_id == NULL)
        return true;
    bool ok = find_event(tx->db, no, event_id, &event, e);
    if (ok && thread != NULL && !in_thread(tx->db, &event, thread))
        ok = error_set(e, ERROR_INVALID_PARAM, "The event is not in that thread.");
    if (ok) {
        rooms_prepare_joined(m->rooms, tx, no);
        ok = put_receipt(tx, no, m->recent, m->marks, type, &event);
    }
    free(event.content);
    return ok;
}

/* Where m.fully_read stands; 0: nowhere. */
static stream_pos fully_read_pos(struct db *db, user_no user, room_no no)
{
    char *content = account_data_get(db, user, no, "m.fully_read");
    json_t *object = content != NULL ? json_loads(content, 0, NULL) : NULL;
    const char *event_id = json_get_string(object, "event_id");
    stream_pos pos = event_id != NULL ? events_pos_of(db, event_id) : 0;
    json_decref(object);
    free(content);
    return pos;
}

static bool set_fully_read(struct tx *tx, room_no no, const struct marks *marks, struct error *e)
{
    struct marked event;
    struct text content = TEXT_INIT;
    if (marks->fully_read == NULL)
        return true;
    bool ok = find_event(tx->db, no, marks->fully_read, &event, e);
    if (ok && event.pos > fully_read_pos(tx->db, marks->user, no)) {
        text_adds(&content, "{\"event_id\":");
        text_add_json(&content, event.event_id);
        text_addc(&content, '}');
        ok = account_data_put(tx, marks->user, no, "m.fully_read", content.data);
    }
    text_finish(&content);
    free(event.content);
    return ok;
}

static bool mark_job(struct tx *tx, void *arg, struct error *e)
{
    const struct marking *m = arg;
    const struct marks *marks = m->marks;
    room_no no = rooms_by_id(tx->db, marks->room_id);
    if (no == 0 || memberships_of(tx->db, no, marks->user) != MEMBERSHIP_JOIN)
        return error_set(e, ERROR_FORBIDDEN, "You are not in this room.");
    if (marks->read != NULL && !gate_room(m->rooms, tx->db, ACT_SIGNAL, no, marks->user, 0, NULL, NULL, e))
        return false;
    return set_receipt(m, tx, no, RECEIPT_READ, marks->read, e) &&
           set_receipt(m, tx, no, RECEIPT_READ_PRIVATE, marks->read_private, e) && set_fully_read(tx, no, marks, e);
}

bool receipts_mark(struct writer *writer, struct rooms *rooms, struct recent *recent, const struct marks *marks,
                   struct error *e)
{
    struct marking m = {rooms, recent, marks};
    return writer_run(writer, mark_job, &m, e);
}

/* One after the other, a rendering opens and closes what differs from the row before: {"content":{event:{type:{user:…
 */
struct grouping {
    struct text *out;
    bool open;
    char thread[ID_BYTES_MAX + 1], event_id[ID_BYTES_MAX + 1], type[ID_BYTES_MAX + 1];
};

static void open_key(struct text *out, const char *key)
{
    text_add_json(out, key);
    text_adds(out, ":{");
}

static void turn_to(struct grouping *g, const struct receipt_row *row)
{
    bool same_thread = g->open && strcmp(g->thread, row->thread) == 0;
    bool same_event = same_thread && strcmp(g->event_id, row->event_id) == 0;
    bool same_type = same_event && strcmp(g->type, row->type) == 0;
    if (g->open)
        text_adds(g->out, same_type ? "," : same_event ? "}," : same_thread ? "}}," : "}}},\"type\":\"m.receipt\"},");
    if (!same_thread)
        text_adds(g->out, "{\"content\":{");
    if (!same_event)
        open_key(g->out, row->event_id);
    if (!same_type)
        open_key(g->out, row->type);
    g->open = true;
    strcpy(g->thread, row->thread);
    strcpy(g->event_id, row->event_id);
    strcpy(g->type, row->type);
}

static void add_reader(struct text *out, const struct receipt_row *row, const char *user_id)
{
    open_key(out, user_id);
    if (row->thread[0] != '\0') {
        text_adds(out, "\"thread_id\":");
        text_add_json(out, row->thread);
        text_addc(out, ',');
    }
    text_adds(out, "\"ts\":");
    text_add_int(out, row->ts);
    text_addc(out, '}');
}

bool receipts_add(struct db *db, struct user_names *names, room_no room, user_no viewer, stream_pos since,
                  stream_pos upto, struct text *out)
{
    struct receipt_row row;
    struct grouping g = {.out = out};
    struct stmt *q = receipts_changed(db, room, viewer, since, upto);
    while (receipts_next(q, &row)) {
        const char *id = user_names_get(names, db, row.user);
        turn_to(&g, &row);
        add_reader(out, &row, id != NULL ? id : "");
    }
    stmt_end(q);
    if (g.open)
        text_adds(out, "}}},\"type\":\"m.receipt\"}");
    return g.open;
}

static int by_place(const void *a, const void *b)
{
    const struct receipt_row *x = a, *y = b;
    int order = strcmp(x->thread, y->thread);
    if (order == 0)
        order = strcmp(x->event_id, y->event_id);
    if (order == 0)
        order = strcmp(x->type, y->type);
    return order != 0 ? order : (x->user > y->user) - (x->user < y->user);
}

/* Whether a later one of rows stands in its place. */
static bool is_replaced(const struct receipt_row *row, const struct receipt_row *rows, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        if (rows[i].pos > row->pos && rows[i].user == row->user && strcmp(rows[i].type, row->type) == 0 &&
            strcmp(rows[i].thread, row->thread) == 0)
            return true;
    return false;
}

void receipts_add_rows(struct text *out, struct user_names *names, struct receipt_row *rows, size_t n)
{
    struct grouping g = {.out = out};
    qsort(rows, n, sizeof *rows, by_place);
    for (size_t i = 0; i < n; ++i)
        if (!is_replaced(&rows[i], rows, n)) {
            const char *id = user_names_get(names, NULL, rows[i].user);
            turn_to(&g, &rows[i]);
            add_reader(out, &rows[i], id != NULL ? id : "");
        }
    if (g.open)
        text_adds(out, "}}},\"type\":\"m.receipt\"}");
}
