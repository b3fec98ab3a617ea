#include "homeserver/push/notifications.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/push/room_facts.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/rooms/threads.h"

/* A page in the making. */
struct page {
    struct notifications *out; /* events: the newest found so far, limit at most */
    struct db *db;
    struct user_names *names;
    const struct notifications_wanted *wanted;
    struct ignored ignored;
    stream_pos cut; /* not everything up to here was looked at */
};

/* The room at hand. */
struct room_page {
    room_no room;
    char *room_id;
    char *display_name; /* NULL: none, or the rules do not ask */
    struct push_room facts;
};

/* Behind which position there is nothing to find any more. */
static stream_pos bound(const struct page *page)
{
    const struct notifications *out = page->out;
    stream_pos last = out->n == page->wanted->limit ? out->events[out->n - 1].row->pos : 0;
    return last > page->cut ? last : page->cut;
}

/* Takes its place among those found; the oldest makes room. */
static void insert(struct page *page, const struct event_row *row, const char *actions)
{
    struct notifications *out = page->out;
    size_t at = out->n;
    if (out->n == page->wanted->limit)
        free(out->events[--at].row);
    else
        ++out->n;
    for (; at > 0 && out->events[at - 1].row->pos < row->pos; --at)
        out->events[at] = out->events[at - 1];
    out->events[at] = (struct notifications_event){.row = event_hold(row), .actions = actions};
}

static void look_at(struct page *page, const struct room_page *room, const struct event_row *row)
{
    struct push_event event;
    if (row->redacted_by != 0 || (row->state_key == NULL && ignored_has(&page->ignored, row->sender)))
        return;
    room_facts_event(&room->facts, &event, room->room_id, row);
    struct push_result result =
        push_evaluate(page->out->rules, &event, &(struct push_viewer){page->wanted->user_id, room->display_name});
    push_event_finish(&event);
    if (result.notify && (result.highlight || !page->wanted->highlights_only))
        insert(page, row, result.actions);
}

static void scan(struct page *page, const struct room_page *room, stream_pos joined_pos)
{
    struct event_row row;
    stream_pos after = bound(page);
    struct stmt *q = events_backwards(page->db, room->room, after > joined_pos ? after : joined_pos, page->wanted->upto,
                                      NOTIFICATIONS_SCAN_MAX + 1);
    for (int scanned = 0; events_next(q, &row); ++scanned) {
        if (row.pos <= bound(page))
            break;
        if (scanned == NOTIFICATIONS_SCAN_MAX)
            page->cut = row.pos;
        else
            look_at(page, room, &row);
    }
    stmt_end(q);
}

static void scan_room(struct page *page, const struct membership_row *membership)
{
    struct room_page room = {.room = membership->room, .room_id = rooms_id_of(page->db, membership->room)};
    if (room.room_id == NULL)
        return;
    if (push_rules_want_display_name(page->out->rules))
        room.display_name = room_facts_display_name(page->db, room.room, page->wanted->user_id);
    room_facts_load(&room.facts, page->db, page->names, room.room);
    scan(page, &room, membership->joined_pos);
    room_facts_finish(&room.facts);
    free(room.display_name);
    free(room.room_id);
}

/* Those that may lie below something that was not looked at belong to the next page. */
static void apply_cut(struct page *page)
{
    struct notifications *out = page->out;
    while (out->n > 0 && out->events[out->n - 1].row->pos <= page->cut)
        free(out->events[--out->n].row);
    out->next = out->n == page->wanted->limit ? out->events[out->n - 1].row->pos - 1 : page->cut;
}

static bool is_read(struct db *db, user_no user, const struct event_row *row)
{
    char root[ID_BYTES_MAX + 1];
    struct receipt_row receipt;
    bool read = false;
    const char *thread = thread_root(db, row->content, root) ? root : THREAD_MAIN;
    struct stmt *q = receipts_of_user(db, row->room, user);
    while (!read && receipts_next(q, &receipt))
        read = receipt.event_pos >= row->pos && (receipt.thread[0] == '\0' || strcmp(receipt.thread, thread) == 0);
    stmt_end(q);
    return read;
}

void notifications_read(struct notifications *notified, struct db *db, struct user_names *names,
                        const struct notifications_wanted *wanted)
{
    struct page page = {.out = notified, .db = db, .names = names, .wanted = wanted};
    struct membership_row row;
    char *stored = account_data_get(db, wanted->user, 0, PUSH_RULES_TYPE);
    *notified = (struct notifications){.rules = push_rules_compile(stored),
                                       .events = xcalloc(wanted->limit, sizeof *notified->events)};
    free(stored);
    ignored_load(&page.ignored, db, wanted->server_name, wanted->user);
    struct stmt *q = memberships_of_user(db, wanted->user);
    while (memberships_next(q, &row))
        if (row.membership == MEMBERSHIP_JOIN)
            scan_room(&page, &row);
    stmt_end(q);
    apply_cut(&page);
    for (size_t i = 0; i < notified->n; ++i)
        notified->events[i].read = is_read(db, wanted->user, notified->events[i].row);
    ignored_finish(&page.ignored);
}

void notifications_finish(struct notifications *notified)
{
    for (size_t i = 0; i < notified->n; ++i)
        free(notified->events[i].row);
    free(notified->events);
    push_rules_unref(notified->rules);
}
