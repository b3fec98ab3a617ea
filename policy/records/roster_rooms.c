#include "policy/records/roster_rooms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/acts/create.h"
#include "homeserver/rooms/acts/bulk_join.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/school/roster_members.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"

#define NOBODY 100 /* a level that no post has: the service user alone is above it */

/* What each kind of room looks like (E1, E3, E6). Whether somebody may write in the library is the rules' to say. */
static const struct {
    const char *name;  /* %s: the school's name, or the class's title */
    enum room_kind in; /* in which space it stands; ROOM_FREE: in none */
    const char *order; /* there, before what begins with a later letter */
    int speak, state;  /* power to send messages; to change what is not the service user's alone */
    bool open;         /* who is in the space may join by themselves */
} KINDS[ROOM_KIND__COUNT] = {
    [ROOM_SCHOOL_SPACE] = {"%s", ROOM_FREE, "", NOBODY, NOBODY},
    [ROOM_ANNOUNCEMENTS] = {"Объявления. %s", ROOM_SCHOOL_SPACE, "a", 50, 50},
    [ROOM_STAFF] = {"Учительская. %s", ROOM_SCHOOL_SPACE, "b", 0, 50},
    [ROOM_CLASS_SPACE] = {"Класс %s", ROOM_SCHOOL_SPACE, "c", NOBODY, NOBODY},
    [ROOM_SUBJECT] = {"%s", ROOM_SCHOOL_SPACE, "d", 0, 50},
    [ROOM_LIBRARY] = {"Библиотека. %s", ROOM_SCHOOL_SPACE, "e", 0, NOBODY, .open = true},
    [ROOM_CLASS] = {"%s", ROOM_CLASS_SPACE, "a", 0, 50},
    [ROOM_GUARDIANS] = {"%s: родители", ROOM_CLASS_SPACE, "b", 0, 50},
    [ROOM_ARCHIVE] = {.speak = NOBODY, .state = NOBODY},
};

/* A room to be: of a school, perhaps of one of its classes. */
struct picture {
    enum room_kind kind;
    school_no school;
    class_no class;
    const char *called;
    room_no space; /* the room it stands in; 0: none */
    bool renamed;  /* its name may have changed */
};

static char *picture_name(const struct picture *of)
{
    struct text name = TEXT_INIT;
    const char *pattern = KINDS[of->kind].name, *gap = strstr(pattern, "%s");
    text_add(&name, pattern, (size_t)(gap - pattern));
    text_adds(&name, of->called);
    text_adds(&name, gap + 2);
    return text_take(&name);
}

static json_t *via(const struct roster_rooms *p)
{
    return json_pack("[s]", rooms_settings(p->rooms)->server_name);
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

/* The levels of a kind of room. Nobody but the service user, who stands above them all, reaches NOBODY; users: owned.
 */
static json_t *power_levels(const struct room_version *version, enum room_kind kind, json_t *users)
{
    bool creators = room_version_has(version, ROOM_CREATORS);
    json_t *events = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "m.room.name", NOBODY,
                               "m.room.power_levels", NOBODY, "m.room.join_rules", NOBODY, "m.room.history_visibility",
                               NOBODY, "m.room.guest_access", NOBODY, "m.room.server_acl", NOBODY, "m.room.encryption",
                               NOBODY, "m.room.canonical_alias", NOBODY, "m.room.tombstone", creators ? 150 : NOBODY,
                               "m.space.child", NOBODY, "m.space.parent", NOBODY);
    int redact = kind == ROOM_ARCHIVE ? NOBODY : 50;
    return json_pack("{s:o, s:i, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:{s:i}}", "users", users, "users_default", 0,
                     "events", events, "events_default", KINDS[kind].speak, "state_default", KINDS[kind].state, "ban",
                     NOBODY, "kick", NOBODY, "invite", NOBODY, "redact", redact, "notifications", "room", 50);
}

static void add_service(const struct roster_rooms *p, const struct room_version *version, json_t *users)
{
    char id[ID_BYTES_MAX + 1];
    snprintf(id, sizeof id, "@%s:%s", SERVICE_LOCALPART, rooms_settings(p->rooms)->server_name);
    if (!room_version_has(version, ROOM_CREATORS))
        json_object_set_new(users, id, json_integer(NOBODY));
}

static json_t *users_by_post(const struct roster_rooms *p, room_no room, const struct room_version *version)
{
    json_t *users = json_object();
    struct stmt *q = roster_members_powers(p->tx->db, room);
    while (stmt_next(q)) {
        char id[ID_BYTES_MAX + 1];
        snprintf(id, sizeof id, "@%s:%s", col_text(q, 0), rooms_settings(p->rooms)->server_name);
        json_object_set_new(users, id, json_integer(col_int(q, 1)));
    }
    stmt_end(q);
    add_service(p, version, users);
    return users;
}

bool roster_room_powers(struct roster_rooms *p, room_no no)
{
    struct room_school of;
    struct room *room = room_open(p->rooms, p->tx, no);
    if (room == NULL || !school_of_room(p->tx->db, no, &of))
        return database_failed(p);
    ++p->changelog->changes->n[ROSTER_POWERS];
    changelog_room(p->changelog, "powers", '=', 0, no);
    return append(p, room, "m.room.power_levels", "",
                  power_levels(room->version, of.kind, users_by_post(p, no, room->version)));
}

/* --- Rooms (E1) --- */

static bool record_picture(struct tx *tx, room_no room, void *arg)
{
    const struct picture *of = arg;
    if (of->kind == ROOM_LIBRARY)
        return library_put(tx->db, room, of->school);
    return roster_rooms_put(tx->db, &(struct roster_room_row){room, of->kind, of->school, of->class});
}

static json_t *initial_state(struct roster_rooms *p, const struct picture *of)
{
    char *space = of->space != 0 ? rooms_id_of(p->tx->db, of->space) : NULL;
    json_t *allow = json_array();
    if (space != NULL && KINDS[of->kind].open)
        json_array_append_new(allow, json_pack("{s:s, s:s}", "type", "m.room_membership", "room_id", space));
    json_t *state =
        json_pack("[{s:s, s:s, s:{s:s, s:o}}, {s:s, s:s, s:{s:s}}, {s:s, s:s, s:{s:s}}]", "type", "m.room.join_rules",
                  "state_key", "", "content", "join_rule", "restricted", "allow", allow, "type",
                  "m.room.history_visibility", "state_key", "", "content", "history_visibility", "shared", "type",
                  "m.room.guest_access", "state_key", "", "content", "guest_access", "forbidden");
    if (space != NULL)
        json_array_append_new(state, json_pack("{s:s, s:s, s:{s:o, s:b}}", "type", "m.space.parent", "state_key", space,
                                               "content", "via", via(p), "canonical", 1));
    free(space);
    return state;
}

static struct room *create(struct roster_rooms *p, struct picture *of)
{
    const struct room_version *version = room_kept_version(p->rooms);
    char *name = picture_name(of);
    json_t *creation = room_kept_content(of->kind), *state = initial_state(p, of), *users = json_object();
    add_service(p, version, users);
    json_t *levels = power_levels(version, of->kind, users);
    struct room_plan plan = {
        .creator = p->service,
        .version = version,
        .preset = PRESET_NONE,
        .name = name,
        .creation_content = creation,
        .power_levels = levels,
        .initial_state = state,
        .record = record_picture,
        .record_arg = of,
    };
    struct room *room = room_create(p->rooms, p->tx, &plan, p->e);
    json_decref(creation);
    json_decref(state);
    json_decref(levels);
    free(name);
    return room;
}

static bool put_in_space(struct roster_rooms *p, const struct picture *of, const char *room_id)
{
    json_t *content = json_pack("{s:o, s:s}", "via", via(p), "order", KINDS[of->kind].order);
    if (KINDS[of->kind].open)
        json_object_set_new(content, "suggested", json_true());
    return append(p, room_open(p->rooms, p->tx, of->space), "m.space.child", room_id, content);
}

/* Makes the room if it is not there. Returns its number, 0: *p->e. */
static room_no make(struct roster_rooms *p, struct picture *of)
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

static bool rename_room(struct roster_rooms *p, room_no no, const struct picture *of)
{
    struct room *room = room_open(p->rooms, p->tx, no);
    char *name = picture_name(of);
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

/* The room that the picture shows: found, renamed or made. 0: *p->e. */
static room_no show(struct roster_rooms *p, struct picture of)
{
    room_no no = of.kind == ROOM_LIBRARY ? library_find(p->tx->db, of.school)
                                         : roster_rooms_find(p->tx->db, of.school, of.class, of.kind);
    if (no == 0)
        return make(p, &of);
    return !of.renamed || rename_room(p, no, &of) ? no : 0;
}

/* The first is the space of the others. */
static bool show_all(struct roster_rooms *p, struct picture of, const enum room_kind *kinds, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        of.kind = kinds[i];
        room_no no = show(p, of);
        if (no == 0)
            return false;
        if (i == 0)
            of.space = no;
    }
    return true;
}

bool roster_room_school(struct roster_rooms *p, const struct school_row *school, bool renamed)
{
    static const enum room_kind ROOMS[] = {ROOM_SCHOOL_SPACE, ROOM_ANNOUNCEMENTS, ROOM_STAFF, ROOM_LIBRARY};
    struct picture of = {.school = school->no, .called = school->name, .renamed = renamed};
    return show_all(p, of, ROOMS, sizeof ROOMS / sizeof *ROOMS);
}

bool roster_room_class(struct roster_rooms *p, const struct class_row *class, bool renamed)
{
    static const enum room_kind HOMEROOM[] = {ROOM_CLASS_SPACE, ROOM_CLASS, ROOM_GUARDIANS}, GROUP[] = {ROOM_SUBJECT};
    struct picture of = {
        .school = class->school,
        .class = class->no,
        .called = class->title,
        .space = roster_rooms_find(p->tx->db, class->school, 0, ROOM_SCHOOL_SPACE),
        .renamed = renamed,
    };
    if (of.space == 0)
        return database_failed(p);
    return class->homeroom ? show_all(p, of, HOMEROOM, 3) : show_all(p, of, GROUP, 1);
}

bool roster_room_archive(struct roster_rooms *p, room_no no)
{
    struct room *room = room_open(p->rooms, p->tx, no);
    if (room == NULL)
        return database_failed(p);
    json_t *users = json_object();
    add_service(p, room->version, users);
    changelog_room(p->changelog, "archive", '+', 0, no);
    return append(p, room, "m.room.power_levels", "", power_levels(room->version, ROOM_ARCHIVE, users)) &&
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
