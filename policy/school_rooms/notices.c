#include "policy/school_rooms/notices.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/viewer.h"
#include "policy/audit/audit.h"
#include "policy/records/kept_room.h"
#include "policy/records/office_act.h"
#include "policy/records/roster_rooms.h"

#define NAME "Сообщения сервера · Server notices"
#define TAGGED "{\"tags\":{\"m.server_notice\":{}}}"

static bool failed(struct changing_records *c)
{
    return error_set(c->e, ERROR_UNKNOWN, NULL);
}

/* The room is of the schools that the person is of (A1); of somebody of no school, of none. */
static bool record(struct tx *tx, room_no room, void *arg)
{
    user_no owner = *(user_no *)arg;
    return school_room_record(tx->db, room, owner, ROOM_NOTICES) && school_room_narrow(tx->db, room, owner) &&
           school_room_set(tx->db, room, ROOM_NOTICES, owner);
}

static room_no create(struct changing_records *c, user_no service, user_no user)
{
    struct kept_room kept = {.kind = ROOM_NOTICES,
                             .name = NAME,
                             .history = "shared",
                             .join_rules = json_pack("{s:s}", "join_rule", "invite"),
                             .record = record,
                             .record_arg = &user};
    kept.power_levels =
        json_pack("{s:{}, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:{}}", "users", "users_default", 0, "events_default",
                  KEPT_ROOM_NOBODY, "state_default", KEPT_ROOM_NOBODY, "invite", KEPT_ROOM_NOBODY, "kick",
                  KEPT_ROOM_NOBODY, "ban", KEPT_ROOM_NOBODY, "redact", KEPT_ROOM_NOBODY, "events");
    struct room *room = kept_room_create(c->rooms, c->tx, service, &kept, c->e);
    return room != NULL ? room->no : 0;
}

/* Found or made, and the person in it or invited. NULL: *c->e. */
static struct room *room_for(struct changing_records *c, user_no service, user_no user)
{
    struct db *db = c->tx->db;
    struct appended out;
    room_no no = rooms_owned(db, user, room_kind_name(ROOM_NOTICES));
    if (no == 0 ? (no = create(c, service, user)) == 0 : !record(c->tx, no, &user) && !failed(c))
        return NULL;
    struct room *room = room_open(c->rooms, c->tx, no);
    enum membership now = memberships_of(db, no, user);
    struct membership_act invite = {.act = ACT_INVITE, .actor = service, .target = user};
    if (room == NULL || now == MEMBERSHIP_JOIN || now == MEMBERSHIP_INVITE)
        return room;
    bool asked = membership_act(room, c->tx, &invite, &out, c->e) &&
                 (account_data_put(c->tx, user, no, "m.tag", TAGGED) || failed(c));
    return asked ? room : NULL;
}

static bool has_had(struct changing_records *c, room_no room, user_no service, int most)
{
    struct event_row row;
    int n = 0;
    stream_pos first = events_at_time(c->tx->db, room, c->tx->now_ms - DAY_MS, true);
    struct stmt *q = first != 0 ? events_of_sender(c->tx->db, room, service, first - 1) : NULL;
    while (q != NULL && n < most && events_next(q, &row))
        n += row.state_key == NULL;
    stmt_end(q);
    return n == most;
}

static bool append(struct changing_records *c, struct room *room, user_no service, const char *body,
                   struct appended *out)
{
    json_auto_t *content = json_pack("{s:s, s:s, s:s, s:{}}", "msgtype", "m.server_notice", "server_notice_type",
                                     "org.parta.notice", "body", body, "m.mentions");
    struct draft draft = {.sender = service, .type = "m.room.message", .content = content};
    return append_event(room, c->tx, &draft, out, c->e);
}

static bool write_entry(struct changing_records *c, user_no user)
{
    const struct audit_note note = {.actor = c->actor,
                                    .act = "notice.send",
                                    .school = viewer_shared_school(c->tx->db, c->actor->user, user),
                                    .about = user,
                                    .subject = json_pack("{s:s}", "user", office_act_user_id(c, user))};
    return audit_append(c->tx, rooms_settings(c->rooms)->key, &note) || failed(c);
}

/* *many: they have had so many that this one is not said. false: *c->e. */
static bool say(struct changing_records *c, user_no user, const char *body, int most, struct appended *out, bool *many)
{
    struct roster_rooms rooms = {.tx = c->tx, .rooms = c->rooms, .e = c->e};
    bool begun = roster_room_begin(&rooms);
    room_no there = begun ? rooms_owned(c->tx->db, user, room_kind_name(ROOM_NOTICES)) : 0;
    *many = there != 0 && has_had(c, there, rooms.service, most);
    if (*many) /* who has left it is not asked back for nothing */
        return true;
    struct room *room = begun ? room_for(c, rooms.service, user) : NULL;
    if (room == NULL)
        return c->e->code != ERROR_NONE ? false : failed(c);
    return append(c, room, rooms.service, body, out);
}

bool notice_send(struct changing_records *c, user_no user, const char *body, char event_id[ID_BYTES_MAX + 1])
{
    struct appended out;
    size_t len = strlen(body);
    bool many;
    if (!office_act_gate(c, ACT_NOTICE, &(struct subject){.target = user}))
        return false;
    if (len == 0 || len > NOTICE_BYTES_MAX)
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "body", "A notice has 1 to 4096 bytes.");
    if (!say(c, user, body, NOTICES_A_DAY, &out, &many))
        return false;
    if (many)
        return error_set(c->e, ERROR_BOUND, "This person has had twenty notices within a day.");
    if (!write_entry(c, user))
        return false;
    memcpy(event_id, out.event_id, sizeof out.event_id);
    return true;
}

bool notice_tell(struct changing_records *c, user_no user, const char *ru, const char *en, bool *many)
{
    struct appended out;
    struct text body = TEXT_INIT;
    char *language = users_language(c->tx->db, user);
    if (language == NULL || strcmp(language, "ru") == 0)
        text_adds(&body, ru);
    if (language == NULL)
        text_adds(&body, "\n\n");
    if (language == NULL || strcmp(language, "ru") != 0)
        text_adds(&body, en);
    bool done = say(c, user, body.data, TOLD_A_DAY, &out, many);
    text_finish(&body);
    free(language);
    return done;
}
