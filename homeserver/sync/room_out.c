#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/sync/composing.h"
#include "homeserver/sync/receipts.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/sync/typing.h"
#include "homeserver/sync/unread.h"

static void open_room(struct text *to, const struct room_view *view)
{
    if (to->len != 0)
        text_addc(to, ',');
    text_add_json(to, view->room_id);
    text_adds(to, ":{");
}

static void add_timeline(struct text *out, struct room_view *view, const struct batch *batch)
{
    text_adds(out, "\"timeline\":{\"events\":[");
    for (size_t i = 0; i < batch->n; ++i) {
        if (i != 0)
            text_addc(out, ',');
        event_out(out, view, batch->rows[i], true);
    }
    text_adds(out, batch->limited ? "],\"limited\":true" : "],\"limited\":false");
    if (batch->base > 0) {
        text_adds(out, ",\"prev_batch\":\"");
        token_add(out, batch->base);
        text_addc(out, '"');
    }
    text_addc(out, '}');
}

/* `"state":{"events":[…]},`: whether there is any. */
static bool add_state(struct text *out, struct room_view *view, const struct batch *batch)
{
    text_adds(out, view->c->ask->use_state_after ? "\"state_after\":{\"events\":[" : "\"state\":{\"events\":[");
    size_t start = out->len;
    if (!view->stranger)
        room_state_add(out, view, batch);
    bool any = out->len != start;
    text_adds(out, "]},");
    return any;
}

static void add_ephemeral_events(struct text *out, struct room_view *view)
{
    struct composing *c = view->c;
    const struct event_filter *filter = &c->filter->ephemeral;
    stream_pos since = view->since;
    size_t start = out->len;
    if (filter_wants(filter, "m.typing", NULL, view->room_id, false))
        typing_add(c->syncer->typing, c->db, view->room, since, view->upto, out);
    if (!filter_wants(filter, "m.receipt", NULL, view->room_id, false))
        return;
    size_t before = out->len;
    add_comma(out, start);
    size_t comma = out->len;
    if (!receipts_add(c->db, c->syncer->names, view->room, c->ask->user, since, view->upto, out) && comma != before) {
        out->len = before; /* takes the comma back */
        out->data[before] = '\0';
    }
}

static bool add_ephemeral(struct text *out, struct room_view *view)
{
    struct text events = TEXT_INIT;
    add_ephemeral_events(&events, view);
    bool any = events.len != 0;
    if (any) {
        text_adds(out, ",\"ephemeral\":{\"events\":[");
        text_add(out, events.data, events.len);
        text_adds(out, "]}");
    }
    text_finish(&events);
    return any;
}

static bool add_data(struct text *out, struct room_view *view)
{
    const struct text *data = composing_data(view->c, view->room);
    if (data == NULL || data->len == 0 || !filter_wants_room_events(&view->c->filter->room_account_data, view->room_id))
        return false;
    text_adds(out, ",\"account_data\":{\"events\":[");
    text_add(out, data->data, data->len);
    text_adds(out, "]}");
    return true;
}

/* Counts go out when they may have changed: with events, and when the person has read something. */
static void add_unread(struct text *out, struct room_view *view)
{
    struct unread_tally tally;
    struct composing *c = view->c;
    struct unread_ask ask = {c->ask->user, c->ask->user_id, view->room, view->room_id, view->membership.joined_pos,
                             c->upto,      &c->ignored};
    unread_get(c->syncer->unread, c->db, &ask, &tally);
    text_addc(out, ',');
    unread_add(out, &tally, c->filter->timeline.unread_thread_notifications);
    unread_tally_finish(&tally);
}

static bool has_read(const struct room_view *view)
{
    return receipts_last_of_user(view->c->db, view->room, view->c->ask->user) > view->since;
}

void room_out_joined(struct room_view *view, bool fresh)
{
    struct batch batch;
    struct text *join = &view->c->join;
    size_t before = join->len;
    batch_collect(&batch, view);
    batch.limited |= fresh && view->c->ask->since != 0;
    open_room(join, view);
    if (view->whole || batch.members || batch.name)
        room_summary_add(join, view);
    bool news = add_state(join, view, &batch);
    add_timeline(join, view, &batch);
    news |= view->whole || batch.n != 0 || batch.limited;
    bool unread = news || has_read(view);
    news |= add_ephemeral(join, view);
    news |= add_data(join, view);
    if (unread)
        add_unread(join, view);
    text_addc(join, '}');
    if (!news && !unread)
        join->len = before;
    batch_finish(&batch);
}

void room_out_left(struct room_view *view)
{
    struct batch batch;
    struct text *leave = &view->c->leave;
    batch_collect(&batch, view);
    open_room(leave, view);
    add_state(leave, view, &batch);
    add_timeline(leave, view, &batch);
    add_data(leave, view);
    text_addc(leave, '}');
    batch_finish(&batch);
}

static user_no sender_of(struct db *db, stream_pos pos)
{
    struct event_row row;
    struct stmt *q = events_by_pos(db, pos);
    user_no sender = events_next(q, &row) ? row.sender : 0;
    stmt_end(q);
    return sender;
}

static void add_before_entry(struct text *to, struct room_view *view, const char *key)
{
    open_room(to, view);
    text_adds(to, key);
    room_state_add_stripped(to, view);
    text_adds(to, "]}}");
}

void room_out_invited(struct room_view *view)
{
    if (!ignored_has(&view->c->ignored, sender_of(view->c->db, view->membership.pos)) &&
        !ignored_every_invite(view->c->db, view->c->ask->user))
        add_before_entry(&view->c->invite, view, "\"invite_state\":{\"events\":[");
}

void room_out_knocked(struct room_view *view)
{
    add_before_entry(&view->c->knock, view, "\"knock_state\":{\"events\":[");
}
