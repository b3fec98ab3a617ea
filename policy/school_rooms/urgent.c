#include "policy/school_rooms/urgent.h"

#include <jansson.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/events/new_event.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/school/urgent_messages.h"
#include "homeserver/store/school/viewer.h"
#include "policy/audit/audit.h"
#include "policy/gate/school_gate.h"
#include "policy/rules/event_types.h"

static bool write_entry(struct rooms *rooms, struct tx *tx, const struct new_event *event, const char *reason)
{
    const struct rooms_settings *settings = rooms_settings(rooms);
    struct actor actor = {.user = event->row.sender,
                          .name = user_names_get(settings->names, tx->db, event->row.sender)};
    return audit_append(tx, settings->key,
                        &(struct audit_note){.actor = &actor,
                                             .act = "message.urgent",
                                             .school = viewer_room_school(tx->db, event->row.sender, event->room->no),
                                             .subject = json_pack("{s:s, s:s}", "room", event->room->room_id, "event",
                                                                  event->row.event_id),
                                             .reason = reason});
}

bool urgent_note(void *arg, struct tx *tx, const struct new_event *event)
{
    struct rooms *rooms = arg;
    if (!rooms_settings(rooms)->school_mode || event->row.state_key != NULL ||
        strstr(event->row.content, "\"" URGENT_KEY "\"") == NULL)
        return true;
    json_t *content = json_loads(event->row.content, 0, NULL);
    bool urgent = event_is_urgent(event->row.type, content);
    bool done = !urgent || (urgent_messages_insert(tx, event->row.pos, event->row.sender) &&
                            write_entry(rooms, tx, event, urgent_reason(content)));
    json_decref(content);
    return done;
}
