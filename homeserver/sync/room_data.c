#include "homeserver/sync/room_data.h"

#include <stdlib.h>
#include <string.h>

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

void state_keys_add(struct state_keys *keys, const struct event_row *row)
{
    text_add(&keys->keys, row->type, strlen(row->type) + 1);
    text_add(&keys->keys, row->state_key, strlen(row->state_key) + 1);
}

bool state_keys_have(const struct state_keys *keys, const char *type, const char *state_key)
{
    for (size_t i = 0; i < keys->keys.len;) {
        const char *t = keys->keys.data + i, *k = t + strlen(t) + 1;
        if (strcmp(t, type) == 0 && strcmp(k, state_key) == 0)
            return true;
        i += strlen(t) + strlen(k) + 2;
    }
    return false;
}

void state_keys_finish(struct state_keys *keys)
{
    text_finish(&keys->keys);
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
    state_keys_finish(&room->listed);
    typists_finish(&room->typists);
    receipt_rows_finish(&room->receipts);
    account_data_items_finish(&room->account_data);
    unread_tally_finish(&room->unread);
    *room = (struct room_data){0};
}
