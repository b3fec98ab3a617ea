/* What relates to an event, and a room's threads (Client-Server API, "Relationships API", "Threading"). */
#include <stdlib.h>
#include <string.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/relations.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/relations.h"

#define RELATIONS_MAX 1000
#define THREADS_MAX 100

static void add_token(struct request *r, struct text *out, const char *name, stream_pos pos)
{
    text_addf(out, ",\"%s\":\"", name);
    room_access_add_token(r, out, pos);
    text_addc(out, '"');
}

static void add_event(struct text *out, const struct render *how, struct event_row *row)
{
    if (row == NULL)
        return;
    if (out->data[out->len - 1] != '[')
        text_addc(out, ',');
    render_event(out, how, row);
    free(row);
}

/* The part of positions (ascending) between the tokens, in the direction of reading. */
struct span {
    bool backwards;
    stream_pos from, to;
    size_t limit;
};

static void add_page(struct request *r, struct text *out, const struct render *how, const stream_pos *positions,
                     size_t n, const struct span *span)
{
    stream_pos after = span->backwards ? span->to : span->from, upto = span->backwards ? span->from : span->to, end = 0;
    size_t shown = 0;
    bool more = false;
    for (size_t i = 0; i < n && !more; ++i) {
        stream_pos pos = positions[span->backwards ? n - 1 - i : i];
        if (pos <= after || pos > upto)
            continue;
        more = shown == span->limit;
        if (more)
            break;
        add_event(out, how, event_at(how->db, pos));
        ++shown;
        end = span->backwards ? pos - 1 : pos;
    }
    text_addc(out, ']');
    if (more && shown != 0)
        add_token(r, out, "next_batch", end);
}

static bool page(struct request *r, struct room_access *reading, const struct relations_query *wanted)
{
    struct text out = TEXT_INIT;
    struct span span;
    int64_t limit;
    size_t n;
    if (!room_access_direction(r, "b", &span.backwards) ||
        !room_access_token(r, "from", span.backwards ? INT64_MAX : 0, &span.from) ||
        !room_access_token(r, "to", span.backwards ? 0 : INT64_MAX, &span.to) ||
        !query_int(r, "limit", 20, 1, RELATIONS_MAX, &limit))
        return false;
    span.limit = (size_t)limit;
    stream_pos *positions = relations_query_run(&reading->render, r->params[1], wanted, &n);
    text_adds(&out, "{\"chunk\":[");
    add_page(r, &out, &reading->render, positions, n, &span);
    if (query_get(r, "from") != NULL) {
        text_adds(&out, ",\"prev_batch\":\"");
        room_access_add_token_said(r, &out, "from", span.from);
        text_addc(&out, '"');
    }
    if (query_get(r, "recurse") != NULL)
        text_addf(&out, ",\"recursion_depth\":%d", wanted->recurse ? RELATIONS_QUERY_DEPTH : 1);
    text_addc(&out, '}');
    free(positions);
    return reply_text(r, &out);
}

static bool relations(struct request *r, struct room_access *reading)
{
    struct relations_query wanted = {.rel_type = r->n_params > 2 ? r->params[2] : NULL,
                                     .event_type = r->n_params > 3 ? r->params[3] : NULL};
    struct event_row *parent = room_access_event(r, reading, r->params[1]);
    bool found = parent != NULL;
    free(parent);
    return found && query_bool(r, "recurse", false, &wanted.recurse) && page(r, reading, &wanted);
}

static bool get_relations(struct request *r)
{
    return room_access_room(r, ERROR_NOT_FOUND, relations);
}

static bool took_part(const struct render *how, const char *root_id)
{
    struct relation relation;
    bool found = false;
    struct stmt *q = relations_to(how->db, root_id, INT64_MAX);
    while (!found && relations_next(q, &relation))
        found = relation.sender == how->viewer && strcmp(relation.rel_type, "m.thread") == 0 &&
                render_counts_relation(how, &relation);
    stmt_end(q);
    return found;
}

/* The root of a thread that is to be listed: heap; NULL: hidden, or not of interest. What an ignored person began is
 * shown as if it were redacted. */
static struct event_row *listed_root(const struct room_access *reading, const char *root_id, bool participated)
{
    struct event_row row, *held = NULL;
    struct stmt *q = events_by_id(reading->render.db, root_id);
    if (events_next(q, &row) && row.room == reading->room && visibility_allows(reading->visibility, row.pos) &&
        (!participated || row.sender == reading->render.viewer || took_part(&reading->render, root_id)))
        held = event_hold(&row);
    stmt_end(q);
    if (held != NULL && ignored_has(&reading->ignored, held->sender))
        held->content = "{}";
    return held;
}

static void add_threads(struct request *r, struct text *out, const struct room_access *reading, bool participated,
                        stream_pos from, size_t limit)
{
    stream_pos first, last, latest, end = 0;
    const char *root_id;
    size_t shown = 0;
    bool more = false;
    visibility_range(reading->visibility, &first, &last);
    struct stmt *q = relations_threads(reading->render.db, reading->room, last, from);
    while (!more && relations_next_thread(q, &root_id, &latest)) {
        struct event_row *root = listed_root(reading, root_id, participated);
        more = root != NULL && shown == limit;
        if (more) {
            free(root);
            break;
        }
        shown += root != NULL;
        add_event(out, &reading->render, root);
        end = latest - 1;
    }
    stmt_end(q);
    text_addc(out, ']');
    if (more)
        add_token(r, out, "next_batch", end);
}

static bool threads(struct request *r, struct room_access *reading)
{
    const char *include = query_get(r, "include");
    struct text out = TEXT_INIT;
    stream_pos from;
    int64_t limit;
    bool participated = include != NULL && strcmp(include, "participated") == 0;
    if (include != NULL && !participated && strcmp(include, "all") != 0)
        return refuse(r, ERROR_INVALID_PARAM, "include must be \"all\" or \"participated\".");
    if (!room_access_token(r, "from", INT64_MAX, &from) || !query_int(r, "limit", 20, 1, THREADS_MAX, &limit))
        return false;
    text_adds(&out, "{\"chunk\":[");
    add_threads(r, &out, reading, participated, from, (size_t)limit);
    text_addc(&out, '}');
    return reply_text(r, &out);
}

static bool get_threads(struct request *r)
{
    return room_access_room(r, ERROR_FORBIDDEN, threads);
}

#define RELATIONS_PATH "/_matrix/client/v1/rooms/{roomId}/relations/{eventId}"
static const struct route TABLE[] = {
    {HTTP_GET, RELATIONS_PATH, get_relations, ROUTE_AUTH, RATE_NONE, "getRelatingEvents"},
    {HTTP_GET, RELATIONS_PATH "/{relType}", get_relations, ROUTE_AUTH, RATE_NONE, "getRelatingEventsWithRelType"},
    {HTTP_GET, RELATIONS_PATH "/{relType}/{eventType}", get_relations, ROUTE_AUTH, RATE_NONE,
     "getRelatingEventsWithRelTypeAndEventType"},
    {HTTP_GET, "/_matrix/client/v1/rooms/{roomId}/threads", get_threads, ROUTE_AUTH, RATE_READ, "getThreadRoots"},
};
const struct routes RELATIONS_ROUTES = ROUTES(TABLE);
