#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/append.h"
#include "homeserver/rooms/create.h"
#include "homeserver/rooms/membership.h"
#include "homeserver/store/devices.h"
#include "homeserver/store/memberships.h"
#include "homeserver/store/rooms.h"
#include "homeserver/store/users.h"
#include "policy/roster/importing.h"

#define NOBODY 100 /* a level that no post has: the service user alone is above it */

/* What each kind of room looks like (E1, E3). */
static const struct {
    const char *name;  /* %s: the school's name, or the class's title */
    enum room_kind in; /* in which space it stands; ROOM_FREE: in none */
    const char *order; /* there, before what begins with a later letter */
    int speak, state;  /* power to send messages; to change what is not the service user's alone */
} KINDS[ROOM_KIND__COUNT] = {
    [ROOM_SCHOOL_SPACE] = {"%s", ROOM_FREE, "", NOBODY, NOBODY},
    [ROOM_ANNOUNCEMENTS] = {"Объявления. %s", ROOM_SCHOOL_SPACE, "a", 50, 50},
    [ROOM_STAFF] = {"Учительская. %s", ROOM_SCHOOL_SPACE, "b", 0, 50},
    [ROOM_CLASS_SPACE] = {"Класс %s", ROOM_SCHOOL_SPACE, "c", NOBODY, NOBODY},
    [ROOM_SUBJECT] = {"%s", ROOM_SCHOOL_SPACE, "d", 0, 50},
    [ROOM_CLASS] = {"%s", ROOM_CLASS_SPACE, "a", 0, 50},
    [ROOM_GUARDIANS] = {"%s: родители", ROOM_CLASS_SPACE, "b", 0, 50},
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

static char *picture_name(const struct picture *p)
{
    struct text name = TEXT_INIT;
    const char *pattern = KINDS[p->kind].name, *gap = strstr(pattern, "%s");
    text_add(&name, pattern, (size_t)(gap - pattern));
    text_adds(&name, p->called);
    text_adds(&name, gap + 2);
    return text_take(&name);
}

static json_t *via(const struct importing *in)
{
    return json_pack("[s]", rooms_settings(in->rooms)->server_name);
}

static bool append(struct importing *in, struct room *room, const char *type, const char *state_key, json_t *content)
{
    struct draft draft = {.sender = in->service, .type = type, .state_key = state_key, .content = content};
    struct appended out;
    bool done = room != NULL && append_state(room, in->tx, &draft, &out, in->e);
    json_decref(content);
    return done || (room == NULL && error_set(in->e, ERROR_UNKNOWN, NULL));
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
    return json_pack("{s:o, s:i, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:{s:i}}", "users", users, "users_default", 0,
                     "events", events, "events_default", KINDS[kind].speak, "state_default", KINDS[kind].state, "ban",
                     NOBODY, "kick", NOBODY, "invite", NOBODY, "redact", 50, "notifications", "room", 50);
}

static void add_service(const struct importing *in, const struct room_version *version, json_t *users)
{
    char id[ID_BYTES_MAX + 1];
    snprintf(id, sizeof id, "@%s:%s", SERVICE_LOCALPART, rooms_settings(in->rooms)->server_name);
    if (!room_version_has(version, ROOM_CREATORS))
        json_object_set_new(users, id, json_integer(NOBODY));
}

static json_t *users_by_post(const struct importing *in, room_no room, const struct room_version *version)
{
    json_t *users = json_object();
    struct stmt *q = roster_powers(in->tx->db, room);
    while (stmt_next(q)) {
        char id[ID_BYTES_MAX + 1];
        snprintf(id, sizeof id, "@%s:%s", col_text(q, 0), rooms_settings(in->rooms)->server_name);
        json_object_set_new(users, id, json_integer(col_int(q, 1)));
    }
    stmt_end(q);
    add_service(in, version, users);
    return users;
}

static bool put_powers(struct importing *in, room_no no)
{
    struct room_school of;
    struct room *room = room_open(in->rooms, in->tx, no);
    if (room == NULL || !school_of_room(in->tx->db, no, &of))
        return error_set(in->e, ERROR_UNKNOWN, NULL);
    ++in->changes->n[ROSTER_POWERS];
    return append(in, room, "m.room.power_levels", "",
                  power_levels(room->version, of.kind, users_by_post(in, no, room->version)));
}

static int compare_room(const void *left, const void *right)
{
    const struct fact *x = left, *y = right;
    return (x->a > y->a) - (x->a < y->a);
}

bool pictures_powers(struct importing *in)
{
    room_no last = 0;
    bool good = true;
    if (in->powers.n > 1)
        qsort(in->powers.rows, in->powers.n, sizeof *in->powers.rows, compare_room);
    for (size_t i = 0; i < in->powers.n && good; ++i) {
        good = in->powers.rows[i].a == last || put_powers(in, in->powers.rows[i].a);
        last = in->powers.rows[i].a;
    }
    return good;
}

/* --- Rooms (E1) --- */

static bool record_picture(struct tx *tx, room_no room, void *arg)
{
    const struct picture *p = arg;
    struct roster_room_row row = {room, p->kind, p->school, p->class};
    return roster_rooms_put(tx->db, &row);
}

/* Restricted rooms alone can be joined by force; who may join by themselves is the roster's business, not a
 * condition's. */
static const struct room_version *picture_version(const struct importing *in)
{
    const struct room_version *version = room_version_get(rooms_settings(in->rooms)->default_version);
    bool fits = version != NULL && room_version_has(version, ROOM_RESTRICTED);
    return fits ? version : room_version_get(ROOM_VERSION_DEFAULT);
}

static json_t *initial_state(struct importing *in, const struct picture *p)
{
    json_t *state =
        json_pack("[{s:s, s:s, s:{s:s, s:[]}}, {s:s, s:s, s:{s:s}}, {s:s, s:s, s:{s:s}}]", "type", "m.room.join_rules",
                  "state_key", "", "content", "join_rule", "restricted", "allow", "type", "m.room.history_visibility",
                  "state_key", "", "content", "history_visibility", "shared", "type", "m.room.guest_access",
                  "state_key", "", "content", "guest_access", "forbidden");
    char *space = p->space != 0 ? rooms_id_of(in->tx->db, p->space) : NULL;
    if (space != NULL)
        json_array_append_new(state, json_pack("{s:s, s:s, s:{s:o, s:b}}", "type", "m.space.parent", "state_key", space,
                                               "content", "via", via(in), "canonical", 1));
    free(space);
    return state;
}

/* What a room is, and a random word: from version 12 on a room is called after its create event, and the many that one
 * import makes in the same millisecond would be one. */
static json_t *creation_content(const struct picture *p)
{
    char word[13];
    random_name(word, 12);
    json_t *content = json_pack("{s:b, s:s, s:s}", "m.federate", 0, "org.parta.kind", room_kind_name(p->kind),
                                "org.parta.word", word);
    if (room_kind_is_space(p->kind))
        json_object_set_new(content, "type", json_string("m.space"));
    return content;
}

static struct room *create(struct importing *in, struct picture *p)
{
    const struct room_version *version = picture_version(in);
    char *name = picture_name(p);
    json_t *creation = creation_content(p), *state = initial_state(in, p), *users = json_object();
    add_service(in, version, users);
    json_t *levels = power_levels(version, p->kind, users);
    struct room_plan plan = {
        .creator = in->service,
        .version = version,
        .preset = PRESET_NONE,
        .name = name,
        .creation_content = creation,
        .power_levels = levels,
        .initial_state = state,
        .record = record_picture,
        .record_arg = p,
    };
    struct room *room = room_create(in->rooms, in->tx, &plan, in->e);
    json_decref(creation);
    json_decref(state);
    json_decref(levels);
    free(name);
    return room;
}

static bool put_in_space(struct importing *in, const struct picture *p, const char *room_id)
{
    return append(in, room_open(in->rooms, in->tx, p->space), "m.space.child", room_id,
                  json_pack("{s:o, s:s}", "via", via(in), "order", KINDS[p->kind].order));
}

/* Makes the room if it is not there. Returns its number, 0: *in->e. */
static room_no make(struct importing *in, struct picture *p)
{
    struct room *room = create(in, p);
    if (room == NULL)
        return 0;
    room_no no = room->no;
    ++in->changes->n[ROSTER_ROOMS_NEW];
    if (p->space == 0)
        return no;
    char *room_id = xstrdup(room->room_id); /* opening the space may drop the room from memory */
    bool done = put_in_space(in, p, room_id);
    free(room_id);
    return done ? no : 0;
}

static bool rename_room(struct importing *in, room_no no, const struct picture *p)
{
    struct room *room = room_open(in->rooms, in->tx, no);
    char *name = picture_name(p);
    const char *now = room != NULL ? room_state_string(room, in->tx, "m.room.name", "name") : NULL;
    bool same = now != NULL && strcmp(now, name) == 0, done = true;
    if (!same) {
        done = append(in, room, "m.room.name", "", json_pack("{s:s}", "name", name));
        ++in->changes->n[ROSTER_ROOMS_RENAMED];
    }
    free(name);
    return done;
}

/* The room that the picture shows: found, renamed or made. 0: *in->e. */
static room_no show(struct importing *in, struct picture p)
{
    room_no no = roster_room_find(in->tx->db, p.school, p.class, p.kind);
    if (no == 0)
        return make(in, &p);
    return !p.renamed || rename_room(in, no, &p) ? no : 0;
}

static bool show_school(struct importing *in, size_t i, room_no *space)
{
    struct picture p = {
        .kind = ROOM_SCHOOL_SPACE,
        .school = in->schools[i],
        .called = in->roster->schools[i].name,
        .renamed = in->school_renamed[i],
    };
    *space = p.space = show(in, p);
    p.kind = ROOM_ANNOUNCEMENTS;
    if (p.space == 0 || show(in, p) == 0)
        return false;
    p.kind = ROOM_STAFF;
    return show(in, p) != 0;
}

static bool show_class(struct importing *in, size_t i, room_no space)
{
    const struct roster_class *class = &in->roster->classes[i];
    struct picture p = {
        .kind = class->homeroom ? ROOM_CLASS_SPACE : ROOM_SUBJECT,
        .school = in->schools[class->school],
        .class = in->classes[i],
        .called = class->title,
        .space = space,
        .renamed = in->class_renamed[i],
    };
    p.space = show(in, p);
    if (!class->homeroom || p.space == 0)
        return p.space != 0;
    p.kind = ROOM_CLASS;
    if (show(in, p) == 0)
        return false;
    p.kind = ROOM_GUARDIANS;
    return show(in, p) != 0;
}

bool pictures_rooms(struct importing *in)
{
    room_no *spaces = xcalloc(in->roster->n_schools + 1, sizeof *spaces);
    bool good = true;
    for (size_t i = 0; i < in->roster->n_schools && good; ++i)
        good = show_school(in, i, &spaces[i]);
    for (size_t i = 0; i < in->roster->n_classes && good; ++i)
        good = show_class(in, i, spaces[in->roster->classes[i].school]);
    free(spaces);
    return good;
}

/* --- Members (E2) --- */

static bool member_put(void *self, const struct fact *f, const struct fact *before)
{
    struct importing *in = self;
    if (f->value != 0 || before != NULL)
        facts_add(&in->powers, (struct fact){.a = f->a});
    return roster_members_put(in->tx->db, &(struct roster_member_row){f->a, f->b, f->value}) ||
           error_set(in->e, ERROR_UNKNOWN, NULL);
}

static bool member_drop(void *self, const struct fact *f, const struct fact *before)
{
    struct importing *in = self;
    if (f->value != 0)
        facts_add(&in->powers, (struct fact){.a = f->a});
    return roster_members_delete(in->tx->db, &(struct roster_member_row){f->a, f->b, 0}) ||
           error_set(in->e, ERROR_UNKNOWN, NULL);
}

static struct facts collect(struct stmt *q)
{
    struct facts facts = {0};
    struct roster_member_row row;
    while (roster_members_next(q, &row))
        facts_add(&facts, (struct fact){.a = row.room, .b = row.user, .value = row.power});
    stmt_end(q);
    return facts;
}

bool pictures_members(struct importing *in)
{
    char day[DAY_TEXT_BYTES];
    struct facts have = collect(roster_members_all(in->tx->db));
    struct facts want = collect(roster_members_wanted(in->tx->db, day_of_ms(in->tx->now_ms), day));
    bool good = facts_diff(&have, &want, member_put, member_drop, in);
    facts_finish(&have);
    facts_finish(&want);
    return good;
}

static bool act(struct importing *in, room_no no, enum act what, user_no target)
{
    struct room *room = room_open(in->rooms, in->tx, no);
    struct membership_act act = {.act = what, .actor = in->service, .target = target};
    struct appended out;
    return room != NULL ? membership_act(room, in->tx, &act, &out, in->e) : error_set(in->e, ERROR_UNKNOWN, NULL);
}

static bool join(struct importing *in, const struct fact *f)
{
    ++in->changes->n[ROSTER_JOINED];
    if (memberships_of(in->tx->db, f->a, f->b) == MEMBERSHIP_BAN && !act(in, f->a, ACT_UNBAN, f->b))
        return false;
    return act(in, f->a, ACT_JOIN, f->b);
}

bool pictures_settle(struct importing *in)
{
    struct facts leave = collect(roster_members_to_leave(in->tx->db));
    struct facts enter = collect(roster_members_to_join(in->tx->db));
    bool good = true;
    for (size_t i = 0; i < leave.n && good; ++i) {
        good = act(in, leave.rows[i].a, ACT_KICK, leave.rows[i].b);
        ++in->changes->n[ROSTER_LEFT];
    }
    for (size_t i = 0; i < enter.n && good; ++i)
        good = join(in, &enter.rows[i]);
    facts_finish(&leave);
    facts_finish(&enter);
    return good;
}

/* --- Farewell (G1, G2) --- */

static bool may_stay(struct importing *in, room_no room, user_no user)
{
    struct person_facts facts;
    school_person_facts(in->tx->db, room, user, &facts);
    return facts.member;
}

/* Leaves the rooms that people made in a school they no longer belong to; of no school at all, every room. */
static bool leave_rooms(struct importing *in, user_no user, bool all)
{
    size_t n;
    bool good = true;
    room_no *rooms = memberships_rooms(in->tx->db, user,
                                       1u << MEMBERSHIP_JOIN | 1u << MEMBERSHIP_INVITE | 1u << MEMBERSHIP_KNOCK, &n);
    for (size_t i = 0; i < n && good; ++i) {
        if (!all && may_stay(in, rooms[i], user))
            continue;
        good = act(in, rooms[i], ACT_LEAVE, user);
        ++in->changes->n[ROSTER_LEFT];
    }
    free(rooms);
    return good;
}

static bool close_account(struct importing *in, user_no user)
{
    struct user_row row;
    bool open = users_get(in->tx->db, user, &row) && strcmp(row.state, "left") != 0;
    user_row_finish(&row);
    if (!open)
        return true;
    ++in->changes->n[ROSTER_ACCOUNTS_CLOSED];
    tx_change(in->tx, (struct change){.kind = CHANGE_SESSION, .user = user});
    return (users_set_state(in->tx, user, "left") && devices_delete_all(in->tx, user, 0)) ||
           error_set(in->e, ERROR_UNKNOWN, NULL);
}

bool pictures_farewell(struct importing *in)
{
    for (size_t i = 0; i < in->gone.n; ++i) {
        user_no user = in->gone.rows[i].a;
        bool none_left = !school_has_any(in->tx->db, user);
        if (!leave_rooms(in, user, none_left) || (none_left && !close_account(in, user)))
            return false;
    }
    return true;
}
