#include "homeserver/rooms/read/summary.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"

static json_t *state(struct db *db, room_no room, const char *type)
{
    char *content = events_state_content(db, room, type, "");
    json_t *object = content != NULL ? json_loads(content, 0, NULL) : NULL;
    free(content);
    return object;
}

static bool state_says(struct db *db, room_no room, const char *type, const char *key, const char *value)
{
    json_t *content = state(db, room, type);
    const char *said = json_get_string(content, key);
    bool same = said != NULL && strcmp(said, value) == 0;
    json_decref(content);
    return same;
}

bool summary_load(struct summary *s, struct db *db, room_no room)
{
    struct room_row row;
    *s = (struct summary){.room = room};
    struct stmt *q = rooms_get(db, room);
    if (rooms_next(q, &row)) {
        s->room_id = xstrdup(row.room_id);
        s->version = xstrdup(row.version);
    }
    stmt_end(q);
    if (s->room_id == NULL)
        return false;
    s->joined = memberships_count(db, room, MEMBERSHIP_JOIN);
    s->create = state(db, room, "m.room.create");
    s->name = state(db, room, "m.room.name");
    s->topic = state(db, room, "m.room.topic");
    s->avatar = state(db, room, "m.room.avatar");
    s->alias = state(db, room, "m.room.canonical_alias");
    s->join_rules = state(db, room, "m.room.join_rules");
    s->encryption = state(db, room, "m.room.encryption");
    s->world_readable = state_says(db, room, "m.room.history_visibility", "history_visibility", "world_readable");
    s->guest_can_join = state_says(db, room, "m.room.guest_access", "guest_access", "can_join");
    return true;
}

void summary_finish(struct summary *s)
{
    json_t *contents[] = {s->create, s->name, s->topic, s->avatar, s->alias, s->join_rules, s->encryption};
    for (size_t i = 0; i < sizeof contents / sizeof *contents; ++i)
        json_decref(contents[i]);
    free(s->room_id);
    free(s->version);
    *s = (struct summary){0};
}

const char *summary_name(const struct summary *s)
{
    return json_get_string(s->name, "name");
}

const char *summary_topic(const struct summary *s)
{
    return json_get_string(s->topic, "topic");
}

const char *summary_alias(const struct summary *s)
{
    return json_get_string(s->alias, "alias");
}

const char *summary_join_rule(const struct summary *s)
{
    const char *rule = json_get_string(s->join_rules, "join_rule");
    return rule != NULL ? rule : "invite";
}

const char *summary_room_type(const struct summary *s)
{
    return json_get_string(s->create, "type");
}

static void add(struct text *out, const char *key, const char *value)
{
    if (value == NULL)
        return;
    text_addf(out, ",\"%s\":", key);
    text_add_json(out, value);
}

static bool allowed_by_rooms(const struct summary *s)
{
    const char *rule = summary_join_rule(s);
    return strcmp(rule, "restricted") == 0 || strcmp(rule, "knock_restricted") == 0;
}

/* The room that an entry of the join rule's allow list names. NULL: it is of another kind. */
static const char *allowing_room(const json_t *entry)
{
    const char *type = json_get_string(entry, "type");
    return type != NULL && strcmp(type, "m.room_membership") == 0 ? json_get_string(entry, "room_id") : NULL;
}

static void add_allowing_rooms(struct text *out, const struct summary *s)
{
    size_t i;
    json_t *entry;
    const char *before = ",\"allowed_room_ids\":[", *id;
    if (!allowed_by_rooms(s))
        return;
    json_array_foreach(json_get_array(s->join_rules, "allow"), i, entry) {
        if ((id = allowing_room(entry)) == NULL)
            continue;
        text_adds(out, before);
        text_add_json(out, id);
        before = ",";
    }
    if (strcmp(before, ",") == 0)
        text_addc(out, ']');
}

void summary_add(struct text *out, const struct summary *s, bool full)
{
    text_addf(out, "\"num_joined_members\":%lld,\"guest_can_join\":%s,\"world_readable\":%s", (long long)s->joined,
              s->guest_can_join ? "true" : "false", s->world_readable ? "true" : "false");
    add(out, "room_id", s->room_id);
    add(out, "name", summary_name(s));
    add(out, "topic", summary_topic(s));
    add(out, "canonical_alias", summary_alias(s));
    const char *picture = json_get_string(s->avatar, "url");
    if (picture != NULL && mxc_valid(picture)) /* an address elsewhere would tell it who looks (A5) */
        add(out, "avatar_url", picture);
    add(out, "join_rule", summary_join_rule(s));
    add(out, "room_type", summary_room_type(s));
    if (!full)
        return;
    add(out, "encryption", json_get_string(s->encryption, "algorithm"));
    add(out, "room_version", s->version);
    add_allowing_rooms(out, s);
}

void summary_add_unstable(struct text *out, const struct summary *s)
{
    add(out, "im.nheko.summary.encryption", json_get_string(s->encryption, "algorithm"));
    add(out, "im.nheko.summary.room_version", s->version);
    add(out, "im.nheko.summary.version", s->version);
}

static bool allowed_into(const struct summary *s, struct db *db, user_no user)
{
    size_t i;
    json_t *entry;
    if (!allowed_by_rooms(s))
        return false;
    json_array_foreach(json_get_array(s->join_rules, "allow"), i, entry) {
        const char *id = allowing_room(entry);
        room_no other = id != NULL ? rooms_by_id(db, id) : 0;
        if (other != 0 && memberships_of(db, other, user) == MEMBERSHIP_JOIN)
            return true;
    }
    return false;
}

bool summary_open_to(const struct summary *s, struct db *db, user_no user)
{
    const char *rule = summary_join_rule(s);
    enum membership membership = user != 0 ? memberships_of(db, s->room, user) : MEMBERSHIP_NONE;
    if (membership == MEMBERSHIP_BAN)
        return s->world_readable;
    return s->world_readable || membership == MEMBERSHIP_JOIN || membership == MEMBERSHIP_INVITE ||
           membership == MEMBERSHIP_KNOCK || strcmp(rule, "public") == 0 || strcmp(rule, "knock") == 0 ||
           strcmp(rule, "knock_restricted") == 0 || (user != 0 && allowed_into(s, db, user));
}
