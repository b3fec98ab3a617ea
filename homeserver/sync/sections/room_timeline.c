/* A room's timeline: the newest events that the filter wants and the reader may see. */
#include <string.h>

#include "homeserver/rooms/read/filter.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/sync/sections/room_parts.h"

#define SCAN_MAX                                                                                                       \
    2000 /* events looked at for a filter that lets few through; beyond, the timeline counts as limited   \
                       */

/* What a redaction takes back may be the room's name. */
static void note_state(struct room_timeline *timeline, const struct event_row *row, bool told)
{
    timeline->name |= strcmp(row->type, "m.room.redaction") == 0;
    if (row->state_key == NULL)
        return;
    timeline->has_state = true;
    timeline->state_left_out |= !told;
    timeline->members |= strcmp(row->type, "m.room.member") == 0;
    timeline->name |= row->state_key[0] == '\0' &&
                      (strcmp(row->type, "m.room.name") == 0 || strcmp(row->type, "m.room.canonical_alias") == 0);
}

/* Behind which position there can be anything to see: whoever has just joined may not see what was before. */
static stream_pos first_seen(struct sync_gather *g, struct room_data *room)
{
    stream_pos first, last;
    if (room->since != 0 && room->since >= room->membership.joined_pos)
        return room->since;
    if (!visibility_range(room_visibility(g, room), &first, &last))
        return room->upto;
    stream_pos after = first - 1 > room->since ? first - 1 : room->since;
    return g->request->lost && g->request->shared > after ? g->request->shared : after;
}

/* What of the state in the stretch is told in the timeline, and what beside it, by the newest of each key. An older
 * event of what is left out ends the timeline: clients apply "state" first, so that telling it would undo what is newer
 * (of two times that one was in the room; or a filter lets through some senders only). */
struct walk {
    struct sync_gather *g;
    struct room_data *room;
    struct state_keys told, left_out;
    size_t limit, looked_at;
};

static void note_key(struct walk *w, const struct event_row *row, bool told)
{
    if (row->state_key == NULL || w->g->request->use_state_after)
        return; /* timelines are not applied to the state */
    if (told)
        state_keys_add(&w->told, row);
    else if (!state_keys_have(&w->told, row->type, row->state_key) &&
             room_event_wanted(w->g, w->room, &w->g->request->filter->state, row))
        state_keys_add(&w->left_out, row);
}

/* Newest first, until the limit is passed by one that is wanted too: that one lies before what is told. */
static void walk_stretch(struct walk *w, stream_pos after, stream_pos upto)
{
    struct event_row row;
    struct sync_gather *g = w->g;
    struct room_timeline *timeline = &w->room->timeline;
    struct stmt *q = events_shown_backwards(g->db, w->room->membership.room, after, upto, SCAN_MAX + 1);
    while (events_next_shown(q, &row)) {
        bool ignored = row.state_key == NULL && ignored_has(&g->ignored, row.sender);
        bool told = !ignored && room_event_wanted(g, w->room, &g->request->filter->timeline, &row) &&
                    room_event_seen(g, w->room, &row);
        bool undoes = told && row.state_key != NULL && state_keys_have(&w->left_out, row.type, row.state_key);
        timeline->limited = undoes || (told && timeline->events.n == w->limit) || w->looked_at++ == SCAN_MAX;
        /* What a filter leaves out counts all the same; of what somebody ignored says only a redaction does. */
        timeline->counts |= timeline->limited || !ignored || strcmp(row.type, "m.room.redaction") == 0;
        if (timeline->limited)
            break;
        note_state(timeline, &row, told);
        timeline->relations |= strstr(row.content, "\"m.relates_to\"") != NULL;
        note_key(w, &row, told);
        if (told)
            event_rows_add(&timeline->events, event_hold(&row));
    }
    stmt_end(q);
}

/* What came since one joined first: what was before is hardly ever reached, and whether it may be seen is another
 * question. */
static void walk_backwards(struct sync_gather *g, struct room_data *room, size_t limit)
{
    struct walk w = {.g = g, .room = room, .limit = limit};
    struct room_timeline *timeline = &room->timeline;
    const struct membership_row *m = &room->membership;
    stream_pos upto = room->upto;
    timeline->relations = m->membership != MEMBERSHIP_JOIN; /* later ones are not in the stretch */
    if (m->membership == MEMBERSHIP_JOIN && m->joined_pos > room->since + 1 && m->joined_pos <= upto &&
        !g->request->lost) {
        walk_stretch(&w, m->joined_pos - 1, upto);
        upto = m->joined_pos - 1;
    }
    stream_pos after = timeline->limited ? upto : first_seen(g, room);
    if (after < upto)
        walk_stretch(&w, after, upto);
    event_rows_reverse(&timeline->events);
    state_keys_finish(&w.told);
    state_keys_finish(&w.left_out);
}

/* Of a room that one is not in (any more), one's own member event may be newer than all else that one is told. */
static void add_own(struct sync_gather *g, struct room_data *room)
{
    struct event_row row;
    struct stmt *q = events_by_pos(g->db, room->membership.pos);
    if (events_next(q, &row) && room_event_wanted(g, room, &g->request->filter->timeline, &row))
        event_rows_add(&room->timeline.events, event_hold(&row));
    stmt_end(q);
}

void room_timeline_gather(struct sync_gather *g, struct room_data *room)
{
    struct room_timeline *timeline = &room->timeline;
    bool own = room->membership.pos > room->upto;
    walk_backwards(g, room, (size_t)filter_timeline_limit(g->request->filter) - own);
    if (!timeline->limited && room->since != 0)
        timeline->start = room->since;
    else
        timeline->start = timeline->events.n != 0 ? timeline->events.rows[0]->pos - 1 : room->upto;
    /* What the gap before a limited timeline holds is not looked for, however long it is: the summary is told. */
    timeline->members |= timeline->limited;
    timeline->limited |= g->request->lost || (room->fresh && g->request->since != 0 && room->since == 0);
    if (own)
        add_own(g, room);
    if (timeline->events.n != 0)
        room_visibility(g, room); /* writing asks it for the reader's membership at each event */
}
