#include "homeserver/rooms/read/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/rooms/read/filter.h"

/* The key may also stand deeper, or be text: only then the content is parsed. */
static bool has_url(const char *content)
{
    if (strstr(content, "\"url\":") == NULL)
        return false;
    json_t *object = json_loads(content, 0, NULL);
    bool has = json_object_get(object, "url") != NULL;
    json_decref(object);
    return has;
}

bool timeline_wants(const struct render *how, const struct event_filter *filter, const struct event_row *row)
{
    return filter == NULL || filter->all ||
           filter_wants(filter, row->type, user_names_get(how->names, how->db, row->sender), how->room_id,
                        filter->contains_url != FILTER_URL_ANY && has_url(row->content));
}

static bool shown(const struct render *how, const struct timeline_wanted *wanted, const struct event_row *row)
{
    return (how->visibility == NULL || visibility_allows(how->visibility, row->pos)) &&
           (row->state_key != NULL || !ignored_has(how->ignored, row->sender)) &&
           timeline_wants(how, wanted->filter, row);
}

/* Nothing outside the visible range need be read. false: nothing is left. */
static bool clamp(const struct render *how, stream_pos *after, stream_pos *upto)
{
    stream_pos first, last;
    if (how->visibility != NULL) {
        if (!visibility_range(how->visibility, &first, &last))
            return false;
        *after = *after < first - 1 ? first - 1 : *after;
        *upto = *upto > last ? last : *upto;
    }
    return *after < *upto;
}

void timeline_read(struct timeline *timeline, const struct render *how, const struct timeline_wanted *wanted)
{
    stream_pos after = wanted->after, upto = wanted->upto;
    struct event_row row;
    *timeline = (struct timeline){.end = wanted->backwards ? upto : after};
    if (!clamp(how, &after, &upto))
        return;
    struct stmt *q = (wanted->backwards ? events_shown_backwards : events_shown_forwards)(how->db, wanted->room, after,
                                                                                          upto, TIMELINE_SCAN_MAX + 1);
    for (int scanned = 0; !timeline->more && events_next_shown(q, &row); ++scanned) {
        bool show = shown(how, wanted, &row);
        timeline->more = scanned == TIMELINE_SCAN_MAX || (show && timeline->n == wanted->limit);
        if (timeline->more)
            break;
        if (show && (timeline->n & (timeline->n - 1)) == 0)
            timeline->rows =
                xrealloc(timeline->rows, (timeline->n != 0 ? timeline->n * 2 : 1) * sizeof *timeline->rows);
        if (show)
            timeline->rows[timeline->n++] = event_hold(&row);
        timeline->end = wanted->backwards ? row.pos - 1 : row.pos;
    }
    stmt_end(q);
}

void timeline_finish(struct timeline *timeline)
{
    for (size_t i = 0; i < timeline->n; ++i)
        free(timeline->rows[i]);
    free(timeline->rows);
    *timeline = (struct timeline){0};
}

void timeline_render(struct text *out, const struct render *how, const struct timeline *timeline)
{
    text_addc(out, '[');
    for (size_t i = 0; i < timeline->n; ++i) {
        if (i != 0)
            text_addc(out, ',');
        render_event(out, how, timeline->rows[i]);
    }
    text_addc(out, ']');
}

static bool seen_before(struct event_row *const *rows, size_t n, user_no sender)
{
    for (size_t i = 0; i < n; ++i)
        if (rows[i]->sender == sender)
            return true;
    return false;
}

void timeline_render_senders(struct text *out, const struct render *how, room_no room, struct event_row *const *rows,
                             size_t n, stream_pos pos)
{
    struct render bare = *how;
    struct event_row row;
    bool first = true;
    bare.bare = true;
    text_addc(out, '[');
    for (size_t i = 0; i < n; ++i) {
        const char *id =
            seen_before(rows, i, rows[i]->sender) ? NULL : user_names_get(how->names, how->db, rows[i]->sender);
        struct stmt *q = id != NULL ? events_state_get_at(how->db, room, "m.room.member", id, pos) : NULL;
        if (id != NULL && events_next(q, &row)) {
            text_add(out, ",", first ? 0 : 1);
            render_event(out, &bare, &row);
            first = false;
        }
        stmt_end(q);
    }
    text_addc(out, ']');
}

static bool lazy_leaves_out(const struct render *how, const struct event_filter *filter, const struct event_row *row,
                            struct event_row *const *rows, size_t n)
{
    if (filter == NULL || !filter->lazy_load_members || strcmp(row->type, "m.room.member") != 0)
        return false;
    for (size_t i = 0; i < n; ++i) {
        const char *id = user_names_get(how->names, how->db, rows[i]->sender);
        if (id != NULL && strcmp(id, row->state_key) == 0)
            return false;
    }
    const char *viewer = user_names_get(how->names, how->db, how->viewer);
    return viewer == NULL || strcmp(viewer, row->state_key) != 0;
}

void timeline_render_state(struct text *out, const struct render *how, room_no room, stream_pos pos,
                           const struct event_filter *filter, struct event_row *const *rows, size_t n)
{
    struct render bare = *how;
    struct event_row row;
    bool first = true;
    bare.bare = true;
    struct stmt *q = pos == INT64_MAX ? events_state_now(how->db, room) : events_state_at(how->db, room, pos);
    text_addc(out, '[');
    while (events_next(q, &row)) {
        if (!timeline_wants(how, filter, &row) || lazy_leaves_out(how, filter, &row, rows, n))
            continue;
        text_add(out, ",", first ? 0 : 1);
        render_event(out, &bare, &row);
        first = false;
    }
    text_addc(out, ']');
    stmt_end(q);
}
