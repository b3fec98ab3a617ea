#include "homeserver/push/room_facts.h"

#include <stdlib.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/pdu_row.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"

static json_t *state_content(struct db *db, room_no room, const char *type, user_no *sender)
{
    struct event_row row;
    json_t *content = NULL;
    struct stmt *q = events_state_get(db, room, type, "");
    if (events_next(q, &row)) {
        content = json_loads(row.content, 0, NULL);
        *sender = row.sender;
    }
    stmt_end(q);
    return content;
}

void room_facts_load(struct push_room *facts, struct db *db, struct user_names *names, room_no room)
{
    user_no creator = 0, ignored = 0;
    *facts = (struct push_room){.db = db, .names = names, .members = memberships_count(db, room, MEMBERSHIP_JOIN)};
    facts->create = state_content(db, room, "m.room.create", &creator);
    facts->levels = state_content(db, room, "m.room.power_levels", &ignored);
    const struct room_version *version = room_version_of(db, room);
    if (version == NULL)
        version = room_version_get(ROOM_VERSION_DEFAULT);
    power_init(&facts->power, version, user_names_get(names, db, creator), facts->create, facts->levels);
}

void room_facts_finish(struct push_room *facts)
{
    json_decref(facts->create);
    json_decref(facts->levels);
}

void room_facts_event(const struct push_room *facts, struct push_event *event, const char *room_id,
                      const struct event_row *row)
{
    const char *sender = user_names_get(facts->names, facts->db, row->sender);
    if (sender == NULL)
        sender = "";
    push_event_init(event, &(struct push_facts){
                               .type = row->type,
                               .sender = sender,
                               .room_id = room_id,
                               .event_id = row->event_id,
                               .state_key = row->state_key,
                               .content = row->content,
                               .prev_content = row->prev_content,
                               .members = facts->members,
                               .sender_power = power_of_user(&facts->power, sender),
                               .notifications = json_get_object(facts->levels, "notifications"),
                           });
}

char *room_facts_display_name(struct db *db, room_no room, const char *user_id)
{
    char *content = events_state_content(db, room, "m.room.member", user_id);
    json_t *object = content != NULL ? json_loads(content, 0, NULL) : NULL;
    const char *name = json_get_string(object, "displayname");
    char *copy = name != NULL ? xstrdup(name) : NULL;
    json_decref(object);
    free(content);
    return copy;
}
