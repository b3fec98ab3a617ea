#include "homeserver/sync/receipt_news.h"

#include <stdlib.h>

#include "homeserver/base/text.h"

struct receipt_news *receipt_news_create(const struct receipt_row *row, const char *room_id, struct member_set *members)
{
    struct receipt_news *news = xcalloc(1, sizeof *news);
    news->refs = 1;
    news->row = *row;
    news->row.type = xstrdup(row->type);
    news->row.thread = xstrdup(row->thread);
    news->row.event_id = xstrdup(row->event_id);
    news->room_id = xstrdup(room_id);
    news->members = members != NULL ? member_set_ref(members) : NULL;
    return news;
}

void receipt_news_unref(void *arg)
{
    struct receipt_news *news = arg;
    if (news == NULL || --news->refs != 0)
        return;
    member_set_unref(news->members);
    free(news->room_id);
    free((char *)news->row.type);
    free((char *)news->row.thread);
    free((char *)news->row.event_id);
    free(news);
}
