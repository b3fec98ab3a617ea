#include "homeserver/sync/recent_receipts.h"

#include <string.h>

/* One block: the struct, then its strings. */
void recent_receipts_add(struct recent *recent, const struct receipt_row *row)
{
    size_t type = strlen(row->type) + 1, thread = strlen(row->thread) + 1, event_id = strlen(row->event_id) + 1;
    struct recent_receipt *receipt = recent_item_create(row->pos, sizeof *receipt + type + thread + event_id);
    char *at = (char *)(receipt + 1);
    receipt->row = *row;
    receipt->row.type = memcpy(at, row->type, type);
    receipt->row.thread = memcpy(at + type, row->thread, thread);
    receipt->row.event_id = memcpy(at + type + thread, row->event_id, event_id);
    recent_add(recent, receipt);
}

struct recent_receipt *recent_receipts_get(struct recent *recent, stream_pos pos)
{
    return recent_get(recent, pos);
}
