#include "homeserver/rooms/events/delayed_messages.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/store/matrix/delayed_messages.h"
#include "homeserver/store/driver/writer.h"

struct delivery {
    struct rooms *rooms;
    const struct held_dropped *dropped;
    int64_t now_ms, after, last; /* each is looked at once, and what is held meanwhile is not */
    bool found, delivered;
};

/* The row's strings end with its statement, which must not be open while the event is appended. */
static char *copy(const char *s)
{
    return s != NULL ? xstrdup(s) : NULL;
}

static bool take_due(struct tx *tx, const struct delivery *d, struct delayed_message *row)
{
    struct stmt *q = delayed_messages_due(tx->db, d->now_ms, d->after, d->last);
    bool found = delayed_messages_next(q, row);
    if (found) {
        row->placeholder = copy(row->placeholder);
        row->txn_id = row->device != 0 ? copy(row->txn_id) : NULL;
        row->about = copy(row->about);
        row->type = copy(row->type);
        row->content = copy(row->content);
    }
    stmt_end(q);
    return found;
}

static void row_finish(struct delayed_message *row)
{
    free((char *)row->placeholder);
    free((char *)row->txn_id);
    free((char *)row->about);
    free((char *)row->type);
    free((char *)row->content);
}

static bool append_held(struct delivery *d, struct tx *tx, const struct delayed_message *row, struct appended *out,
                        struct error *e)
{
    struct room *room = room_open(d->rooms, tx, row->room);
    json_t *content = json_parse(row->content, strlen(row->content), e);
    struct draft draft = {.sender = row->sender,
                          .type = row->type,
                          .content = content,
                          .device = row->device,
                          .txn_id = row->txn_id,
                          .about = row->about,
                          .held_no = row->no};
    bool done = room != NULL && content != NULL && append_event(room, tx, &draft, out, e);
    json_decref(content);
    return done;
}

/* One that must wait longer has been put off by append. */
static bool deliver_one(struct tx *tx, void *arg, struct error *e)
{
    struct delivery *d = arg;
    struct delayed_message row;
    struct appended out = {0};
    struct error why = {0};
    d->delivered = false;
    if (d->last == 0)
        d->last = delayed_messages_last(tx->db);
    d->found = d->last != 0 && take_due(tx, d, &row);
    if (!d->found)
        return true;
    d->after = row.no;
    bool done = append_held(d, tx, &row, &out, &why);
    d->delivered = done && out.pos != 0;
    if (d->delivered)
        done = delayed_messages_finish(tx, row.no, HELD_DELIVERED, out.event_id);
    else if (!done) {
        log_info("rooms", "a held message is dropped: %s %s", error_wire_name(why.code), why.value);
        /* What pointed to a message that has gone goes with it, without a word. */
        if (why.code != ERROR_NOT_FOUND && d->dropped != NULL)
            d->dropped->tell(d->dropped->self, tx, &row, &why);
        done = delayed_messages_finish(tx, row.no, HELD_DROPPED, NULL);
    }
    row_finish(&row);
    return done || error_set(e, ERROR_UNKNOWN, NULL);
}

int delayed_messages_deliver(struct writer *writer, struct rooms *rooms, const struct held_dropped *dropped,
                             int64_t now_ms, const _Atomic bool *stop)
{
    struct error e;
    struct delivery d = {.rooms = rooms, .dropped = dropped, .now_ms = now_ms, .found = true};
    int delivered = 0;
    while (d.found && (stop == NULL || !*stop) && writer_run(writer, deliver_one, &d, &e))
        delivered += d.delivered;
    return delivered;
}
