#include "policy/school_rooms/documents.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/store/matrix/delayed_messages.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/records/kept_room.h"

#define NAME "Мои документы · My documents"
#define OWNER_POWER 50

static bool record(struct tx *tx, room_no room, void *arg)
{
    const user_no *owner = arg;
    return school_room_record(tx->db, room, *owner, ROOM_DOCUMENTS);
}

static struct room *create(struct rooms *rooms, struct tx *tx, user_no service, user_no owner, struct error *e)
{
    char *owner_id = users_id(tx->db, rooms_settings(rooms)->server_name, owner);
    struct kept_room kept = {.kind = ROOM_DOCUMENTS,
                             .name = NAME,
                             .history = "joined",
                             .join_rules = kept_room_join_rules(NULL),
                             .record = record,
                             .record_arg = &owner};
    /* Everything that would let others in is out of the owner's reach. */
    kept.power_levels =
        json_pack("{s:{s:i}, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:{s:i, s:i, s:i, s:i}}", "users", owner_id,
                  OWNER_POWER, "users_default", 0, "events_default", OWNER_POWER, "state_default", OWNER_POWER,
                  "invite", KEPT_ROOM_NOBODY, "kick", KEPT_ROOM_NOBODY, "ban", KEPT_ROOM_NOBODY, "redact", OWNER_POWER,
                  "events", "m.room.power_levels", KEPT_ROOM_NOBODY, "m.room.join_rules", KEPT_ROOM_NOBODY,
                  "m.room.history_visibility", KEPT_ROOM_NOBODY, "m.room.server_acl", KEPT_ROOM_NOBODY);
    free(owner_id);
    return kept_room_create(rooms, tx, service, &kept, e);
}

bool documents_ensure(void *arg, struct tx *tx, user_no user, struct error *e)
{
    struct rooms *rooms = arg;
    user_no service = users_no(tx->db, SERVICE_LOCALPART);
    if (!rooms_settings(rooms)->school_mode || service == 0 || !school_has_any(tx->db, user) ||
        rooms_owned(tx->db, user, room_kind_name(ROOM_DOCUMENTS)) != 0)
        return true;
    struct room *room = create(rooms, tx, service, user, e);
    struct membership_act join = {.act = ACT_JOIN, .actor = service, .target = user};
    struct appended out;
    return room != NULL && membership_act(room, tx, &join, &out, e);
}

static json_t *dropped_notice(const struct delayed_message *row, const struct error *why)
{
    struct text body = TEXT_INIT;
    text_adds(&body, "Ваше сообщение, которое ждало конца тихих часов, не доставлено. ");
    text_adds(&body, error_sentence(why));
    text_adds(&body, "\nYour message, which waited for the end of quiet hours, has not been delivered. ");
    text_adds(&body, why->translation != NULL ? why->translation : error_sentence(why));
    json_t *content =
        json_pack("{s:s, s:s, s:{}, s:{s:s, s:I}}", "msgtype", "m.notice", "body", body.data, "m.mentions",
                  "org.parta.dropped", "held", row->placeholder, "sent_ts", (json_int_t)row->created_ms);
    text_finish(&body);
    return content;
}

bool documents_tell(struct rooms *rooms, struct tx *tx, user_no user, const json_t *content)
{
    struct error e;
    struct appended out;
    room_no no = rooms_owned(tx->db, user, room_kind_name(ROOM_DOCUMENTS));
    bool there = no != 0 && memberships_of(tx->db, no, user) == MEMBERSHIP_JOIN;
    struct room *room = there ? room_open(rooms, tx, no) : NULL;
    struct draft draft = {
        .sender = users_no(tx->db, SERVICE_LOCALPART), .type = "m.room.message", .content = (json_t *)content};
    return room != NULL && append_event(room, tx, &draft, &out, &e);
}

void documents_tell_dropped(void *rooms, struct tx *tx, const struct delayed_message *row, const struct error *why)
{
    json_t *content = dropped_notice(row, why);
    if (!documents_tell(rooms, tx, row->sender, content))
        log_info("documents", "the sender of a dropped message is not told");
    json_decref(content);
}
