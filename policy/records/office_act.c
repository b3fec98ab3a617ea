#include "policy/records/office_act.h"

#include <stdlib.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"

void office_act_for(struct office_act *office, const struct changing_records *c, const char *because)
{
    office->actor = (struct actor){.name = c->actor->name, .scopes = SCOPE_RECORDS, .override_ = because};
    office->records = *c;
    office->records.actor = &office->actor;
}

bool office_act_gate(struct changing_records *c, enum act act, const struct subject *subject)
{
    return school_gate(c->tx->db, rooms_settings(c->rooms)->school_mode, c->actor, act, subject, NULL, NULL, c->e);
}

bool office_act_knows(const struct changing_records *c, school_no school)
{
    return c->actor->user == 0 || school_roles(c->tx->db, school, c->actor->user) != 0;
}

bool office_act_note(struct changing_records *c, const char *act, school_no school, json_t *subject, json_t *details,
                     const char *reason)
{
    const struct audit_note note = {
        .actor = c->actor, .act = act, .school = school, .subject = subject, .details = details, .reason = reason};
    return audit_append(c->tx, rooms_settings(c->rooms)->key, &note) || error_set(c->e, ERROR_UNKNOWN, NULL);
}

json_t *office_act_class_id(const struct changing_records *c, class_no class)
{
    char *id = classes_sourced_id(c->tx->db, class);
    json_t *value = json_string(id != NULL ? id : "");
    free(id);
    return value;
}

const char *office_act_user_id(const struct changing_records *c, user_no user)
{
    const char *id = user != 0 ? user_names_get(rooms_settings(c->rooms)->names, c->tx->db, user) : NULL;
    return id != NULL ? id : "";
}
