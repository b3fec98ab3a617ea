#include "homeserver/search/find.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/search.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/timeline.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/search/request.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/search_index.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/users.h"

struct finding {
    struct search_index *reader;
    struct render how;
    bool school_mode;
    const char *user_id;
    const struct search_request *request;
    struct search_found *out;
    user_no *senders; /* NULL: of anybody */
    size_t n_senders;
    stream_pos floor; /* below it not all was looked at */
};

/* --- Where, and of whom --- */

/* By number, as the index's rows are looked up in. */
static struct search_room *room_of(struct search_found *found, room_no room)
{
    size_t at = 0;
    SEARCH_FIRST(at, found->n_rooms, found->rooms[at].room < room);
    return at < found->n_rooms && found->rooms[at].room == room ? &found->rooms[at] : NULL;
}

static void load_visibility(struct finding *f, struct search_room *room)
{
    if (room->visibility == NULL)
        room->visibility = visibility_load(f->how.db, f->school_mode, room->room, f->how.viewer, f->user_id);
}

/* The rooms that they are or were in and have not forgotten; of those that they left, what is closed to them now is not
 * even asked for. */
static void list_rooms(struct finding *f)
{
    struct search_found *out = f->out;
    struct membership_room row;
    size_t n = 0, n_left = 0;
    bool *left = xcalloc(SEARCH_ALL_ROOMS_MAX, sizeof *left);
    out->rooms = xcalloc(SEARCH_ALL_ROOMS_MAX, sizeof *out->rooms);
    struct stmt *q = memberships_rooms_of_user(f->how.db, f->how.viewer);
    while (n < SEARCH_ALL_ROOMS_MAX && memberships_next_room(q, &row)) {
        const struct membership_row *membership = &row.membership;
        if (membership->joined_pos == 0 || membership->forgotten ||
            !filter_wants_room_events(&f->request->filter->timeline, row.room_id))
            continue;
        left[n] = membership->membership != MEMBERSHIP_JOIN;
        out->rooms[n++] = (struct search_room){.room = membership->room, .room_id = xstrdup(row.room_id)};
    }
    stmt_end(q);
    for (size_t i = 0; i < n; ++i) {
        struct search_room *room = &out->rooms[i];
        if (left[i])
            load_visibility(f, room);
        if (!left[i] || !visibility_is_closed(room->visibility)) {
            out->rooms[n_left++] = *room;
            continue;
        }
        visibility_free(room->visibility);
        free(room->room_id);
    }
    out->n_rooms = n_left;
    free(left);
}

/* A list of plain names is asked of the index; what it can't be asked, the filter says of each event. */
static void list_senders(struct finding *f)
{
    const struct filter_list *wanted = &f->request->filter->timeline.senders;
    if (!wanted->present || wanted->n_exact != wanted->n || wanted->n > SEARCH_ROOMS_MAX)
        return;
    f->senders = xcalloc(wanted->n + 1, sizeof *f->senders);
    for (size_t i = 0; i < wanted->n; ++i) {
        user_no no = users_by_id(f->how.db, user_names_server(f->how.names), wanted->items[i]);
        if (no != 0)
            f->senders[f->n_senders++] = no;
    }
}

static char *match_of(const struct search_request *request, const room_no *rooms, size_t n_rooms,
                      const user_no *senders, size_t n_senders)
{
    return search_index_match(&(struct search_index_query){.term = request->term,
                                                           .keys = request->keys,
                                                           .rooms = rooms,
                                                           .n_rooms = n_rooms,
                                                           .senders = senders,
                                                           .n_senders = n_senders});
}

/* --- Looking --- */

static bool may_be_found(struct finding *f, const struct event_row *row, struct search_room *room)
{
    load_visibility(f, room);
    f->how.room_id = room->room_id;
    return row->redacted_by == 0 && visibility_allows(room->visibility, row->pos) &&
           (row->state_key != NULL || !ignored_has(f->how.ignored, row->sender)) &&
           timeline_wants(&f->how, &f->request->filter->timeline, row);
}

static void look_at(struct finding *f, stream_pos pos, int64_t rank)
{
    struct search_found *out = f->out;
    struct event_row row;
    struct stmt *q = events_shown_at(f->how.db, pos);
    struct search_room *room = events_next_shown(q, &row) ? room_of(out, row.room) : NULL;
    if (room != NULL && may_be_found(f, &row, room)) {
        if ((out->n_hits & (out->n_hits - 1)) == 0)
            out->hits = xrealloc(out->hits, (out->n_hits != 0 ? out->n_hits * 2 : 1) * sizeof *out->hits);
        out->hits[out->n_hits++] = (struct search_hit){pos, rank, row.sender, room};
    }
    stmt_end(q);
}

/* In so many of the rooms, beginning with that one. */
static void look_in(struct finding *f, size_t at, size_t n, stream_pos upto)
{
    room_no rooms[SEARCH_ROOMS_MAX];
    stream_pos pos = 0;
    int64_t rank, looked_at = 0;
    for (size_t i = 0; i < n; ++i)
        rooms[i] = f->out->rooms[at + i].room;
    char *match = match_of(f->request, rooms, n, f->senders, f->n_senders);
    if (match == NULL)
        return;
    struct stmt *q =
        search_index_find(f->reader, match, upto + 1, f->request->by_rank, (int64_t)SEARCH_LOOKED_AT_MAX + 1);
    while (search_index_next(q, &pos, &rank))
        if (++looked_at > SEARCH_LOOKED_AT_MAX) {
            f->floor = pos > f->floor ? pos : f->floor;
            break;
        } else {
            look_at(f, pos, rank);
        }
    stmt_end(q);
    free(match);
}

static int newest_first(const void *a, const void *b)
{
    const struct search_hit *x = a, *y = b;
    return x->pos < y->pos ? 1 : x->pos > y->pos ? -1 : 0;
}

static int best_first(const void *a, const void *b)
{
    const struct search_hit *x = a, *y = b;
    return x->rank < y->rank ? 1 : x->rank > y->rank ? -1 : newest_first(a, b);
}

/* Which of what was found is the page, and where the next one begins: by rank, further down in the same list; by time,
 * below the last that was given. */
static void choose_page(struct finding *f, struct search_from from)
{
    struct search_found *out = f->out;
    size_t limit = f->request->limit, n = 0;
    while (n < out->n_hits && out->hits[n].pos > f->floor)
        ++n;
    out->n_hits = n; /* of several groups of rooms, what none has left out */
    if (f->request->by_rank) {
        qsort(out->hits, n, sizeof *out->hits, best_first);
        out->first = from.seen < (int64_t)n ? (size_t)from.seen : n;
        out->count = (int64_t)n;
    } else {
        out->count = from.seen + (int64_t)n;
    }
    out->n = n - out->first;
    out->more = !f->request->by_rank && f->floor != 0;
    out->next = (struct search_from){f->request->by_rank ? from.upto : f->floor, from.seen + (int64_t)out->n};
    if (out->n > limit)
        search_found_cut(out, f->request, from, limit);
}

void search_found_cut(struct search_found *found, const struct search_request *request, struct search_from from,
                      size_t n)
{
    found->n = n;
    found->more = true;
    found->next.seen = from.seen + (int64_t)n;
    if (!request->by_rank)
        found->next.upto = found->hits[n - 1].pos - 1;
}

bool search_find(struct search_index *reader, const struct render *how, bool school_mode, const char *user_id,
                 const struct search_request *request, struct search_from from, struct search_found *out,
                 struct error *e)
{
    struct finding f = {
        .reader = reader, .how = *how, .school_mode = school_mode, .user_id = user_id, .request = request, .out = out};
    *out = (struct search_found){0};
    list_rooms(&f);
    list_senders(&f);
    for (size_t at = 0; at < out->n_rooms; at += SEARCH_ROOMS_MAX) {
        size_t left = out->n_rooms - at;
        look_in(&f, at, left < SEARCH_ROOMS_MAX ? left : SEARCH_ROOMS_MAX, from.upto);
    }
    free(f.senders);
    if (out->n_hits != 0)
        qsort(out->hits, out->n_hits, sizeof *out->hits, newest_first);
    choose_page(&f, from);
    return !search_index_failed(reader) || error_set(e, ERROR_UNKNOWN, NULL);
}

void search_found_finish(struct search_found *found)
{
    for (size_t i = 0; i < found->n_rooms; ++i) {
        visibility_free(found->rooms[i].visibility);
        free(found->rooms[i].room_id);
    }
    free(found->rooms);
    free(found->hits);
    *found = (struct search_found){0};
}

char *search_found_marked(struct search_index *reader, const struct search_request *request,
                          const struct search_hit *hit, int64_t *rank)
{
    char *match = match_of(request, &hit->room->room, 1, NULL, 0);
    char *marked = search_index_marked(reader, match, hit->pos, rank);
    free(match);
    return marked;
}
