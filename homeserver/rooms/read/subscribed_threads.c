#include "homeserver/rooms/read/subscribed_threads.h"

#include <stdlib.h>

#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/thread_subscriptions.h"

struct page {
    struct db *db;
    const struct subscribed_threads_query *query;
    size_t n;
    struct thread_subscription_row rows[SUBSCRIBED_THREADS_MAX + 1];
    bool shown[SUBSCRIBED_THREADS_MAX + 1];
};

/* By room, so that what of a room may be read is asked once. */
static void look_at_room(struct page *page, size_t first)
{
    room_no room = page->rows[first].room;
    struct visibility *seen =
        visibility_load(page->db, page->query->school_mode, room, page->query->user, page->query->user_id);
    for (size_t i = first; i < page->n; ++i)
        if (page->rows[i].room == room)
            page->shown[i] = visibility_allows(seen, page->rows[i].root);
    visibility_free(seen);
}

/* Whether none before it is of its room and shown as it is. */
static bool begins(const struct page *page, size_t at, bool subscribed)
{
    for (size_t i = 0; i < at; ++i)
        if (page->rows[i].room == page->rows[at].room &&
            (!page->shown[at] || (page->shown[i] && (page->rows[i].state != THREAD_UNSUBSCRIBED) == subscribed)))
            return false;
    return true;
}

static void add_room(struct text *out, const struct page *page, size_t first, bool subscribed)
{
    bool any = false;
    char *room_id = rooms_id_of(page->db, page->rows[first].room);
    text_add_json(out, room_id != NULL ? room_id : "");
    text_adds(out, ":{");
    for (size_t i = first; i < page->n; ++i) {
        const struct thread_subscription_row *row = &page->rows[i];
        if (row->room != page->rows[first].room || !page->shown[i] || (row->state != THREAD_UNSUBSCRIBED) != subscribed)
            continue;
        char *root = events_id_of(page->db, row->root);
        text_adds(out, any ? "," : "");
        text_add_json(out, root != NULL ? root : "");
        text_adds(out, ":{");
        if (subscribed)
            text_adds(out, row->state == THREAD_AUTOMATIC ? "\"automatic\":true," : "\"automatic\":false,");
        text_adds(out, "\"bump_stamp\":");
        text_add_int(out, row->stamp);
        text_addc(out, '}');
        any = true;
        free(root);
    }
    text_addc(out, '}');
    free(room_id);
}

static bool add_rooms(struct text *out, const struct page *page, bool subscribed, bool comma)
{
    bool any = false;
    for (size_t i = 0; i < page->n; ++i) {
        if (!page->shown[i] || (page->rows[i].state != THREAD_UNSUBSCRIBED) != subscribed ||
            !begins(page, i, subscribed))
            continue;
        if (!any) {
            text_adds(out, comma ? "," : "");
            text_adds(out, subscribed ? "\"subscribed\":{" : "\"unsubscribed\":{");
        } else
            text_addc(out, ',');
        add_room(out, page, i, subscribed);
        any = true;
    }
    text_adds(out, any ? "}" : "");
    return any;
}

void subscribed_threads_add(struct text *out, struct db *db, const struct subscribed_threads_query *query,
                            stream_pos *rest)
{
    struct page page = {.db = db, .query = query};
    int64_t limit = query->limit < SUBSCRIBED_THREADS_MAX ? query->limit : SUBSCRIBED_THREADS_MAX;
    struct stmt *q = thread_subscriptions_newest(db, query->user, query->after, query->upto, limit + 1);
    while (page.n <= (size_t)limit && thread_subscriptions_next(q, &page.rows[page.n]))
        ++page.n;
    stmt_end(q);
    *rest = page.n > (size_t)limit ? page.rows[limit].pos : 0;
    page.n -= *rest != 0;
    for (size_t i = 0; i < page.n; ++i) {
        bool first = true;
        for (size_t k = 0; first && k < i; ++k)
            first = page.rows[k].room != page.rows[i].room;
        if (first)
            look_at_room(&page, i);
    }
    add_rooms(out, &page, false, add_rooms(out, &page, true, false));
}
