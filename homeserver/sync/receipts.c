#include "homeserver/sync/receipts.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/sync/recent_receipts.h"
#include "homeserver/rooms/threads.h"

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

/* In one piece of memory, which begins at the type. */
void receipt_rows_add(struct receipt_rows *rows, const struct receipt_row *row)
{
    size_t type = strlen(row->type) + 1, thread = strlen(row->thread) + 1, event_id = strlen(row->event_id) + 1;
    char *strings = xcalloc(type + thread + event_id, 1);
    if (rows->n == rows->cap) {
        rows->cap = rows->cap * 2 + 4;
        rows->rows = xrealloc(rows->rows, rows->cap * sizeof *rows->rows);
    }
    struct receipt_row *copy = &rows->rows[rows->n++];
    *copy = *row;
    copy->type = memcpy(strings, row->type, type);
    copy->thread = memcpy(strings + type, row->thread, thread);
    copy->event_id = memcpy(strings + type + thread, row->event_id, event_id);
}

void receipt_rows_finish(struct receipt_rows *rows)
{
    for (size_t i = 0; i < rows->n; ++i)
        free((char *)rows->rows[i].type);
    free(rows->rows);
    *rows = (struct receipt_rows){0};
}

void receipt_rows_leave_out(struct receipt_rows *rows, const struct member_set *users)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->n; ++i)
        if (member_set_has(users, rows->rows[i].user))
            free((char *)rows->rows[i].type);
        else
            rows->rows[kept++] = rows->rows[i];
    rows->n = kept;
}

void receipts_gather(struct db *db, room_no room, user_no viewer, stream_pos since, stream_pos upto,
                     struct receipt_rows *out)
{
    struct receipt_row row;
    struct stmt *q = receipts_changed(db, room, viewer, since, upto);
    while (receipts_next(q, &row))
        receipt_rows_add(out, &row);
    stmt_end(q);
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
static bool is_replaced(const struct receipt_row *row, const struct receipt_rows *rows)
{
    for (size_t i = 0; i < rows->n; ++i) {
        const struct receipt_row *other = &rows->rows[i];
        if (other->pos > row->pos && other->user == row->user && strcmp(other->type, row->type) == 0 &&
            strcmp(other->thread, row->thread) == 0)
            return true;
    }
    return false;
}

void receipt_rows_settle(struct receipt_rows *rows)
{
    size_t n = rows->n;
    for (size_t i = 0; i < rows->n;) {
        struct receipt_row row = rows->rows[i];
        if (!is_replaced(&row, rows)) {
            ++i;
            continue;
        }
        rows->rows[i] = rows->rows[--rows->n];
        rows->rows[rows->n] = row;
    }
    while (n > rows->n)
        free((char *)rows->rows[--n].type);
    if (rows->n != 0)
        qsort(rows->rows, rows->n, sizeof *rows->rows, by_place);
}
