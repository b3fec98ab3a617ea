#include "client-api/room_access.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/rooms/read/token.h"

bool room_access_school_mode(const struct request *r)
{
    return r->server->config->policy.mode == POLICY_SCHOOL;
}

bool room_access_may_know_room(struct request *r, room_no room)
{
    if (!room_access_school_mode(r))
        return true;
    return r->identity.user != 0 && gate_may_see(true, r->db, room, r->identity.user);
}

static bool open_room(struct request *r, struct room_access *reading)
{
    reading->room_id = r->params[0];
    reading->room = rooms_by_id(r->db, reading->room_id);
    if (reading->room == 0)
        return false;
    reading->visibility =
        visibility_load(r->db, room_access_school_mode(r), reading->room, r->identity.user, r->identity.user_id);
    return !visibility_is_closed(reading->visibility);
}

bool room_access_room(struct request *r, enum error_code refusal,
                      bool (*fn)(struct request *r, struct room_access *reading))
{
    struct room_access reading = {.now = writer_pos(r->server->writer)};
    db_begin_read(r->db);
    bool done = open_room(r, &reading);
    if (done) {
        ignored_load(&reading.ignored, r->db, r->server->config->server_name, r->identity.user);
        reading.render = (struct render){
            .db = r->db,
            .names = r->server->names,
            .room_id = reading.room_id,
            .now_ms = clock_wall_ms(),
            .viewer = r->identity.user,
            .device = r->identity.device,
            .visibility = reading.visibility,
            .ignored = &reading.ignored,
        };
        done = fn(r, &reading);
    } else {
        refuse(r, refusal, refusal == ERROR_NOT_FOUND ? NULL : "You are not in this room.");
    }
    ignored_finish(&reading.ignored);
    visibility_free(reading.visibility);
    db_end_read(r->db);
    return done;
}

struct event_row *room_access_event(struct request *r, const struct room_access *reading, const char *event_id)
{
    struct event_row row, *held = NULL;
    struct stmt *q = events_by_id(r->db, event_id);
    if (events_next(q, &row) && row.room == reading->room && visibility_allows(reading->visibility, row.pos))
        held = event_hold(&row);
    stmt_end(q);
    if (held == NULL)
        refuse(r, ERROR_NOT_FOUND, "The event was not found, or you may not see it.");
    return held;
}

static enum token token_said(struct request *r, const char *name, stream_pos *pos)
{
    const char *token = query_get(r, name);
    return token != NULL && *token != '\0'
               ? token_parse(token, writer_incarnations(r->server->writer), r->identity.user, pos)
               : TOKEN_LOST;
}

bool room_access_token(struct request *r, const char *name, stream_pos otherwise, stream_pos *out)
{
    *out = otherwise;
    stream_pos pos;
    enum token said = token_said(r, name, &pos);
    if (said == TOKEN_GOOD)
        *out = pos;
    return said != TOKEN_NONE ||
           error_set_field(&r->error, ERROR_INVALID_PARAM, "This is not a token of this server.", "param", name);
}

void room_access_add_token(struct request *r, struct text *out, stream_pos pos)
{
    token_add(out, writer_incarnations(r->server->writer), r->identity.user, pos);
}

void room_access_add_token_said(struct request *r, struct text *out, const char *name, stream_pos otherwise)
{
    stream_pos pos;
    if (token_said(r, name, &pos) == TOKEN_GOOD)
        text_adds(out, query_get(r, name));
    else
        room_access_add_token(r, out, otherwise);
}

bool room_access_direction(struct request *r, const char *otherwise, bool *backwards)
{
    const char *dir = query_get(r, "dir");
    if (dir == NULL)
        dir = otherwise;
    if (dir == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "dir is missing: \"b\" or \"f\".");
    *backwards = strcmp(dir, "b") == 0;
    return *backwards || strcmp(dir, "f") == 0 || refuse(r, ERROR_INVALID_PARAM, "dir must be \"b\" or \"f\".");
}

bool room_access_filter(struct request *r, struct filter **out)
{
    *out = filter_parse_events_text(query_get(r, "filter"), &r->error);
    return *out != NULL;
}
