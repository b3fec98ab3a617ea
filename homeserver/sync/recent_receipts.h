/* The receipts set last, in the words of their rows, for the fast path of /sync; see base/recent.h for what a miss
 * means. Filled by receipts_mark. */
#ifndef PARTA_SYNC_RECENT_RECEIPTS_H
#define PARTA_SYNC_RECENT_RECEIPTS_H

#include "homeserver/base/recent.h"
#include "homeserver/store/matrix/receipts.h"

/* Immutable; let go with recent_item_unref. */
struct recent_receipt {
    struct recent_item item;
    struct receipt_row row; /* its strings live as long as the item */
};

void recent_receipts_add(struct recent *recent, const struct receipt_row *row); /* copies the row */

/* A reference of the caller's; NULL: it is not here. Any thread. */
struct recent_receipt *recent_receipts_get(struct recent *recent, stream_pos pos);

#endif
