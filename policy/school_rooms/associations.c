#include "policy/school_rooms/associations.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/base/names.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/store/school/associations.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"
#include "policy/records/kept_room.h"

static bool failed(struct changing_records *c)
{
    return error_set(c->e, ERROR_UNKNOWN, NULL);
}

static bool may(struct changing_records *c, school_no school)
{
    return school_gate(c->tx->db, rooms_settings(c->rooms)->school_mode, c->actor, ACT_ROOMS_WRITE,
                       &(struct subject){.school = school}, NULL, NULL, c->e);
}

static bool note(struct changing_records *c, const char *act, room_no room, school_no school)
{
    char *id = rooms_id_of(c->tx->db, room);
    bool done =
        audit_append(c->tx, rooms_settings(c->rooms)->key,
                     &(struct audit_note){
                         .actor = c->actor, .act = act, .school = school, .subject = json_pack("{s:s*}", "room", id)});
    free(id);
    return done || failed(c);
}

/* Whoever is in the staff room of a school that has agreed may join. */
static json_t *join_rules(struct changing_records *c, room_no room)
{
    json_t *content = kept_room_join_rules(NULL);
    struct stmt *q = associations_staff_rooms(c->tx->db, room);
    while (stmt_next(q))
        kept_room_allow(content, col_text(q, 0));
    stmt_end(q);
    return content;
}

static bool put_join_rules(struct changing_records *c, room_no no)
{
    struct room *room = room_open(c->rooms, c->tx, no);
    json_t *content = join_rules(c, no);
    struct draft draft = {.sender = users_no(c->tx->db, SERVICE_LOCALPART),
                          .type = "m.room.join_rules",
                          .state_key = "",
                          .content = content};
    struct appended out;
    bool done = room != NULL && append_state(room, c->tx, &draft, &out, c->e);
    json_decref(content);
    return done;
}

/* --- Making --- */

struct making {
    struct changing_records *c;
    school_no school;
};

static bool record(struct tx *tx, room_no room, void *arg)
{
    const struct making *m = arg;
    return school_room_set(tx->db, room, ROOM_ASSOCIATION, m->c->actor->user) &&
           associations_put(tx, room, m->school, m->c->actor->name);
}

room_no association_create(struct changing_records *c, school_no school, const char *name)
{
    struct making m = {c, school};
    user_no service = users_no(c->tx->db, SERVICE_LOCALPART);
    if (!name_valid(name, NAME_BYTES_MAX)) {
        error_set_parameter(c->e, ERROR_INVALID_PARAM, "name", NAME_SENTENCE);
        return 0;
    }
    if (!may(c, school))
        return 0;
    if (service == 0) {
        error_set(c->e, ERROR_BAD_STATE, "There is no school on this server yet: import a roster first.");
        return 0;
    }
    const struct kept_room kept = {
        .kind = ROOM_ASSOCIATION,
        .name = name,
        .history = "shared",
        .power_levels = json_pack("{s:{}, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "users", "users_default", 0,
                                  "events_default", 0, "state_default", KEPT_ROOM_NOBODY, "invite", KEPT_ROOM_NOBODY,
                                  "kick", KEPT_ROOM_NOBODY, "ban", KEPT_ROOM_NOBODY, "redact", KEPT_ROOM_NOBODY),
        .record = record,
        .record_arg = &m};
    struct room *made = kept_room_create(c->rooms, c->tx, service, &kept, c->e);
    room_no room = made != NULL ? made->no : 0;
    return room != 0 && put_join_rules(c, room) && note(c, "association.create", room, school) ? room : 0;
}

/* --- Agreeing --- */

bool association_code(struct changing_records *c, room_no room, school_no school, char code[ASSOCIATION_CODE_CHARS + 1])
{
    unsigned char hash[TOKEN_HASH_BYTES];
    if (!may(c, school))
        return false;
    if (!associations_has(c->tx->db, room, school))
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such association room.");
    random_name(code, ASSOCIATION_CODE_CHARS);
    token_hash(code, hash);
    return (association_codes_put(c->tx, hash, room, c->tx->now_ms + ASSOCIATION_CODE_DAYS * DAY_MS) || failed(c)) &&
           note(c, "association.ask", room, school);
}

room_no association_agree(struct changing_records *c, const char *code, school_no school)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    if (!may(c, school))
        return 0;
    token_hash(code, hash);
    room_no room = association_codes_take(c->tx, hash);
    if (room == 0)
        error_set(c->e, ERROR_NOT_FOUND, "This code is unknown, used or too old.");
    return room != 0 && (associations_put(c->tx, room, school, c->actor->name) || failed(c)) &&
                   put_join_rules(c, room) && note(c, "association.agree", room, school)
               ? room
               : 0;
}

/* Who is there by no school any more. */
static bool send_away(struct changing_records *c, room_no no)
{
    char day[DAY_TEXT_BYTES];
    user_no users[256];
    size_t n;
    struct membership_act kick = {.act = ACT_KICK, .actor = users_no(c->tx->db, SERVICE_LOCALPART)};
    do {
        n = 0;
        struct stmt *q = associations_strangers(c->tx->db, no, (char *)day_text(day_of_ms(c->tx->now_ms), day));
        while (n < sizeof users / sizeof *users && stmt_next(q))
            users[n++] = col_int(q, 0);
        stmt_end(q);
        for (size_t i = 0; i < n; ++i) {
            struct room *room = room_open(c->rooms, c->tx, no);
            struct appended out;
            kick.target = users[i];
            if (room == NULL || !membership_act(room, c->tx, &kick, &out, c->e))
                return false;
        }
    } while (n == sizeof users / sizeof *users);
    return true;
}

bool association_leave(struct changing_records *c, room_no room, school_no school)
{
    if (!may(c, school))
        return false;
    if (!associations_has(c->tx->db, room, school))
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such association room.");
    /* What a school asked another on, while it was in it itself, nobody agrees to afterwards (E8). */
    return ((associations_delete(c->tx, room, school) && association_codes_end(c->tx, room)) || failed(c)) &&
           send_away(c, room) && put_join_rules(c, room) && note(c, "association.leave", room, school);
}
