#include "policy/admin/sessions.h"

#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"
#include "policy/gate/reason.h"
#include "policy/records/office_act.h"

bool admin_sessions_end(struct changing_records *c, user_no user, const char *device_id)
{
    device_no device = device_id != NULL ? devices_no(c->tx->db, user, device_id) : 0;
    school_no school = viewer_shared_school(c->tx->db, c->actor->user, user);
    if (!office_act_gate(c, ACT_SESSIONS, &(struct subject){.target = user}))
        return false;
    if (device_id != NULL && device == 0)
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such session.");
    if (!(device != 0 ? devices_delete(c->tx, user, device) : devices_delete_all(c->tx, user, 0)))
        return error_set(c->e, ERROR_UNKNOWN, NULL);
    /* Not which: an id may be its owner's words, and the log outlives an erasure. */
    json_t *subject = json_pack("{s:s}", "user", office_act_user_id(c, user));
    const struct audit_note note = {
        .actor = c->actor, .act = "session.end", .school = school, .about = user, .subject = subject};
    return audit_append(c->tx, rooms_settings(c->rooms)->key, &note) || error_set(c->e, ERROR_UNKNOWN, NULL);
}

bool admin_second_factor_reset(struct changing_records *c, user_no user, const char *reason)
{
    if (!reason_valid(reason))
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "reason",
                                   "A reason has at least 10 letters, in one line of at most 1000 bytes.");
    if (c->actor->user == user)
        return error_set(c->e, ERROR_FORBIDDEN, "One's own is turned off on the account's page, with a code of it.");
    if (!office_act_gate(c, ACT_SESSIONS, &(struct subject){.target = user}))
        return false;
    if (!second_factors_has(c->tx->db, user))
        return true;
    if (!second_factors_forget(c->tx, user))
        return error_set(c->e, ERROR_UNKNOWN, NULL);
    const struct audit_note note = {.actor = c->actor,
                                    .act = "second_factor.reset",
                                    .school = viewer_shared_school(c->tx->db, c->actor->user, user),
                                    .about = user,
                                    .subject = json_pack("{s:s}", "user", office_act_user_id(c, user)),
                                    .reason = reason};
    return audit_append(c->tx, rooms_settings(c->rooms)->key, &note) || error_set(c->e, ERROR_UNKNOWN, NULL);
}
