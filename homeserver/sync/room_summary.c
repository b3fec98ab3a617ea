#include <stdlib.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/sync.h"
#include "homeserver/sync/composing.h"

static bool says(struct room_view *view, const char *type, const char *key)
{
    char *content = events_state_content(view->c->db, view->room, type, "");
    json_t *object = content != NULL ? json_loads(content, 0, NULL) : NULL;
    const char *value = json_get_string(object, key);
    bool said = value != NULL && value[0] != '\0';
    json_decref(object);
    free(content);
    return said;
}

/* Only a room without a name of its own is called after its people. */
static void find_heroes(struct room_view *view)
{
    if (!says(view, "m.room.name", "name") && !says(view, "m.room.canonical_alias", "alias"))
        view->n_heroes = sync_heroes(view->c->db, view->room, view->c->ask->user, view->heroes, HEROES_MAX);
}

static void add_heroes(struct text *out, struct room_view *view)
{
    text_adds(out, "\"m.heroes\":[");
    for (size_t i = 0; i < view->n_heroes; ++i) {
        const char *id = user_names_get(view->c->syncer->names, view->c->db, view->heroes[i]);
        if (i != 0)
            text_addc(out, ',');
        text_add_json(out, id != NULL ? id : "");
    }
    text_adds(out, "],");
}

void room_summary_add(struct text *out, struct room_view *view)
{
    struct db *db = view->c->db;
    find_heroes(view);
    text_adds(out, "\"summary\":{");
    if (view->n_heroes != 0)
        add_heroes(out, view);
    text_adds(out, "\"m.invited_member_count\":");
    text_add_int(out, memberships_count(db, view->room, MEMBERSHIP_INVITE));
    text_adds(out, ",\"m.joined_member_count\":");
    text_add_int(out, memberships_count(db, view->room, MEMBERSHIP_JOIN));
    text_adds(out, "},");
}
