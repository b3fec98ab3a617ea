#include "policy/records/returning.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/pdu/power.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/taken.h"
#include "policy/records/people.h"

/* --- In a room of people's own --- */

static bool is_peoples(struct db *db, room_no room)
{
    struct room_school of;
    return school_of_room(db, room, &of) && (of.kind == ROOM_CLUB || of.kind == ROOM_DIRECT);
}

static const char *name_of(struct roster_rooms *p, user_no user)
{
    return user_names_get(rooms_settings(p->rooms)->names, p->tx->db, user);
}

static bool opens_to_service(struct room *room, struct tx *tx)
{
    const char *rule = room_state_string(room, tx, "m.room.join_rules", "join_rule");
    return rule != NULL && (strcmp(rule, "public") == 0 || strcmp(rule, "restricted") == 0);
}

/* Who is joined and has the most power, if it is enough to invite; 0: nobody. but: not this one, 0: anybody. */
static user_no host_of(struct roster_rooms *p, struct room *room, user_no but)
{
    struct power power;
    user_no host = 0;
    room_power(room, p->tx, &power);
    int64_t most = power_level(&power, POWER_INVITE);
    const struct member_set *joined = room_joined(room, p->tx);
    for (size_t i = 0; i < joined->n; ++i) {
        const char *id = joined->users[i] != but ? name_of(p, joined->users[i]) : NULL;
        int64_t its = id != NULL ? power_of_user(&power, id) : -1;
        if (id != NULL && its >= most && (host == 0 || its > most)) {
            host = joined->users[i];
            most = its;
        }
    }
    return host;
}

/* What is refused is left: the room's own rules hold, and nothing has changed. */
static bool try(struct roster_rooms *p, struct room *room, struct membership_act act)
{
    struct error refused;
    struct appended out;
    act.actor = p->service;
    return membership_act(room, p->tx, &act, &out, &refused);
}

/* The service user's level in the room's list, when it needs one to invite; or without it.
 * sender: who may change it. */
static void set_keeper_level(struct roster_rooms *p, struct room *room, user_no sender, bool wanted)
{
    struct error refused;
    struct appended out;
    struct power power;
    const char *id = name_of(p, p->service);
    const json_t *now = room_state_content(room, p->tx, "m.room.power_levels", "");
    room_power(room, p->tx, &power);
    int64_t needed = power_level(&power, POWER_INVITE);
    bool listed = json_object_get(json_get_object(now, "users"), id) != NULL;
    if (now == NULL || (wanted ? listed || power_of_user(&power, id) >= needed : !listed))
        return;
    json_t *content = json_deep_copy(now), *users = json_get_object(content, "users");
    if (users == NULL)
        json_object_set_new(content, "users", users = json_object());
    if (wanted)
        json_object_set_new(users, id, json_integer(needed));
    else
        json_object_del(users, id);
    struct draft draft = {
        .sender = sender, .actor = p->service, .type = "m.room.power_levels", .state_key = "", .content = content};
    append_state(room, p->tx, &draft, &out, &refused);
    json_decref(content);
}

/* --- Leaving --- */

static bool is_among(const user_no *users, size_t n, user_no user)
{
    for (size_t i = 0; i < n; ++i)
        if (users[i] == user)
            return true;
    return false;
}

/* Whether somebody stays who lets the others in again; into a room that opens to the service user, anybody does. */
static bool stays_open(struct roster_rooms *p, struct room *room, const user_no *leaving, size_t n)
{
    struct power power;
    room_power(room, p->tx, &power);
    int64_t needed = opens_to_service(room, p->tx) ? INT64_MIN : power_level(&power, POWER_INVITE);
    const struct member_set *joined = room_joined(room, p->tx);
    for (size_t i = 0; i < joined->n; ++i) {
        const char *id = is_among(leaving, n, joined->users[i]) ? NULL : name_of(p, joined->users[i]);
        if (id != NULL && power_of_user(&power, id) >= needed)
            return true;
    }
    return false;
}

static void keep_open(struct roster_rooms *p, room_no no, const user_no *users, size_t n)
{
    struct room *room = is_peoples(p->tx->db, no) ? room_open(p->rooms, p->tx, no) : NULL;
    user_no host = room != NULL && !stays_open(p, room, users, n) ? host_of(p, room, 0) : 0;
    if (host == 0)
        return;
    bool in = try(p, room, (struct membership_act){.act = ACT_INVITE, .sender = host, .target = p->service}) &&
              try(p, room, (struct membership_act){.act = ACT_JOIN, .target = p->service});
    if (in)
        set_keeper_level(p, room, host, true);
}

bool returning_leave(struct roster_rooms *p, room_no room, const user_no *users, size_t n)
{
    bool good = true;
    for (size_t i = 0; i < n && good; ++i) {
        struct taken_member_row row = {room, users[i], memberships_of(p->tx->db, room, users[i])};
        if (row.membership == MEMBERSHIP_JOIN || row.membership == MEMBERSHIP_INVITE)
            good = taken_members_put(p->tx, &row);
    }
    if (good)
        keep_open(p, room, users, n);
    return good;
}

/* --- Coming back --- */

static bool come_back(struct roster_rooms *p, struct room *room, const struct taken_member_row *row)
{
    struct membership_act join = {.act = ACT_JOIN, .target = row->user};
    enum membership now = memberships_of(p->tx->db, room->no, row->user);
    if (now == MEMBERSHIP_JOIN || now == MEMBERSHIP_BAN)
        return true; /* by themselves, or somebody has decided otherwise meanwhile */
    if (row->membership == MEMBERSHIP_JOIN && opens_to_service(room, p->tx) && try(p, room, join))
        return true;
    struct membership_act invite = {.act = ACT_INVITE, .sender = host_of(p, room, 0), .target = row->user};
    struct room_school of;
    invite.is_direct = school_of_room(p->tx->db, room->no, &of) && of.kind == ROOM_DIRECT;
    if (now != MEMBERSHIP_INVITE && (invite.sender == 0 || !try(p, room, invite)))
        return false;
    return row->membership == MEMBERSHIP_INVITE || try(p, room, join);
}

/* Once one of them is there who may invite the others, the service user goes; who answered for the room does again. */
static bool hand_back(struct roster_rooms *p, room_no no)
{
    struct room *room = room_open(p->rooms, p->tx, no);
    user_no owner = taken_owner(p->tx->db, no);
    user_no host = room != NULL && is_peoples(p->tx->db, no) ? host_of(p, room, p->service) : 0;
    if (host != 0 && memberships_of(p->tx->db, no, p->service) == MEMBERSHIP_JOIN) {
        set_keeper_level(p, room, host, false);
        try(p, room, (struct membership_act){.act = ACT_LEAVE, .target = p->service});
    }
    return owner == 0 || (school_room_set(p->tx->db, no, ROOM_CLUB, owner) && taken_owner_delete(p->tx->db, no, owner));
}

static struct taken_member_row *taken_of(struct db *db, user_no user, size_t *n)
{
    struct taken_member_row *list = NULL, row;
    struct stmt *q = taken_members(db, user);
    for (*n = 0; taken_members_next(q, &row);) {
        list = xrealloc(list, (*n + 1) * sizeof *list);
        list[(*n)++] = row;
    }
    stmt_end(q);
    return list;
}

/* Those of one room. Who may invite may come after who is to be invited: again, until nobody more comes in. */
static bool return_room(struct roster_rooms *p, struct taken_member_row *rows, size_t n)
{
    bool good = true, any = false;
    struct room *room = room_open(p->rooms, p->tx, rows[0].room);
    for (bool more = room != NULL; more && good;) {
        more = false;
        for (size_t i = 0; i < n && good; ++i) {
            if (rows[i].user == 0 || !come_back(p, room, &rows[i]))
                continue;
            ++p->changelog->changes->n[ROSTER_JOINED];
            changelog_room(p->changelog, "join", '+', rows[i].user, rows[i].room);
            good = taken_members_delete(p->tx->db, rows[i].room, rows[i].user);
            rows[i].user = 0;
            any = more = true;
        }
    }
    return good && (!any || hand_back(p, rows[0].room));
}

bool returning_rooms(struct roster_rooms *p, user_no user, bool (*may)(void *arg, room_no room, user_no user),
                     void *arg)
{
    size_t n;
    bool good = true;
    struct taken_member_row *list = taken_of(p->tx->db, user, &n);
    for (size_t i = 0; i < n; ++i)
        if (!may(arg, list[i].room, list[i].user))
            list[i].user = 0;
    for (size_t i = 0, in_room; i < n && good; i += in_room) {
        for (in_room = 1; i + in_room < n && list[i + in_room].room == list[i].room; ++in_room)
            ;
        good = return_room(p, &list[i], in_room);
    }
    free(list);
    return good || error_set(p->e, ERROR_UNKNOWN, NULL);
}

/* --- Accounts --- */

bool returning_set_enabled(struct tx *tx, user_no user, bool enabled)
{
    struct user_row row;
    enum account_state state;
    users_get(tx->db, user, &row);
    enum account_state now = row.state;
    user_row_finish(&row);
    if (!enabled && (now == ACCOUNT_SUSPENDED || now == ACCOUNT_LOCKED) && !taken_state_put(tx, user, now))
        return false;
    if (!people_set_enabled(tx, user, enabled))
        return false;
    return !enabled || now == ACCOUNT_LEFT || !taken_state(tx->db, user, &state) ||
           (users_set_state(tx, user, state) && taken_state_delete(tx->db, user));
}

bool returning_close(struct tx *tx, user_no user)
{
    struct person_row person;
    people_get(tx->db, user, &person);
    bool decided = person.state == ACCOUNT_SUSPENDED || (person.state == ACCOUNT_LOCKED && person.enabled);
    enum account_state state = person.state;
    person_row_finish(&person);
    return (!decided || taken_state_put(tx, user, state)) && taken_contacts_put(tx, user);
}

/* An address that is somebody else's by now stays theirs (C3). */
bool returning_open(struct tx *tx, user_no user, enum account_state *state)
{
    struct taken_contact_row row;
    struct contact_address addresses[16];
    int64_t verified_ms[16];
    size_t n = 0;
    struct stmt *q = taken_contacts(tx->db, user);
    while (n < 16 && taken_contacts_next(q, &row))
        if (contact_medium_from(row.medium, &addresses[n].medium) &&
            strlen(row.address) < sizeof addresses[n].address) {
            strcpy(addresses[n].address, row.address);
            verified_ms[n++] = row.verified_ms;
        }
    stmt_end(q);
    for (size_t i = 0; i < n; ++i) {
        struct error refused;
        contacts_bind(tx, user, &addresses[i], 0, verified_ms[i], &refused);
    }
    *state = ACCOUNT_ACTIVE;
    return (!taken_state(tx->db, user, state) || taken_state_delete(tx->db, user)) &&
           taken_contacts_delete(tx->db, user);
}
