#include "homeserver/sync/room_data.h"

#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"

void event_rows_add(struct event_rows *rows, struct event_row *row)
{
    if (rows->n == rows->cap) {
        rows->cap = rows->cap * 2 + 8;
        rows->rows = xrealloc(rows->rows, rows->cap * sizeof *rows->rows);
    }
    rows->rows[rows->n++] = row;
}

void event_rows_reverse(struct event_rows *rows)
{
    for (size_t i = 0; i < rows->n / 2; ++i) {
        struct event_row *row = rows->rows[i];
        rows->rows[i] = rows->rows[rows->n - 1 - i];
        rows->rows[rows->n - 1 - i] = row;
    }
}

bool event_rows_have(const struct event_rows *rows, stream_pos pos)
{
    for (size_t i = 0; i < rows->n; ++i)
        if (rows->rows[i]->pos == pos)
            return true;
    return false;
}

void event_rows_finish(struct event_rows *rows)
{
    for (size_t i = 0; i < rows->n; ++i)
        free(rows->rows[i]);
    free(rows->rows);
    *rows = (struct event_rows){0};
}

void room_data_finish(struct room_data *room)
{
    visibility_free(room->visibility);
    event_rows_finish(&room->timeline.events);
    event_rows_finish(&room->state);
    typists_finish(&room->typists);
    receipt_rows_finish(&room->receipts);
    account_data_items_finish(&room->account_data);
    unread_tally_finish(&room->unread);
    *room = (struct room_data){0};
}
