/* What CHANGE_RECEIPT carries: the receipt, in memory of its own, and who is in the room. Immutable, counted. */
#ifndef PARTA_SYNC_RECEIPT_NEWS_H
#define PARTA_SYNC_RECEIPT_NEWS_H

#include "homeserver/rooms/member_set.h"
#include "homeserver/store/matrix/receipts.h"

struct receipt_news {
    _Atomic int refs;
    struct receipt_row row; /* its strings live as long as the news */
    char *room_id;
    struct member_set *members;
};

/* Copies row; members: takes a reference of its own. */
struct receipt_news *receipt_news_create(const struct receipt_row *row, const char *room_id,
                                         struct member_set *members);
void receipt_news_unref(void *news); /* NULL is accepted; void: fits struct change's release */

#endif
