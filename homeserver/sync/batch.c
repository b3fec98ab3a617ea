#include <stdlib.h>
#include <string.h>

#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/sync.h"
#include "homeserver/sync/composing.h"

#define LIMIT_DEFAULT 10
#define SCAN_MAX                                                                                                       \
    2000 /* events looked at for a filter that lets few through; beyond, the timeline counts as limited                \
          */

static bool is_name(const struct event_row *row)
{
    return row->state_key[0] == '\0' &&
           (strcmp(row->type, "m.room.name") == 0 || strcmp(row->type, "m.room.canonical_alias") == 0);
}

static void note_state(struct batch *batch, const struct event_row *row, bool told)
{
    if (row->state_key == NULL)
        return;
    batch->state = true;
    batch->state_left_out |= !told;
    batch->members |= strcmp(row->type, "m.room.member") == 0;
    batch->name |= is_name(row);
}

static bool wanted(struct room_view *view, const struct event_row *row)
{
    if (row->state_key == NULL && ignored_has(&view->c->ignored, row->sender))
        return false;
    return event_wanted(view, &view->c->filter->timeline, row) && event_seen(view, row);
}

static void reverse(struct batch *batch)
{
    for (size_t i = 0; i < batch->n / 2; ++i) {
        struct event_row *row = batch->rows[i];
        batch->rows[i] = batch->rows[batch->n - 1 - i];
        batch->rows[batch->n - 1 - i] = row;
    }
}

/* Behind which position there can be anything to see: whoever has just joined may not see what was before. */
static stream_pos first_seen(struct room_view *view)
{
    stream_pos first, last;
    if (view->since != 0 && view->since >= view->membership.joined_pos)
        return view->since;
    if (!visibility_range(view_visibility(view), &first, &last))
        first = view->membership.pos; /* one's own leaving is always told */
    return first - 1 > view->since ? first - 1 : view->since;
}

/* Newest first, until the limit is passed by one that is wanted too: that one lies before what is told. */
static void walk(struct batch *batch, struct room_view *view, size_t limit)
{
    struct event_row row;
    size_t looked_at = 0;
    struct stmt *q = events_backwards(view->c->db, view->room, first_seen(view), view->upto, SCAN_MAX + 1);
    while (events_next(q, &row)) {
        bool told = wanted(view, &row);
        batch->limited = (told && batch->n == limit) || looked_at++ == SCAN_MAX;
        if (batch->limited)
            break;
        note_state(batch, &row, told);
        if (told)
            batch->rows[batch->n++] = event_hold(&row);
    }
    stmt_end(q);
    reverse(batch);
}

/* What the gap before a limited timeline holds is not read for the timeline, but counts for the room's summary. */
static void note_gap(struct batch *batch, struct room_view *view)
{
    if (!batch->limited || view->whole)
        return;
    struct sync_news news = sync_room_news(view->c->db, view->room, view->since, batch->base);
    batch->members |= news.members;
    batch->name |= news.name;
}

void batch_collect(struct batch *batch, struct room_view *view)
{
    int limit = view->c->filter->timeline.limit;
    *batch = (struct batch){0};
    if (limit == 0)
        limit = LIMIT_DEFAULT;
    batch->rows = xcalloc((size_t)limit + 1, sizeof(struct event_row *));
    walk(batch, view, (size_t)limit);
    if (!batch->limited && view->since != 0)
        batch->base = view->since;
    else
        batch->base = batch->n != 0 ? batch->rows[0]->pos - 1 : view->upto;
    note_gap(batch, view);
}

void batch_finish(struct batch *batch)
{
    for (size_t i = 0; i < batch->n; ++i)
        free(batch->rows[i]);
    free(batch->rows);
}

bool batch_has(const struct batch *batch, stream_pos pos)
{
    for (size_t i = 0; i < batch->n; ++i)
        if (batch->rows[i]->pos == pos)
            return true;
    return false;
}
