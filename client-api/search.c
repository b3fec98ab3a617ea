/* Searching what was written (Client-Server API, "Server Side Search"). */
#include <stdlib.h>
#include <string.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/read/timeline.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/search/find.h"
#include "homeserver/search/request.h"
#include "homeserver/search/search.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/user_names.h"

#define REPLY_BYTES_MAX ((size_t)4 << 20) /* then the page ends */
#define HIGHLIGHTS_MAX 50
#define HIGHLIGHT_BYTES_MAX 64

struct searching {
    struct request *r;
    struct search_request request;
    struct search_index *reader;
    struct search_found found;
    struct search_from from;
    struct render how;
    json_t *highlights;                  /* an object: each word a key */
    char *event_ids[SEARCH_RESULTS_MAX]; /* of the page: heap */
};

/* --- One result --- */

static void use_room(struct searching *s, const struct search_room *room)
{
    s->how.room_id = room->room_id;
    s->how.visibility = room->visibility;
}

static void note_highlights(json_t *highlights, const char *marked)
{
    for (const char *at = marked; at != NULL && (at = strchr(at, '\x02')) != NULL;) {
        const char *end = strchr(++at, '\x03');
        size_t len = end != NULL ? (size_t)(end - at) : 0;
        if (len != 0 && len <= HIGHLIGHT_BYTES_MAX && json_object_size(highlights) < HIGHLIGHTS_MAX) {
            char *word = xstrndup(at, len);
            json_object_set_new(highlights, word, json_true());
            free(word);
        }
        at = end;
    }
}

/* A sender's name and picture as they were then. */
static void add_profile(struct searching *s, json_t *profiles, room_no room, user_no sender, stream_pos pos)
{
    struct event_row row;
    const char *id = user_names_get(s->how.names, s->how.db, sender);
    if (id == NULL || json_object_get(profiles, id) != NULL)
        return;
    struct stmt *q = events_shown_state_get_at(s->how.db, room, "m.room.member", id, pos);
    json_t *content = events_next_shown(q, &row) ? json_loads(row.content, 0, NULL) : NULL;
    stmt_end(q);
    json_object_set_new(profiles, id,
                        json_pack("{s:s*, s:s*}", "displayname", json_get_string(content, "displayname"), "avatar_url",
                                  json_get_string(content, "avatar_url")));
    json_decref(content);
}

static void add_profiles(struct searching *s, struct text *out, room_no room, const struct timeline *before,
                         const struct event_row *event, const struct timeline *after)
{
    json_t *profiles = json_object();
    add_profile(s, profiles, room, event->sender, event->pos);
    for (size_t i = 0; i < before->n; ++i)
        add_profile(s, profiles, room, before->rows[i]->sender, event->pos);
    for (size_t i = 0; i < after->n; ++i)
        add_profile(s, profiles, room, after->rows[i]->sender, event->pos);
    text_adds(out, ",\"profile_info\":");
    json_add_canonical(out, profiles);
    json_decref(profiles);
}

static void add_context(struct searching *s, struct text *out, room_no room, const struct event_row *event)
{
    const struct search_request *request = &s->request;
    struct timeline before, after;
    struct timeline_wanted earlier = {
        .room = room, .backwards = true, .upto = event->pos - 1, .limit = request->context.before};
    struct timeline_wanted later = {
        .room = room, .after = event->pos, .upto = INT64_MAX, .limit = request->context.after};
    timeline_read(&before, &s->how, &earlier);
    timeline_read(&after, &s->how, &later);
    text_adds(out, ",\"context\":{\"events_before\":");
    timeline_render(out, &s->how, &before);
    text_adds(out, ",\"events_after\":");
    timeline_render(out, &s->how, &after);
    text_adds(out, ",\"start\":\"");
    room_access_add_token(s->r, out, before.end);
    text_adds(out, "\",\"end\":\"");
    room_access_add_token(s->r, out, after.end);
    text_addc(out, '"');
    if (request->context.profiles)
        add_profiles(s, out, room, &before, event, &after);
    text_addc(out, '}');
    timeline_finish(&before);
    timeline_finish(&after);
}

static void add_result(struct searching *s, struct text *out, size_t i)
{
    const struct search_hit *hit = &s->found.hits[s->found.first + i];
    struct event_row *event = event_at(s->how.db, hit->pos);
    int64_t rank = 0;
    if (event == NULL) /* the database failed */
        return;
    char *marked = search_found_marked(s->reader, &s->request, hit, &rank);
    note_highlights(s->highlights, marked);
    free(marked);
    s->event_ids[i] = xstrdup(event->event_id);
    use_room(s, hit->room);
    text_addf(out, "%s{\"rank\":%.3f,\"result\":", i != 0 ? "," : "", (double)rank / 1000);
    render_event(out, &s->how, event);
    if (s->request.context.wanted)
        add_context(s, out, hit->room->room, event);
    text_addc(out, '}');
    free(event);
}

static void add_results(struct searching *s, struct text *out)
{
    text_adds(out, "\"results\":[");
    for (size_t i = 0; i < s->found.n; ++i) {
        add_result(s, out, i);
        if (out->len > REPLY_BYTES_MAX && i + 1 < s->found.n)
            search_found_cut(&s->found, &s->request, s->from, i + 1);
    }
    text_addc(out, ']');
}

/* --- What stands beside them --- */

/* Whether an earlier result of the page is of the same room. */
static bool room_before(const struct search_found *found, size_t i)
{
    for (size_t k = 0; k < i; ++k)
        if (found->hits[found->first + k].room == found->hits[found->first + i].room)
            return true;
    return false;
}

static void add_state(struct searching *s, struct text *out)
{
    const struct search_found *found = &s->found;
    text_adds(out, ",\"state\":{");
    for (size_t i = 0, n = 0; i < found->n; ++i) {
        const struct search_room *room = found->hits[found->first + i].room;
        stream_pos pos = visibility_state_pos(room->visibility);
        if (room_before(found, i) || pos == 0)
            continue;
        use_room(s, room);
        text_adds(out, n++ != 0 ? "," : "");
        text_add_json(out, room->room_id);
        text_addc(out, ':');
        timeline_render_state(out, &s->how, room->room, pos, NULL, NULL, 0);
    }
    text_addc(out, '}');
}

static json_t *groups_of(struct searching *s, bool by_room)
{
    json_t *groups = json_object();
    for (size_t i = 0; i < s->found.n; ++i) {
        const struct search_hit *hit = &s->found.hits[s->found.first + i];
        const char *key = by_room ? hit->room->room_id : user_names_get(s->how.names, s->how.db, hit->sender);
        if (key == NULL || s->event_ids[i] == NULL)
            continue;
        json_t *group = json_object_get(groups, key);
        if (group == NULL) {
            group = json_pack("{s:I, s:[]}", "order", (json_int_t)json_object_size(groups), "results");
            json_object_set_new(groups, key, group);
        }
        json_array_append_new(json_object_get(group, "results"), json_string(s->event_ids[i]));
    }
    return groups;
}

static void add_groups(struct searching *s, struct text *out)
{
    json_t *groups = json_object();
    if (s->request.by_room)
        json_object_set_new(groups, "room_id", groups_of(s, true));
    if (s->request.by_sender)
        json_object_set_new(groups, "sender", groups_of(s, false));
    text_adds(out, ",\"groups\":");
    json_add_canonical(out, groups);
    json_decref(groups);
}

static void add_highlights(const struct searching *s, struct text *out)
{
    const char *word;
    json_t *value;
    const char *between = "";
    text_adds(out, ",\"highlights\":[");
    json_object_foreach(s->highlights, word, value) {
        text_adds(out, between);
        text_add_json(out, word);
        between = ",";
    }
    text_addc(out, ']');
}

static void render(struct searching *s, struct text *out)
{
    text_adds(out, "{\"search_categories\":{\"room_events\":{");
    add_results(s, out);
    text_addf(out, ",\"count\":%lld", (long long)s->found.count);
    add_highlights(s, out);
    if (s->request.state)
        add_state(s, out);
    if (s->request.by_room || s->request.by_sender)
        add_groups(s, out);
    if (s->found.more) {
        const struct token_pos next = {s->found.next.upto, s->found.next.seen};
        text_adds(out, ",\"next_batch\":\"");
        token_add_pos(out, writer_incarnations(s->r->server->writer), s->r->identity.user, s->request.identity, &next);
        text_addc(out, '"');
    }
    text_adds(out, "}}}");
}

/* --- The request --- */

/* A token is good for who was given it and for what they searched for. */
static bool read_from(struct searching *s)
{
    struct request *r = s->r;
    const char *token = query_get(r, "next_batch");
    struct token_pos pos = {.pos = writer_pos(r->server->writer)};
    if (token != NULL && token_parse_pos(token, writer_incarnations(r->server->writer), r->identity.user,
                                         s->request.identity, &pos) != TOKEN_GOOD)
        return error_set_field(&r->error, ERROR_INVALID_PARAM, "next_batch is not of this search.", "param",
                               "next_batch");
    s->from = (struct search_from){pos.pos, pos.more};
    return true;
}

static bool find_and_reply(struct searching *s)
{
    struct request *r = s->r;
    struct ignored ignored;
    struct text out = TEXT_INIT;
    db_begin_read(r->db);
    ignored_load(&ignored, r->db, r->server->config->server_name, r->identity.user);
    s->how = (struct render){.db = r->db,
                             .names = r->server->names,
                             .now_ms = clock_wall_ms(),
                             .viewer = r->identity.user,
                             .device = r->identity.device,
                             .ignored = &ignored};
    bool done = search_find(s->reader, &s->how, room_access_school_mode(r), r->identity.user_id, &s->request, s->from,
                            &s->found, &r->error);
    s->highlights = json_object();
    if (done)
        render(s, &out);
    for (size_t i = 0; i < SEARCH_RESULTS_MAX; ++i)
        free(s->event_ids[i]);
    json_decref(s->highlights);
    search_found_finish(&s->found);
    ignored_finish(&ignored);
    db_end_read(r->db);
    return done && reply_text(r, &out);
}

static bool post_search(struct request *r)
{
    json_t *categories, *room_events;
    struct searching s = {.r = r};
    if (!body_object_or_null(r, "search_categories", &categories))
        return false;
    if (categories == NULL)
        return error_set_parameter(&r->error, ERROR_MISSING_PARAM, "search_categories",
                                   "search_categories is missing.");
    room_events = json_object_get(categories, "room_events");
    if (room_events == NULL)
        return reply_json(r, json_pack("{s:{}}", "search_categories"));
    if (!search_request_parse(room_events, &s.request, &r->error))
        return false;
    bool done = read_from(&s);
    s.reader = done && r->server->search != NULL ? search_borrow(r->server->search) : NULL;
    if (done && s.reader == NULL)
        done = refuse(r, ERROR_UNAVAILABLE, "What was written cannot be searched now; the server's log says why.");
    done = done && find_and_reply(&s);
    if (s.reader != NULL)
        search_give_back(r->server->search, s.reader);
    search_request_finish(&s.request);
    return done;
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/search", post_search, ROUTE_AUTH | ROUTE_BODY, RATE_READ, "search"},
};
const struct routes SEARCH_ROUTES = ROUTES(TABLE);
