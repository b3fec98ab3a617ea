#include "homeserver/rooms/read/hierarchy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/summary.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"

void hierarchy_token_add(struct text *out, const struct hierarchy_token *token)
{
    text_addf(out, "h%zu_%d_%d", token->from, (int)token->max_depth, token->suggested_only);
}

/* What scanf lets pass beside (signs, spaces, zeros in front) we do not write: the token is written again. */
bool hierarchy_token_parse(const char *s, struct hierarchy_token *out)
{
    unsigned from, depth, suggested;
    struct text again = TEXT_INIT;
    if (sscanf(s, "h%6u_%3u_%1u", &from, &depth, &suggested) != 3 || from > 999999 || depth > 999)
        return false;
    *out = (struct hierarchy_token){from, depth, suggested != 0};
    hierarchy_token_add(&again, out);
    bool same = strcmp(again.data, s) == 0;
    text_finish(&again);
    return same;
}

/* A valid m.space.child event. */
struct child {
    struct event_row *row;
    char *order; /* NULL: none, or not a valid one */
};

struct children {
    struct child *at;
    size_t n;
};

/* A room that waits to be visited. */
struct place {
    room_no room;
    int64_t depth;
};

struct walk {
    const struct render *how;
    const struct hierarchy_wanted *wanted;
    struct place *stack;
    room_no *visited;
    size_t n_stack, cap_stack, n_visited;
    size_t seen; /* rooms that can be seen, so far */
    size_t shown;
    bool more;
};

static bool order_valid(const char *order)
{
    size_t len = order != NULL ? strlen(order) : 0;
    if (order == NULL || len > 50)
        return false;
    for (size_t i = 0; i < len; ++i)
        if (order[i] < 0x20 || order[i] > 0x7e)
            return false;
    return true;
}

/* Ordered children first, by their order; the others by age; at last by id ("Ordering of children within a space"). */
static int by_order(const void *a, const void *b)
{
    const struct child *x = a, *y = b;
    if ((x->order == NULL) != (y->order == NULL))
        return x->order == NULL ? 1 : -1;
    int order = x->order != NULL ? strcmp(x->order, y->order) : 0;
    if (order != 0)
        return order;
    if (x->row->ts != y->row->ts)
        return x->row->ts < y->row->ts ? -1 : 1;
    return strcmp(x->row->state_key, y->row->state_key);
}

static void take_child(struct children *children, const struct event_row *row, bool suggested_only)
{
    json_t *content = json_loads(row->content, 0, NULL);
    const char *order = json_get_string(content, "order");
    if (json_get_array(content, "via") != NULL && (!suggested_only || json_get_bool(content, "suggested", false))) {
        children->at = xrealloc(children->at, (children->n + 1) * sizeof *children->at);
        children->at[children->n++] = (struct child){event_hold(row), order_valid(order) ? xstrdup(order) : NULL};
    }
    json_decref(content);
}

static void load_children(struct children *children, const struct walk *walk, const struct summary *summary)
{
    struct event_row row;
    const char *type = summary_room_type(summary);
    *children = (struct children){0};
    if (type == NULL || strcmp(type, "m.space") != 0)
        return;
    struct stmt *q = events_state_of_type(walk->how->db, summary->room, "m.space.child");
    while (children->n < HIERARCHY_ROOMS_MAX && events_next(q, &row))
        take_child(children, &row, walk->wanted->suggested_only);
    stmt_end(q);
    if (children->n != 0)
        qsort(children->at, children->n, sizeof *children->at, by_order);
}

static void push(struct walk *walk, room_no room, int64_t depth)
{
    if (room == 0)
        return;
    if (walk->n_stack == walk->cap_stack) {
        walk->cap_stack = walk->cap_stack != 0 ? walk->cap_stack * 2 : 64;
        walk->stack = xrealloc(walk->stack, walk->cap_stack * sizeof *walk->stack);
    }
    walk->stack[walk->n_stack++] = (struct place){room, depth};
}

static bool visit_first_time(struct walk *walk, room_no room)
{
    for (size_t i = 0; i < walk->n_visited; ++i)
        if (walk->visited[i] == room)
            return false;
    walk->visited[walk->n_visited++] = room;
    return true;
}

static void show(struct text *out, struct walk *walk, const struct summary *summary, const struct children *children)
{
    text_adds(out, walk->shown++ != 0 ? ",{" : "{");
    summary_add(out, summary, true);
    text_adds(out, ",\"children_state\":[");
    for (size_t i = 0; i < children->n; ++i) {
        text_add(out, ",", i != 0);
        render_stripped(out, walk->how, children->at[i].row);
        out->len -= 1; /* the stripped event's closing brace: one more member */
        text_addf(out, ",\"origin_server_ts\":%lld}", (long long)children->at[i].row->ts);
    }
    text_adds(out, "]}");
}

static void visit(struct text *out, struct walk *walk, struct place place)
{
    struct summary summary = {0};
    struct children children;
    const struct hierarchy_wanted *wanted = walk->wanted;
    if (!visit_first_time(walk, place.room) ||
        !gate_may_see(wanted->school_mode, walk->how->db, place.room, wanted->user))
        return;
    if (summary_load(&summary, walk->how->db, place.room) && summary_open_to(&summary, walk->how->db, wanted->user)) {
        walk->more = walk->seen >= wanted->from && walk->shown == wanted->limit;
        load_children(&children, walk, &summary);
        if (!walk->more && walk->seen++ >= wanted->from)
            show(out, walk, &summary, &children);
        for (size_t i = children.n; i-- != 0 && place.depth < wanted->max_depth;)
            push(walk, rooms_by_id(walk->how->db, children.at[i].row->state_key), place.depth + 1);
        for (size_t i = 0; i < children.n; ++i) {
            free(children.at[i].row);
            free(children.at[i].order);
        }
        free(children.at);
    }
    summary_finish(&summary);
}

bool hierarchy_render(struct text *out, const struct render *how, const struct hierarchy_wanted *wanted, bool *more)
{
    struct walk walk = {.how = how, .wanted = wanted};
    size_t start = out->len;
    walk.visited = xcalloc(HIERARCHY_ROOMS_MAX, sizeof *walk.visited);
    text_addc(out, '[');
    push(&walk, wanted->root, 0);
    while (walk.n_stack != 0 && !walk.more && walk.n_visited < HIERARCHY_ROOMS_MAX)
        visit(out, &walk, walk.stack[--walk.n_stack]);
    text_addc(out, ']');
    *more = walk.more;
    free(walk.visited);
    free(walk.stack);
    if (walk.seen == 0)
        out->len = start;
    return walk.seen != 0;
}
