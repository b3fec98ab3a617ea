/* Rooms that teachers of several schools share (E8). */
#include <stdlib.h>
#include <string.h>

#include "homeserver/store/school/associations.h"
#include "homeserver/store/matrix/rooms.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/school_rooms/associations.h"

static void read_association(struct api_listing *l, struct api_row *out)
{
    if (!stmt_next(l->rows))
        return;
    out->no = col_int(l->rows, 0);
    out->about[0] = ABOUT_NOBODY;
    out->item = json_pack("{s:s}", "room_id", col_text(l->rows, 1));
}

static bool list_associations(struct request *r)
{
    struct api_listing l;
    if (!api_list_begin(&l, r, LIST_BY_SCHOOL | LIST_WHOLE))
        return false;
    if (l.school == 0)
        return refuse_parameter(r, ERROR_MISSING_PARAM, "school", "Say whose: ?school=…");
    return api_may(r, &l.actor, ACT_RECORDS_READ, &(struct subject){.school = l.school}) &&
           api_list_end(&l, associations_of_school(r->db, l.school), read_association);
}

/* The body's school, and the path's room or the body's code. */
struct wanted {
    const char *school, *room, *name, *code;
};

static bool take_school(struct api_act *act, const struct wanted *w, school_no *school)
{
    *school = api_school(act->r, act->records.tx->db, w->school, act->records.e);
    return *school != 0;
}

static bool reply_room(struct api_act *act, room_no room)
{
    char *id = rooms_id_of(act->records.tx->db, room);
    act->reply = json_pack("{s:s*}", "room_id", id);
    free(id);
    return true;
}

static bool act_create(struct api_act *act, void *state)
{
    const struct wanted *w = state;
    school_no school;
    if (!take_school(act, w, &school))
        return false;
    room_no room = association_create(&act->records, school, w->name);
    act->status = 201;
    return room != 0 && reply_room(act, room);
}

static bool create_association(struct request *r)
{
    struct wanted w = {0};
    return body_string(r, "school", &w.school) && body_string(r, "name", &w.name) && api_write(r, act_create, &w);
}

/* A room that the caller's school has nothing to do with is told as one that isn't there, by the acting function. */
static room_no room_of(struct api_act *act, const struct wanted *w)
{
    return rooms_by_id(act->records.tx->db, w->room);
}

static bool act_code(struct api_act *act, void *state)
{
    const struct wanted *w = state;
    char code[ASSOCIATION_CODE_CHARS + 1];
    school_no school;
    if (!take_school(act, w, &school) || !association_code(&act->records, room_of(act, w), school, code))
        return false;
    act->reply = json_pack("{s:s, s:i}", "code", code, "days", ASSOCIATION_CODE_DAYS);
    act->status = 201;
    return true;
}

static bool create_code(struct request *r)
{
    struct wanted w = {.room = r->params[0]};
    return body_string(r, "school", &w.school) && api_write(r, act_code, &w);
}

static bool act_agree(struct api_act *act, void *state)
{
    const struct wanted *w = state;
    school_no school;
    if (!take_school(act, w, &school))
        return false;
    room_no room = association_agree(&act->records, w->code, school);
    return room != 0 && reply_room(act, room);
}

static bool agree(struct request *r)
{
    struct wanted w = {0};
    return body_string(r, "school", &w.school) && body_string(r, "code", &w.code) && api_write(r, act_agree, &w);
}

static bool act_leave(struct api_act *act, void *state)
{
    const struct wanted *w = state;
    school_no school;
    return take_school(act, w, &school) && association_leave(&act->records, room_of(act, w), school);
}

static bool leave(struct request *r)
{
    struct wanted w = {.room = r->params[0]};
    return body_string(r, "school", &w.school) && api_write(r, act_leave, &w);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/associations", list_associations, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/associations", create_association, ROUTE_CALLER | ROUTE_BODY, RATE_ROOM, NULL},
    {HTTP_POST, "/_parta/v1/associations/agree", agree, ROUTE_CALLER | ROUTE_BODY, RATE_ROOM, NULL},
    {HTTP_POST, "/_parta/v1/associations/{roomId}/codes", create_code, ROUTE_CALLER | ROUTE_BODY, RATE_ROOM, NULL},
    {HTTP_POST, "/_parta/v1/associations/{roomId}/leave", leave, ROUTE_CALLER | ROUTE_BODY, RATE_ROOM, NULL},
};
const struct routes API_ASSOCIATION_ROUTES = ROUTES(TABLE);
