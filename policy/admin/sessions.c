#include "policy/admin/sessions.h"

#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"
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
