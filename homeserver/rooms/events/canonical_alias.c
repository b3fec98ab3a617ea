#include "homeserver/rooms/events/canonical_alias.h"

#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/driver/writer.h"

static bool names(const json_t *content, const char *alias)
{
    json_t *item;
    size_t i;
    const char *canonical = json_get_string(content, "alias");
    if (canonical != NULL && strcmp(canonical, alias) == 0)
        return true;
    json_array_foreach(json_get_array(content, "alt_aliases"), i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), alias) == 0)
            return true;
    return false;
}

static bool check(struct room *room, struct tx *tx, const json_t *before, const json_t *alias, struct error *e)
{
    if (alias == NULL || json_is_null(alias))
        return true;
    if (!json_is_string(alias) || !alias_valid(json_string_value(alias)))
        return error_set(e, ERROR_INVALID_PARAM, "This is not a room alias.");
    if (names(before, json_string_value(alias)) || aliases_creator(tx->db, json_string_value(alias), room->no) != 0)
        return true;
    return error_set(e, ERROR_BAD_ALIAS, NULL);
}

bool canonical_alias_check(struct room *room, struct tx *tx, const json_t *content, struct error *e)
{
    json_t *item;
    size_t i;
    const json_t *before = room_state_content(room, tx, "m.room.canonical_alias", "");
    const json_t *others = json_object_get(content, "alt_aliases");
    if (others != NULL && !json_is_array(others))
        return error_set(e, ERROR_BAD_JSON, "alt_aliases is not a list.");
    if (!check(room, tx, before, json_object_get(content, "alias"), e))
        return false;
    json_array_foreach(others, i, item)
        if (!check(room, tx, before, item, e))
            return false;
    return true;
}

json_t *canonical_alias_without(const json_t *content, const char *alias)
{
    json_t *item, *others = json_array();
    size_t i;
    if (!names(content, alias)) {
        json_decref(others);
        return NULL;
    }
    json_t *left = json_copy((json_t *)content);
    const char *canonical = json_get_string(content, "alias");
    if (canonical != NULL && strcmp(canonical, alias) == 0)
        json_object_del(left, "alias");
    json_array_foreach(json_get_array(content, "alt_aliases"), i, item)
        if (!json_is_string(item) || strcmp(json_string_value(item), alias) != 0)
            json_array_append(others, item);
    if (json_array_size(others) != 0)
        json_object_set(left, "alt_aliases", others);
    else
        json_object_del(left, "alt_aliases");
    json_decref(others);
    return left;
}
