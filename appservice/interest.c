#include "appservice/interest.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "appservice/registration.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/store/matrix/appservices.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/schools.h"

#define SCHOOLS_MAX 64 /* of a room that are looked at: one that has more is nobody's to see */

struct interest_place {
    UT_hash_handle hh;
    room_no room;
    char *room_id;
    bool may_see;
    bool named;     /* by its id or an alias: all of it */
    bool steady;    /* one of the service's users was there before the batch, and is */
    user_no *users; /* of the service's, that are or were there; heap */
    size_t n_users;
};

struct interest_person {
    UT_hash_handle hh;
    user_no user;
    bool in_keys;
};

static bool sees_school(const struct registration_file *service, struct db *db, school_no school)
{
    char *id = schools_sourced_id(db, school);
    bool sees = false;
    for (size_t i = 0; id != NULL && i < service->n_schools; ++i)
        sees |= strcmp(service->schools[i], id) == 0;
    free(id);
    return sees;
}

bool interest_may_see(const struct registration_file *service, struct db *db, bool school_mode, room_no room)
{
    school_no schools[SCHOOLS_MAX];
    int n = 0;
    if (!school_mode)
        return true;
    school_rooms_schools(db, room, schools, SCHOOLS_MAX, &n);
    for (int i = 0; i < n; ++i)
        if (!sees_school(service, db, schools[i]))
            return false;
    return n < SCHOOLS_MAX;
}

bool interest_serves(const struct registration_file *service, struct db *db, bool school_mode, user_no user)
{
    school_no schools[SCHOOLS_MAX];
    int n = 0;
    if (!school_mode || appservice_users_has(db, service->id, user))
        return true;
    school_schools_of(db, user, schools, SCHOOLS_MAX, &n);
    for (int i = 0; i < n; ++i)
        if (sees_school(service, db, schools[i]))
            return true;
    return false;
}

/* A pattern of rooms or aliases names rooms of many. What is between two people, or one person's own, is nobody's who
 * is not in it. */
static bool may_be_named(struct db *db, room_no room)
{
    static const bool OF_MANY[ROOM_KIND__COUNT] = {
        [ROOM_FREE] = true,      [ROOM_SCHOOL_SPACE] = true, [ROOM_CLASS_SPACE] = true,   [ROOM_CLASS] = true,
        [ROOM_GUARDIANS] = true, [ROOM_STAFF] = true,        [ROOM_ANNOUNCEMENTS] = true, [ROOM_SUBJECT] = true,
        [ROOM_CLUB] = true,      [ROOM_LIBRARY] = true,      [ROOM_ASSOCIATION] = true,   [ROOM_ARCHIVE] = true};
    struct room_school of;
    return !school_of_room(db, room, &of) || OF_MANY[of.kind];
}

static bool is_named(const struct interest *interest, const struct interest_place *place)
{
    const struct registration_file *service = interest->service;
    if (service->namespaces[NAMESPACE_ROOMS].n == 0 && service->namespaces[NAMESPACE_ALIASES].n == 0)
        return false;
    if (interest->school_mode && !may_be_named(interest->db, place->room))
        return false;
    bool named = registration_has(service, NAMESPACE_ROOMS, place->room_id, false);
    struct stmt *q = aliases_of_room(interest->db, place->room);
    while (!named && stmt_next(q))
        named = registration_has(service, NAMESPACE_ALIASES, col_text(q, 0), false);
    stmt_end(q);
    return named;
}

bool interest_is_own(const struct interest *interest, user_no user, const char *user_id)
{
    return appservice_users_has(interest->db, interest->service->id, user) ||
           (!interest->school_mode && registration_has(interest->service, NAMESPACE_USERS, user_id, false));
}

/* Of people whom patterns match and nobody made, those who are there now: there is no such thing in a school. */
static void find_users(const struct interest *interest, struct interest_place *place)
{
    size_t n = 0;
    place->users = appservice_users_in(interest->db, interest->service->id, place->room, &place->n_users);
    if (interest->school_mode)
        return;
    user_no *joined = memberships_users(interest->db, place->room, MEMBERSHIP_JOIN, &n);
    for (size_t i = 0; i < n; ++i) {
        const char *id = user_names_get(interest->names, interest->db, joined[i]);
        if (id == NULL || !registration_has(interest->service, NAMESPACE_USERS, id, false))
            continue;
        place->users = xrealloc(place->users, (place->n_users + 1) * sizeof *place->users);
        place->users[place->n_users++] = joined[i];
    }
    free(joined);
}

static struct interest_place *place_of(struct interest *interest, room_no room)
{
    struct interest_place *place;
    HASH_FIND(hh, interest->places, &room, sizeof room, place);
    if (place != NULL)
        return place;
    place = xcalloc(1, sizeof *place);
    place->room = room;
    place->room_id = rooms_id_of(interest->db, room);
    place->may_see =
        place->room_id != NULL && interest_may_see(interest->service, interest->db, interest->school_mode, room);
    if (place->may_see) {
        place->named = is_named(interest, place);
        find_users(interest, place);
    }
    for (size_t i = 0; i < place->n_users && !place->steady; ++i) {
        struct membership_row row;
        place->steady = memberships_get(interest->db, room, place->users[i], &row) &&
                        row.membership == MEMBERSHIP_JOIN && row.joined_pos <= interest->from;
    }
    HASH_ADD(hh, interest->places, room, sizeof place->room, place);
    return place;
}

/* Whether the user was joined just after that position, also when they are not any more. */
static bool was_joined(const struct interest *interest, room_no room, user_no user, stream_pos pos)
{
    struct membership_row row;
    struct event_row event;
    const char *id = user_names_get(interest->names, interest->db, user);
    if (id == NULL || !memberships_get(interest->db, room, user, &row))
        return false;
    if (row.pos <= pos)
        return row.membership == MEMBERSHIP_JOIN;
    if (row.membership == MEMBERSHIP_JOIN && row.joined_pos != 0 && row.joined_pos <= pos)
        return true;
    struct stmt *q = events_state_get_at(interest->db, room, "m.room.member", id, pos);
    json_t *content = events_next(q, &event) ? json_loads(event.content, 0, NULL) : NULL;
    stmt_end(q);
    bool joined = membership_from(json_get_string(content, "membership")) == MEMBERSHIP_JOIN;
    json_decref(content);
    return joined;
}

static bool is_target(const struct interest *interest, const struct event_row *row)
{
    if (row->state_key == NULL || strcmp(row->type, "m.room.member") != 0)
        return false;
    user_no user = users_by_id(interest->db, user_names_server(interest->names), row->state_key);
    return user != 0 && interest_is_own(interest, user, row->state_key);
}

bool interest_in_event(struct interest *interest, const struct event_row *row)
{
    const struct interest_place *place = place_of(interest, row->room);
    if (!place->may_see)
        return false;
    if (place->named || place->steady || is_target(interest, row))
        return true;
    for (size_t i = 0; i < place->n_users; ++i)
        if (was_joined(interest, row->room, place->users[i], row->pos))
            return true;
    return false;
}

bool interest_in_room(struct interest *interest, room_no room)
{
    const struct interest_place *place = place_of(interest, room);
    bool there = place->named || place->steady;
    for (size_t i = 0; i < place->n_users && !there; ++i)
        there = memberships_of(interest->db, room, place->users[i]) == MEMBERSHIP_JOIN;
    return place->may_see && there;
}

user_no *interest_came(struct interest *interest, room_no room, stream_pos after, size_t *n)
{
    const struct interest_place *place = place_of(interest, room);
    bool all = false;
    for (size_t i = 0; i < place->n_users && !all; ++i) {
        struct membership_row row;
        all = memberships_get(interest->db, room, place->users[i], &row) && row.membership == MEMBERSHIP_JOIN &&
              row.joined_pos > after;
    }
    return all ? memberships_users(interest->db, room, MEMBERSHIP_JOIN, n)
               : memberships_joined_after(interest->db, room, after, n);
}

bool interest_in_user(struct interest *interest, user_no user, const char *user_id)
{
    size_t n = 0;
    bool there = interest_is_own(interest, user, user_id);
    room_no *rooms = there ? NULL : memberships_rooms(interest->db, user, 1u << MEMBERSHIP_JOIN, &n);
    for (size_t i = 0; i < n && !there; ++i)
        there = interest_in_room(interest, rooms[i]);
    free(rooms);
    return there;
}

bool interest_sees(struct interest *interest, user_no user)
{
    if (!interest->unseen_known) {
        user_no sender = users_by_id(interest->db, user_names_server(interest->names), interest->service->sender_id);
        interest->unseen = gate_unseen(interest->school_mode, interest->db, sender);
        interest->unseen_known = true;
    }
    return !member_set_has(interest->unseen, user);
}

static bool was_in_a_room_with(struct interest *interest, user_no user)
{
    size_t n;
    bool found = false;
    room_no *rooms = appservice_rooms_with(interest->db, interest->service->id, user, &n);
    for (size_t i = 0; i < n && !found; ++i)
        found = place_of(interest, rooms[i])->may_see;
    free(rooms);
    return found;
}

bool interest_in_keys(struct interest *interest, user_no user)
{
    struct interest_person *person;
    if (!interest->school_mode)
        return true;
    HASH_FIND(hh, interest->people, &user, sizeof user, person);
    if (person != NULL)
        return person->in_keys;
    person = xcalloc(1, sizeof *person);
    person->user = user;
    person->in_keys = appservice_users_has(interest->db, interest->service->id, user) ||
                      (interest_sees(interest, user) && was_in_a_room_with(interest, user));
    HASH_ADD(hh, interest->people, user, sizeof person->user, person);
    return person->in_keys;
}

const char *interest_room_id(struct interest *interest, room_no room)
{
    return place_of(interest, room)->room_id;
}

void interest_finish(struct interest *interest)
{
    struct interest_place *place, *next;
    HASH_ITER(hh, interest->places, place, next) {
        HASH_DEL(interest->places, place);
        free(place->room_id);
        free(place->users);
        free(place);
    }
    struct interest_person *person, *after;
    HASH_ITER(hh, interest->people, person, after) {
        HASH_DEL(interest->people, person);
        free(person);
    }
    member_set_unref(interest->unseen);
}
