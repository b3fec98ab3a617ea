#include "homeserver/rooms/read/members.h"

#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/store/matrix/events.h"

enum membership members_content_membership(const char *content)
{
    json_t *object = json_loads(content, 0, NULL);
    enum membership membership = membership_from(json_get_string(object, "membership"));
    json_decref(object);
    return membership;
}

static bool is_wanted(const struct members_wanted *wanted, const struct event_row *row)
{
    if (wanted->only == MEMBERSHIP_NONE && wanted->without == MEMBERSHIP_NONE)
        return true;
    enum membership membership = members_content_membership(row->content);
    return (wanted->only == MEMBERSHIP_NONE || membership == wanted->only) &&
           (wanted->without == MEMBERSHIP_NONE || membership != wanted->without);
}

void members_render(struct text *out, const struct render *how, const struct members_wanted *wanted)
{
    struct render bare = *how;
    struct event_row row;
    bool first = true;
    bare.bare = true;
    struct stmt *q = wanted->pos == INT64_MAX ? events_state_of_type(how->db, wanted->room, "m.room.member")
                                              : events_state_at(how->db, wanted->room, wanted->pos);
    text_addc(out, '[');
    while (events_next(q, &row)) {
        if (strcmp(row.type, "m.room.member") != 0 || !is_wanted(wanted, &row))
            continue;
        text_add(out, ",", first ? 0 : 1);
        render_event(out, &bare, &row);
        first = false;
    }
    text_addc(out, ']');
    stmt_end(q);
}

static void add_string_or_null(struct text *out, const json_t *value)
{
    if (json_is_string(value))
        text_add_json_string(out, json_string_value(value), json_string_length(value));
    else
        text_adds(out, "null");
}

/* false: not joined, nothing is written. */
static bool add_joined(struct text *out, const struct event_row *row, bool first)
{
    json_t *content = json_loads(row->content, 0, NULL);
    bool joined = membership_from(json_get_string(content, "membership")) == MEMBERSHIP_JOIN;
    if (joined) {
        text_add(out, ",", first ? 0 : 1);
        text_add_json(out, row->state_key);
        text_adds(out, ":{\"avatar_url\":");
        add_string_or_null(out, json_object_get(content, "avatar_url"));
        text_adds(out, ",\"display_name\":");
        add_string_or_null(out, json_object_get(content, "displayname"));
        text_addc(out, '}');
    }
    json_decref(content);
    return joined;
}

void members_render_joined(struct text *out, struct db *db, room_no room)
{
    struct event_row row;
    bool first = true;
    struct stmt *q = events_state_of_type(db, room, "m.room.member");
    text_addc(out, '{');
    while (events_next(q, &row))
        if (add_joined(out, &row, first))
            first = false;
    text_addc(out, '}');
    stmt_end(q);
}
