#include "homeserver/rooms/acts/upgrade_carry.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/driver/writer.h"

/* A person moving from one room to the next. */
struct move {
    struct tx *tx;
    user_no user;
    const char *user_id;
    room_no from, to;
    const char *from_id, *to_id;
};

static void carry_tags(const struct move *m)
{
    char *old = account_data_get(m->tx->db, m->user, m->from, "m.tag");
    char *own = account_data_get(m->tx->db, m->user, m->to, "m.tag");
    if (old != NULL && own == NULL)
        account_data_put(m->tx, m->user, m->to, "m.tag", old);
    free(old);
    free(own);
}

static void put_rule(const struct move *m, const char *stored, const json_t *rule)
{
    struct error ignored;
    json_t *rules = push_rules_open(stored), *body = json_pack("{s:O}", "actions", json_object_get(rule, "actions"));
    bool enabled = json_is_true(json_object_get(rule, "enabled"));
    if (push_rules_put(rules, PUSH_RULE_ROOM, m->to_id, body, &(struct push_place){0}, &ignored) &&
        push_rules_set_enabled(rules, PUSH_RULE_ROOM, m->to_id, enabled, &ignored)) {
        char *text = push_rules_close(rules, &ignored);
        if (text != NULL)
            account_data_put(m->tx, m->user, 0, PUSH_RULES_TYPE, text);
        free(text);
    }
    json_decref(body);
    json_decref(rules);
}

static void carry_push_rule(const struct move *m)
{
    char *stored = account_data_get(m->tx->db, m->user, 0, PUSH_RULES_TYPE);
    if (stored == NULL)
        return;
    json_t *whole = push_rules_whole(stored, m->user_id);
    const json_t *rule = push_rules_find(whole, PUSH_RULE_ROOM, m->from_id);
    if (rule != NULL && push_rules_find(whole, PUSH_RULE_ROOM, m->to_id) == NULL)
        put_rule(m, stored, rule);
    json_decref(whole);
    free(stored);
}

static bool holds(const json_t *list, const char *room_id)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), room_id) == 0)
            return true;
    return false;
}

static void carry_direct(const struct move *m)
{
    char *stored = account_data_get(m->tx->db, m->user, 0, "m.direct");
    json_t *direct = stored != NULL ? json_loads(stored, 0, NULL) : NULL, *list;
    const char *other;
    bool changed = false;
    json_object_foreach(direct, other, list)
        if (holds(list, m->from_id) && !holds(list, m->to_id))
            changed |= json_array_append_new(list, json_string(m->to_id)) == 0;
    char *text = changed ? json_canonical(direct) : NULL;
    if (text != NULL)
        account_data_put(m->tx, m->user, 0, "m.direct", text);
    free(text);
    json_decref(direct);
    free(stored);
}

void upgrade_carry(struct room *room, struct tx *tx, user_no user)
{
    const json_t *create = room_state_content(room, tx, "m.room.create", "");
    struct move m = {.tx = tx, .user = user, .to = room->no, .to_id = room->room_id};
    m.from_id = json_get_string(json_get_object(create, "predecessor"), "room_id");
    m.from = m.from_id != NULL ? rooms_by_id(tx->db, m.from_id) : 0;
    m.user_id = user_names_get(rooms_settings(room->rooms)->names, tx->db, user);
    if (m.from == 0 || m.from == m.to || m.user_id == NULL || memberships_of(tx->db, m.from, user) == MEMBERSHIP_NONE)
        return;
    carry_tags(&m);
    carry_push_rule(&m);
    carry_direct(&m);
}
