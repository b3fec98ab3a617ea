#include "homeserver/rooms/gate_names.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"

#define CALLS_LOOKED_AT 300
#define FRAME_EVENTS_MAX 500 /* of a room with more memberships than that, nobody looks whether it is bare */

void gate_names_finish(struct gate_names *names)
{
    json_decref(names->poll);
    free(names->poll_id);
    names->poll = NULL;
    names->poll_id = NULL;
    json_decref(names->standing.content);
    names->standing.content = NULL;
    names->standing.read = false;
}

/* --- What stands already --- */

/* NULL: none. */
static json_t *state_now(const struct gate_names *names, room_no room, const char *type)
{
    char *text = events_state_content(names->db, room, type, "");
    json_t *content = text != NULL ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return content;
}

static bool is_in(const struct gate_names *names, room_no room)
{
    return room != 0 && memberships_of(names->db, room, names->eyes.asker) == MEMBERSHIP_JOIN;
}

/* Of a room that was made in place of another, where the asker is: that one; 0: of none. */
static room_no room_before(const struct gate_names *names)
{
    json_t *create = state_now(names, names->room, "m.room.create");
    const char *room_id = json_get_string(json_get_object(create, "predecessor"), "room_id");
    room_no room = room_id != NULL ? rooms_by_id(names->db, room_id) : 0;
    json_decref(create);
    return is_in(names, room) ? room : 0;
}

/* What else names somebody is said once, or by each of themselves. */
static bool keeps_names(const char *type)
{
    enum event_kind kind = event_kind_of(type);
    return kind == EVENT_POWER_LEVELS || kind == EVENT_JOIN_RULES;
}

/* People of power levels, rooms of join rules. */
static void add_standing(struct gate_names *names, room_no room)
{
    json_t *content = is_in(names, room) ? state_now(names, room, names->type) : NULL, *value;
    const char *key;
    size_t i;
    json_object_foreach(json_get_object(content, "users"), key, value)
        json_object_set_new(names->standing.content, key, json_true());
    json_array_foreach(json_get_array(content, "allow"), i, value) {
        const char *room_id = json_get_string(value, "room_id");
        if (room_id != NULL)
            json_object_set_new(names->standing.content, room_id, json_true());
    }
    json_decref(content);
}

static void read_standing(struct gate_names *names)
{
    if (names->standing.read)
        return;
    names->standing.read = true;
    names->standing.before = room_before(names);
    if (!keeps_names(names->type))
        return;
    names->standing.content = json_object();
    add_standing(names, names->room);
    add_standing(names, names->standing.before);
}

/* Who is in the room reads it there: that it is named once more tells nobody anything. */
static bool stands(struct gate_names *names, const char *id)
{
    if (!keeps_names(names->type))
        return false;
    read_standing(names);
    return json_object_get(names->standing.content, id) != NULL;
}

/* --- Who and what is there --- */

static room_no seen_room(struct gate_names *names, const char *room_id)
{
    const struct gate_eyes *eyes = &names->eyes;
    room_no room = rooms_by_id(names->db, room_id);
    return room == 0 || eyes->asker == 0 || stands(names, room_id) || eyes->sees_room(eyes, names->db, room) ? room : 0;
}

static bool is_invited(const struct gate_names *names, const char *user_id)
{
    const json_t *id;
    size_t i;
    json_array_foreach(names->invited, i, id)
        if (json_is_string(id) && strcmp(json_string_value(id), user_id) == 0)
            return true;
    return false;
}

/* Whoever is or was in the room, and in the one before it, stands there to be read. */
static bool was_there(struct gate_names *names, user_no user)
{
    if (memberships_of(names->db, names->room, user) != MEMBERSHIP_NONE)
        return true;
    read_standing(names);
    return names->standing.before != 0 && memberships_of(names->db, names->standing.before, user) != MEMBERSHIP_NONE;
}

static bool has_user(struct gate_names *names, const char *user_id)
{
    const struct gate_eyes *eyes = &names->eyes;
    const char *server = names->server_name != NULL ? names->server_name : id_server(user_id);
    if (is_invited(names, user_id))
        return true;
    user_no user = users_by_id(names->db, server, user_id);
    if (user == 0 || eyes->asker == 0 || user == eyes->asker)
        return user != 0;
    return stands(names, user_id) || was_there(names, user) || eyes->sees_user(eyes, names->db, user);
}

static bool has_event(struct gate_names *names, const char *room_id, const char *event_id)
{
    struct event_row row;
    room_no room = room_id != NULL ? seen_room(names, room_id) : names->room;
    struct stmt *q = events_by_id(names->db, event_id);
    bool here = events_next(q, &row) && row.room == room;
    stmt_end(q);
    return here;
}

/* NULL: there is no such event in the room, or it starts no poll. Borrowed. */
static const json_t *poll_of(struct gate_names *names, const char *event_id)
{
    struct event_row row;
    if (names->poll_id != NULL && strcmp(names->poll_id, event_id) == 0)
        return names->poll;
    json_decref(names->poll);
    free(names->poll_id);
    names->poll = NULL;
    names->poll_id = xstrdup(event_id);
    struct stmt *q = events_by_id(names->db, event_id);
    if (events_next(q, &row) && row.room == names->room && event_kind_of(row.type) == EVENT_POLL_START)
        names->poll = json_loads(row.content, 0, NULL);
    stmt_end(q);
    return names->poll;
}

static bool has_answer(const json_t *poll, const char *id)
{
    static const char *const STARTS[] = {"m.poll", "org.matrix.msc3381.poll.start", "org.matrix.msc3381.v2.poll"};
    static const char *const IDS[] = {"m.id", "id", "org.matrix.msc3381.v2.id"};
    const json_t *answer;
    size_t i;
    for (size_t s = 0; s < sizeof STARTS / sizeof *STARTS; ++s)
        json_array_foreach(json_get_array(json_get_object(poll, STARTS[s]), "answers"), i, answer)
            for (size_t k = 0; k < sizeof IDS / sizeof *IDS; ++k) {
                const char *its = json_get_string(answer, IDS[k]);
                if (its != NULL && strcmp(its, id) == 0)
                    return true;
            }
    return false;
}

static bool is_of_call(const struct event_row *row, const char *call, const char *party)
{
    if (event_kind_of(row->type) != EVENT_CALL)
        return false;
    json_t *content = json_loads(row->content, 0, NULL);
    const char *its = json_get_string(content, "call_id"), *by = json_get_string(content, "party_id");
    bool same = its != NULL && strcmp(its, call) == 0 && (party == NULL || (by != NULL && strcmp(by, party) == 0));
    json_decref(content);
    return same;
}

static bool has_call(struct gate_names *names, const char *call, const char *party)
{
    struct event_row row;
    bool found = false;
    struct stmt *q = events_backwards(names->db, names->room, 0, INT64_MAX, CALLS_LOOKED_AT);
    while (!found && events_next(q, &row))
        found = is_of_call(&row, call, party);
    stmt_end(q);
    return found;
}

bool gate_names_there(void *ctx, enum event_named what, const char *of, const char *id)
{
    struct gate_names *names = ctx;
    switch (what) {
    case NAMED_EVENT: return has_event(names, of, id);
    case NAMED_ROOM: return seen_room(names, id) != 0;
    case NAMED_ANSWER: return has_answer(poll_of(names, of), id);
    case NAMED_CALL: return has_call(names, id, NULL);
    case NAMED_PARTY: return has_call(names, of, id);
    case NAMED_USER: return has_user(names, id);
    case NAMED_STATE: break;
    }
    char *content = events_state_content(names->db, names->room, of, id);
    free(content);
    return content != NULL;
}

struct bounded {
    struct gate_names *names;
    int anew;
    bool missing;
};

/* For struct event_names. With who is not there the walk goes on, and counts. */
static bool there_or_missing(void *ctx, enum event_named what, const char *of, const char *id)
{
    struct bounded *b = ctx;
    b->anew += !is_invited(b->names, id) && !stands(b->names, id);
    if (b->anew > NAMED_ANEW_MAX)
        return false;
    b->missing = b->missing || !gate_names_there(b->names, what, of, id);
    return true;
}

bool gate_names_lasting(struct gate_names *names, const char *state_key, const json_t *content, bool *too_many)
{
    struct bounded b = {.names = names};
    const struct event_names there = {there_or_missing, &b};
    bool wordless = event_lasting_is_wordless(names->type, state_key, content, &there);
    *too_many = b.anew > NAMED_ANEW_MAX;
    return wordless && !b.missing;
}

static bool is_frame(struct gate_names *names, const struct event_row *row)
{
    const struct event_names there = {gate_names_there, names};
    json_t *content = json_loads(row->content, 0, NULL);
    bool frame = event_is_frame(row->type, row->state_key, content, &there);
    json_decref(content);
    return frame;
}

bool gate_names_worded(struct gate_names *names)
{
    struct event_row row;
    int n = 0;
    bool bare = !events_any_beside_frame(names->db, names->room);
    if (!bare)
        return true;
    struct stmt *q = events_forwards(names->db, names->room, 0, INT64_MAX, FRAME_EVENTS_MAX + 1);
    while (bare && events_next(q, &row))
        bare = ++n <= FRAME_EVENTS_MAX && is_frame(names, &row);
    stmt_end(q);
    return !bare;
}

bool gate_names_opens(const char *type, const json_t *content)
{
    const char *rule = json_get_string(content, "join_rule"), *seen = json_get_string(content, "history_visibility");
    if (type == NULL || content == NULL)
        return false;
    if (strcmp(type, "m.room.join_rules") == 0)
        return rule != NULL && strcmp(rule, "invite") != 0 && strcmp(rule, "private") != 0;
    return strcmp(type, "m.room.history_visibility") == 0 && seen != NULL && strcmp(seen, "world_readable") == 0;
}

bool gate_names_open(struct gate_names *names)
{
    static const char *const TYPES[] = {"m.room.join_rules", "m.room.history_visibility"};
    struct room_row row;
    struct stmt *q = rooms_get(names->db, names->room);
    bool open = rooms_next(q, &row) && row.published;
    stmt_end(q);
    for (size_t i = 0; !open && i < sizeof TYPES / sizeof *TYPES; ++i) {
        json_t *content = state_now(names, names->room, TYPES[i]);
        open = gate_names_opens(TYPES[i], content);
        json_decref(content);
    }
    return open;
}
