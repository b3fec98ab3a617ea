#include "policy/records/roster_rooms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/acts/bulk_join.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/school/roster_members.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/records/kept_room.h"
#include "policy/records/set_diff.h"
#include "policy/rules/event_types.h"

#define NOBODY KEPT_ROOM_NOBODY

/* What each kind of room looks like (E1, E3, E6). Whether somebody may write in the library is the rules' to say. */
static const struct {
    const char *name[SCHOOL_LANGUAGE__COUNT]; /* %s: the school's name, or the class's title */
    /* In which space it stands; ROOM_FREE: in none. A space tells all who are in it which rooms stand there: in the
     * school's only what everybody there may enter or know of. */
    enum room_kind in;
    const char *order; /* there, before what begins with a later letter */
    int speak, state;  /* power to send messages; to change what is not the service user's alone */
    bool open;         /* who is in the space may join by themselves */
    unsigned plain;    /* enum school_role: who is there without a power by post (store/school/roster_members.c) */
} KINDS[ROOM_KIND__COUNT] = {
    [ROOM_SCHOOL_SPACE] = {{"%s", "%s"}, ROOM_FREE, "", NOBODY, NOBODY},
    [ROOM_ANNOUNCEMENTS] = {{"Объявления. %s", "Announcements. %s"}, ROOM_SCHOOL_SPACE, "a", 50, 50},
    [ROOM_STAFF] = {{"Учительская. %s", "Staff room. %s"}, ROOM_FREE, "", 0, 50, .plain = ROLES_STAFF | ROLE_EXTERNAL},
    [ROOM_CLASS_SPACE] = {{"Класс %s", "Class %s"}, ROOM_SCHOOL_SPACE, "c", NOBODY, NOBODY},
    [ROOM_SUBJECT] = {{"%s", "%s"}, ROOM_FREE, "", 0, 50, .plain = ROLE_PUPIL | ROLE_EXTERNAL},
    [ROOM_LIBRARY] =
        {{"Библиотека. %s", "Library. %s"}, ROOM_SCHOOL_SPACE, "e", 0, NOBODY, .open = true, .plain = ROLES_EVERYBODY},
    [ROOM_CLASS] = {{"%s", "%s"}, ROOM_CLASS_SPACE, "a", 0, 50, .plain = ROLE_PUPIL | ROLE_EXTERNAL},
    [ROOM_GUARDIANS] =
        {{"%s: родители", "%s: parents"}, ROOM_CLASS_SPACE, "b", 0, 50, .plain = ROLE_GUARDIAN | ROLE_EXTERNAL},
    [ROOM_ARCHIVE] = {.speak = NOBODY, .state = NOBODY},
};

/* A room to be: of a school, perhaps of one of its classes. */
struct wanted_room {
    enum room_kind kind;
    school_no school;
    class_no class;
    const char *called;
    room_no space; /* the room it stands in; 0: none */
    bool renamed;  /* its name may have changed */
};

/* The policy in force in the school; 0: the server's own. */
static const struct school_policy *policy_of(struct roster_rooms *p, school_no school)
{
    if (!p->policy_asked || p->policy_of != school) {
        policies_in_force(p->tx->db, school, &p->policy);
        p->policy_asked = true;
        p->policy_of = school;
    }
    return &p->policy;
}

static char *room_name(struct roster_rooms *p, const struct wanted_room *of)
{
    struct text name = TEXT_INIT;
    const char *pattern = KINDS[of->kind].name[policy_of(p, of->school)->language], *gap = strstr(pattern, "%s");
    text_add(&name, pattern, (size_t)(gap - pattern));
    text_adds(&name, of->called);
    text_adds(&name, gap + 2);
    return text_take(&name);
}

static bool database_failed(struct roster_rooms *p)
{
    return error_set(p->e, ERROR_UNKNOWN, NULL);
}

static bool append(struct roster_rooms *p, struct room *room, const char *type, const char *state_key, json_t *content)
{
    struct draft draft = {.sender = p->service, .type = type, .state_key = state_key, .content = content};
    struct appended out;
    bool done = room != NULL && append_state(room, p->tx, &draft, &out, p->e);
    json_decref(content);
    return done || (room == NULL && database_failed(p));
}

bool roster_room_begin(struct roster_rooms *p)
{
    struct user_row row;
    bool there = users_find(p->tx->db, SERVICE_LOCALPART, &row), good = !there || row.service;
    p->service = there ? row.no : 0;
    user_row_finish(&row);
    if (!good)
        return error_set(p->e, ERROR_USER_IN_USE,
                         "The server's own user name \"" SERVICE_LOCALPART "\" is a person's.");
    if (there)
        return true;
    p->service = users_insert_service(p->tx, SERVICE_LOCALPART);
    return (p->service != 0 && profiles_put(p->tx, p->service, "displayname", "\"Parta\"")) || database_failed(p);
}

/* --- Powers (E3) --- */

/* What the school's policy says of a kind of room, for clients. F4, the power that starting a poll needs: levels know
 * no roles, and where the school lets somebody who has no power by post, everybody is offered it, and the rules refuse
 * the others. E9: who has the post turns encryption on where it is not forbidden. */
static struct roster_room_levels levels_of(struct roster_rooms *p, enum room_kind kind, school_no school)
{
    const struct school_policy *policy = policy_of(p, school);
    int speak = KINDS[kind].speak;
    bool forbidden = policy->encryption[kind] == ENCRYPTION_FORBIDDEN;
    return (struct roster_room_levels){.polls = (KINDS[kind].plain & policy->polls) != 0 || speak > 50 ? speak : 50,
                                       .encryption = forbidden ? NOBODY : KINDS[kind].state};
}

/* The levels of a kind of room; nobody but the service user reaches NOBODY. users: taken. */
static json_t *power_levels(enum room_kind kind, const struct roster_room_levels *levels, json_t *users)
{
    json_t *events =
        json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "m.room.name", NOBODY, "m.room.power_levels",
                  NOBODY, "m.room.join_rules", NOBODY, "m.room.history_visibility", NOBODY, "m.room.guest_access",
                  NOBODY, "m.room.server_acl", NOBODY, "m.room.encryption", levels->encryption,
                  "m.room.canonical_alias", NOBODY, "m.space.child", NOBODY, "m.space.parent", NOBODY);
    const char *type;
    for (size_t i = 0; (type = event_type_of(EVENT_POLL_START, i)) != NULL; ++i)
        json_object_set_new(events, type, json_integer(levels->polls));
    int redact = kind == ROOM_ARCHIVE ? NOBODY : 50;
    return json_pack("{s:o, s:i, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:{s:i}}", "users", users, "users_default", 0,
                     "events", events, "events_default", KINDS[kind].speak, "state_default", KINDS[kind].state, "ban",
                     NOBODY, "kick", NOBODY, "invite", NOBODY, "redact", redact, "notifications", "room", 50);
}

static bool put_levels(struct roster_rooms *p, struct room *room, const struct room_school *of, json_t *users)
{
    const struct roster_room_levels levels = levels_of(p, of->kind, of->school);
    json_t *content = power_levels(of->kind, &levels, users);
    kept_room_complete_levels(p->rooms, room->version, content);
    return append(p, room, "m.room.power_levels", "", content) &&
           (roster_rooms_set_levels(p->tx->db, room->no, &levels) || database_failed(p));
}

bool roster_room_powers(struct roster_rooms *p, room_no no)
{
    struct room_school of;
    struct room *room = room_open(p->rooms, p->tx, no);
    if (room == NULL || !school_of_room(p->tx->db, no, &of))
        return database_failed(p);
    ++p->changelog->changes->n[ROSTER_POWERS];
    changelog_room(p->changelog, "powers", '=', 0, no);
    json_t *users = json_object();
    struct stmt *q = roster_members_powers(p->tx->db, no);
    while (stmt_next(q)) {
        char id[ID_BYTES_MAX + 1];
        snprintf(id, sizeof id, "@%s:%s", col_text(q, 0), rooms_settings(p->rooms)->server_name);
        json_object_set_new(users, id, json_integer(col_int(q, 1)));
    }
    stmt_end(q);
    return put_levels(p, room, &of, users);
}

bool roster_room_levels(struct roster_rooms *p, school_no school)
{
    struct diff_set stale = {0};
    struct roster_room_row row;
    struct roster_room_levels said;
    bool good = true;
    struct stmt *q = roster_rooms_levels(p->tx->db, school);
    while (roster_rooms_next_levels(q, &row, &said)) {
        const struct roster_room_levels wanted = levels_of(p, row.kind, row.school);
        if (said.polls != wanted.polls || said.encryption != wanted.encryption)
            diff_set_add(&stale, (struct diff_row){.a = row.room});
    }
    stmt_end(q);
    for (size_t i = 0; i < stale.n && good; ++i)
        good = roster_room_powers(p, stale.rows[i].a);
    diff_set_finish(&stale);
    return good;
}

/* --- Rooms (E1) --- */

static bool record_school(struct tx *tx, room_no room, void *arg)
{
    const struct wanted_room *of = arg;
    if (of->kind == ROOM_LIBRARY)
        return library_put(tx->db, room, of->school);
    return roster_rooms_put(tx->db, &(struct roster_room_row){room, of->kind, of->school, of->class});
}

static struct room *create(struct roster_rooms *p, struct wanted_room *of)
{
    const struct roster_room_levels levels = levels_of(p, of->kind, of->school);
    char *name = room_name(p, of), *space = of->space != 0 ? rooms_id_of(p->tx->db, of->space) : NULL;
    const struct kept_room kept = {.kind = of->kind,
                                   .name = name,
                                   .history = "shared",
                                   .space = space,
                                   .join_rules = kept_room_join_rules(KINDS[of->kind].open ? space : NULL),
                                   .power_levels = power_levels(of->kind, &levels, json_object()),
                                   .record = record_school,
                                   .record_arg = of};
    struct room *room = kept_room_create(p->rooms, p->tx, p->service, &kept, p->e);
    free(name);
    free(space);
    if (room != NULL && !roster_rooms_set_levels(p->tx->db, room->no, &levels) && !database_failed(p))
        return NULL;
    return room;
}

static bool put_in_space(struct roster_rooms *p, const struct wanted_room *of, const char *room_id)
{
    json_t *content =
        json_pack("{s:[s], s:s}", "via", rooms_settings(p->rooms)->server_name, "order", KINDS[of->kind].order);
    if (KINDS[of->kind].open)
        json_object_set_new(content, "suggested", json_true());
    return append(p, room_open(p->rooms, p->tx, of->space), "m.space.child", room_id, content);
}

/* Makes the room if it is not there. Returns its number, 0: *p->e. */
static room_no make(struct roster_rooms *p, struct wanted_room *of)
{
    struct room *room = create(p, of);
    if (room == NULL)
        return 0;
    room_no no = room->no;
    ++p->changelog->changes->n[ROSTER_ROOMS_NEW];
    changelog_room(p->changelog, "room", '+', 0, no);
    if (of->space == 0)
        return no;
    char *room_id = xstrdup(room->room_id); /* opening the space may drop the room from memory */
    bool done = put_in_space(p, of, room_id);
    free(room_id);
    return done ? no : 0;
}

static bool rename_room(struct roster_rooms *p, room_no no, const struct wanted_room *of)
{
    struct room *room = room_open(p->rooms, p->tx, no);
    char *name = room_name(p, of);
    const char *now = room != NULL ? room_state_string(room, p->tx, "m.room.name", "name") : NULL;
    bool same = now != NULL && strcmp(now, name) == 0, done = true;
    if (!same) {
        done = append(p, room, "m.room.name", "", json_pack("{s:s}", "name", name));
        ++p->changelog->changes->n[ROSTER_ROOMS_RENAMED];
        changelog_room(p->changelog, "room name", '=', 0, no);
    }
    free(name);
    return done;
}

/* The room that is wanted: found, renamed or made. 0: *p->e. */
static room_no ensure_room(struct roster_rooms *p, struct wanted_room of)
{
    room_no no = of.kind == ROOM_LIBRARY ? library_find(p->tx->db, of.school)
                                         : roster_rooms_find(p->tx->db, of.school, of.class, of.kind);
    if (KINDS[of.kind].in == ROOM_FREE)
        of.space = 0;
    if (no == 0)
        return make(p, &of);
    return !of.renamed || rename_room(p, no, &of) ? no : 0;
}

/* The first is the space of the others. */
static bool ensure_rooms(struct roster_rooms *p, struct wanted_room of, const enum room_kind *kinds, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        of.kind = kinds[i];
        room_no no = ensure_room(p, of);
        if (no == 0)
            return false;
        if (i == 0)
            of.space = no;
    }
    return true;
}

/* Staff rooms and subject groups stood in the school's space once, as rooms that most there could not enter. */
static bool take_out(struct roster_rooms *p, room_no space, room_no child)
{
    char *space_id = rooms_id_of(p->tx->db, space), *child_id = rooms_id_of(p->tx->db, child);
    bool done = append(p, room_open(p->rooms, p->tx, space), "m.space.child", child_id, json_object()) &&
                append(p, room_open(p->rooms, p->tx, child), "m.space.parent", space_id, json_object());
    free(space_id);
    free(child_id);
    return done;
}

static bool tidy_space(struct roster_rooms *p, school_no school)
{
    struct diff_set out = {0};
    struct event_row row;
    struct room_school of;
    struct error ignored;
    room_no space = roster_rooms_find(p->tx->db, school, 0, ROOM_SCHOOL_SPACE);
    bool good = true;
    struct stmt *q = events_state_of_type(p->tx->db, space, "m.space.child");
    while (events_next(q, &row)) {
        json_t *content = json_parse(row.content, strlen(row.content), &ignored);
        room_no child = json_get_array(content, "via") != NULL ? rooms_by_id(p->tx->db, row.state_key) : 0;
        if (child != 0 && school_of_room(p->tx->db, child, &of) && KINDS[of.kind].in == ROOM_FREE)
            diff_set_add(&out, (struct diff_row){.a = child});
        json_decref(content);
    }
    stmt_end(q);
    for (size_t i = 0; i < out.n && good; ++i)
        good = take_out(p, space, out.rows[i].a);
    diff_set_finish(&out);
    return good;
}

bool roster_room_school(struct roster_rooms *p, const struct school_row *school, bool renamed)
{
    static const enum room_kind ROOMS[] = {ROOM_SCHOOL_SPACE, ROOM_ANNOUNCEMENTS, ROOM_STAFF, ROOM_LIBRARY};
    struct wanted_room of = {.school = school->no, .called = school->name, .renamed = renamed};
    return ensure_rooms(p, of, ROOMS, sizeof ROOMS / sizeof *ROOMS) && tidy_space(p, school->no);
}

bool roster_room_class(struct roster_rooms *p, const struct class_row *class, bool renamed)
{
    static const enum room_kind HOMEROOM[] = {ROOM_CLASS_SPACE, ROOM_CLASS, ROOM_GUARDIANS}, GROUP[] = {ROOM_SUBJECT};
    struct wanted_room of = {
        .school = class->school,
        .class = class->no,
        .called = class->title,
        .space = roster_rooms_find(p->tx->db, class->school, 0, ROOM_SCHOOL_SPACE),
        .renamed = renamed,
    };
    if (of.space == 0)
        return database_failed(p);
    return class->homeroom ? ensure_rooms(p, of, HOMEROOM, 3) : ensure_rooms(p, of, GROUP, 1);
}

bool roster_room_archive(struct roster_rooms *p, room_no no)
{
    struct room *room = room_open(p->rooms, p->tx, no);
    if (room == NULL)
        return database_failed(p);
    changelog_room(p->changelog, "archive", '+', 0, no);
    return put_levels(p, room, &(struct room_school){.kind = ROOM_ARCHIVE}, json_object()) &&
           (roster_rooms_archive(p->tx->db, no, p->tx->now_ms) || database_failed(p));
}

/* --- Members (E2) --- */

static bool act(struct roster_rooms *p, room_no no, enum act what, user_no target)
{
    struct room *room = room_open(p->rooms, p->tx, no);
    struct membership_act act = {.act = what, .actor = p->service, .target = target};
    struct appended out;
    return room != NULL ? membership_act(room, p->tx, &act, &out, p->e) : database_failed(p);
}

bool roster_room_join(struct roster_rooms *p, struct bulk_join *joins, room_no room, user_no user)
{
    ++p->changelog->changes->n[ROSTER_JOINED];
    changelog_room(p->changelog, "join", '+', user, room);
    return bulk_join_add(joins, room, user, p->e);
}

bool roster_room_remove(struct roster_rooms *p, room_no room, user_no user)
{
    ++p->changelog->changes->n[ROSTER_LEFT];
    changelog_room(p->changelog, "leave", '-', user, room);
    return act(p, room, ACT_KICK, user);
}

bool roster_room_leave(struct roster_rooms *p, room_no room, user_no user)
{
    ++p->changelog->changes->n[ROSTER_LEFT];
    changelog_room(p->changelog, "leave", '-', user, room);
    return act(p, room, ACT_LEAVE, user);
}
