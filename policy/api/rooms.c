/* Rooms of a school: which there are, who is in them, who answers for them (E5), whom of the external staff they are
 * open to (E7). What is written there is not the office's. */
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/admin/room_owner.h"

static json_t *schools_json(struct db *db, const struct viewer *viewer, room_no room)
{
    json_t *schools = json_array();
    struct school_row row;
    struct stmt *q = schools_of_room(db, viewer, room);
    while (schools_next(q, &row))
        json_array_append_new(schools, json_string(row.sourced_id));
    stmt_end(q);
    return schools;
}

static void set_name(json_t *value, const struct school_room_row *row)
{
    struct error ignored;
    json_t *content = row->name != NULL ? json_parse(row->name, strlen(row->name), &ignored) : NULL;
    api_set(value, "name", json_get_string(content, "name"));
    json_decref(content);
}

static json_t *room_json(struct request *r, struct db *db, const struct viewer *viewer,
                         const struct school_room_row *row)
{
    json_t *value = json_pack("{s:s, s:s, s:i, s:o}", "room_id", row->room_id, "kind", room_kind_name(row->kind),
                              "joined", row->joined, "schools", schools_json(db, viewer, row->no));
    set_name(value, row);
    api_set(value, "class", row->class_id);
    if (row->owner != NULL)
        json_object_set_new(value, "owner", api_user_id(r, row->owner));
    return value;
}

/* D9: neither the number of people nor who answers for the room tells of somebody from whom the caller is kept. */
static void leave_out(struct request *r, const struct school_room_row *row, json_t *value)
{
    json_t *owner = json_incref(json_object_get(value, "owner"));
    json_object_set_new(value, "joined",
                        json_integer(row->joined - school_apart_joined(r->db, row->no, r->identity.user)));
    json_object_del(value, "owner");
    api_set_actor(r, r->db, value, "owner", json_string_value(owner));
    json_decref(owner);
}

static void read_room(struct api_listing *l, struct api_row *out)
{
    struct school_room_row row;
    if (!school_rooms_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = ABOUT_NOBODY;
    out->item = room_json(l->r, l->r->db, &l->viewer, &row);
    if (l->kept)
        leave_out(l->r, &row, out->item);
}

/* ?school=&kind= */
static bool list_rooms(struct request *r)
{
    struct api_listing l;
    enum room_kind kind;
    const char *word = query_get(r, "kind");
    if (!api_list_begin(&l, r, LIST_BY_SCHOOL | LIST_OF_ONE_PLACE))
        return false;
    if (word != NULL && !room_kind_from(word, &kind))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "kind", "There is no such kind of room.");
    return api_may(r, &l.actor, ACT_RECORDS_READ, &(struct subject){.school = l.school}) &&
           api_list_end(&l, school_rooms_page(r->db, &l.viewer, l.school, word != NULL ? word : "", l.after, l.limit),
                        read_room);
}

/* Direct chats, documents and notices are nobody else's: the office is told that they are not there. */
static bool is_private(struct db *db, room_no room)
{
    struct room_school of;
    return school_of_room(db, room, &of) &&
           (of.kind == ROOM_DIRECT || of.kind == ROOM_DOCUMENTS || of.kind == ROOM_NOTICES);
}

/* The room of the path, if the caller may read its school's records; 0: r->error */
static room_no readable_room(struct request *r, const struct actor *actor)
{
    room_no room = api_room(r, r->db, r->params[0], &r->error);
    if (room == 0 || (is_private(r->db, room) && !api_not_there(&r->error, API_ROOM)))
        return 0;
    struct subject subject = {.school = viewer_room_school(r->db, actor->user, room)};
    return api_may(r, actor, ACT_RECORDS_READ, &subject) ? room : 0;
}

static bool get_room(struct request *r)
{
    struct actor actor;
    struct school_room_row row;
    json_t *value = NULL;
    room_no room = api_caller(r, &actor) ? readable_room(r, &actor) : 0;
    if (room == 0)
        return false;
    struct viewer viewer = viewer_of(actor.user);
    struct stmt *q = school_rooms_one(r->db, room);
    bool found = school_rooms_next(q, &row);
    if (found)
        value = room_json(r, r->db, &viewer, &row);
    if (found && actor.user != 0)
        leave_out(r, &row, value);
    stmt_end(q);
    return reply_json(r, value);
}

static void read_member(struct api_listing *l, struct api_row *out)
{
    struct school_room_member_row row;
    if (!school_room_members_next(l->rows, &row))
        return;
    out->no = row.user;
    out->about[0] = row.user;
    out->item = json_pack("{s:o, s:s, s:b, s:b}", "user_id", api_user_id(l->r, row.localpart), "membership",
                          row.membership, "held", row.held, "named", row.named);
    if (row.held)
        json_object_set_new(out->item, "power", json_integer(row.power));
}

static bool list_members(struct request *r)
{
    struct api_listing l;
    room_no room = api_list_begin(&l, r, 0) ? readable_room(r, &l.actor) : 0;
    return room != 0 && api_list_end(&l, school_room_members(r->db, room, l.after, l.rows_max), read_member);
}

/* --- Changing --- */

enum room_change { CHANGE_OWNER, CHANGE_NAMED, CHANGE_UNNAMED };
struct room_wish {
    const char *user_id;
    enum room_change change;
};

static bool act_room(struct api_act *act, void *state)
{
    const struct room_wish *wish = state;
    struct db *db = act->records.tx->db;
    room_no room = api_room(act->r, db, act->r->params[0], act->records.e);
    user_no user = room != 0 ? api_user(act->r, db, wish->user_id, act->records.e) : 0;
    if (user == 0)
        return false;
    if (wish->change == CHANGE_OWNER)
        return room_owner_set(&act->records, room, user);
    return change_named_member(&act->records, room, user, wish->change == CHANGE_NAMED);
}

static bool put_owner(struct request *r)
{
    struct room_wish wish = {.change = CHANGE_OWNER};
    return body_string(r, "user_id", &wish.user_id) && api_write(r, act_room, &wish);
}

static bool put_named(struct request *r)
{
    return api_write(r, act_room, &(struct room_wish){r->params[1], CHANGE_NAMED});
}

static bool delete_named(struct request *r)
{
    return api_write(r, act_room, &(struct room_wish){r->params[1], CHANGE_UNNAMED});
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/rooms", list_rooms, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_GET, "/_parta/v1/rooms/{roomId}", get_room, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_GET, "/_parta/v1/rooms/{roomId}/members", list_members, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_PUT, "/_parta/v1/rooms/{roomId}/owner", put_owner, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_PUT, "/_parta/v1/rooms/{roomId}/named/{userId}", put_named, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_DELETE, "/_parta/v1/rooms/{roomId}/named/{userId}", delete_named, ROUTE_CALLER, RATE_WRITE, NULL},
};
const struct routes API_ROOM_ROUTES = ROUTES(TABLE);
