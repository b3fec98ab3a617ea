#include "policy/admin/room_owner.h"

#include <stdlib.h>

#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/taken.h"
#include "homeserver/store/school/viewer.h"
#include "policy/records/office_act.h"

bool room_owner_set(struct changing_records *c, room_no room, user_no owner)
{
    struct room_school of;
    struct subject subject = {
        .school = viewer_room_school(c->tx->db, c->actor->user, room), .target = owner, .into = room};
    if (!office_act_gate(c, ACT_ROOMS_WRITE, &subject))
        return false;
    if (!school_of_room(c->tx->db, room, &of) || of.kind != ROOM_CLUB)
        return error_set(c->e, ERROR_CONFLICT, "Only a room that people of a school made has an owner to be changed.");
    if (memberships_of(c->tx->db, room, owner) != MEMBERSHIP_JOIN)
        return error_set(c->e, ERROR_CONFLICT, "Only somebody who is in the room can answer for it.");
    struct person_facts who;
    school_person_facts(c->tx->db, room, owner, &who);
    if (who.account != ACCOUNT_ACTIVE)
        return error_set(c->e, ERROR_CONFLICT, "Whoever is suspended or locked answers for nobody.");
    if (!school_room_set(c->tx->db, room, of.kind, owner) || !taken_owners_forget(c->tx->db, room))
        return error_set(c->e, ERROR_UNKNOWN, NULL);
    char *room_id = rooms_id_of(c->tx->db, room);
    json_t *about = json_pack("{s:s, s:s}", "room", room_id, "user", office_act_user_id(c, owner));
    free(room_id);
    return office_act_note(c, "room.owner", subject.school, about, NULL, NULL);
}
