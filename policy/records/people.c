#include "policy/records/people.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"

unsigned people_roles(struct db *db, user_no user)
{
    unsigned roles = 0;
    struct role_row row;
    struct stmt *q = roles_of_person(db, user);
    while (roles_next(q, &row))
        roles |= row.role;
    stmt_end(q);
    return roles;
}

void people_name_add(struct text *out, const struct person_row *person, unsigned roles, enum school_language language)
{
    bool adult = (roles & ~(unsigned)ROLE_PUPIL) != 0;
    const char *middle = adult ? person->middle : "";
    const char *const names[SCHOOL_LANGUAGE__COUNT][3] = {
        [SCHOOL_SPEAKS_RU] = {person->family, person->given, middle},
        [SCHOOL_SPEAKS_EN] = {person->given, middle, person->family},
    };
    size_t start = out->len;
    text_adds(out, ""); /* who has no name at all has an empty one */
    for (int i = 0; i < 3; ++i)
        if (*names[language][i] != '\0')
            text_addf(out, "%s%s", out->len != start ? " " : "", names[language][i]);
}

bool people_set_name(struct tx *tx, struct rooms *rooms, user_no user, const char *name)
{
    char *now = profiles_get_string(tx->db, user, "displayname");
    bool same = now != NULL && strcmp(now, name) == 0;
    free(now);
    if (same)
        return true;
    struct text json = TEXT_INIT;
    text_add_json(&json, name);
    bool done = profiles_put(tx, user, "displayname", json.data);
    text_finish(&json);
    if (done)
        membership_profile_changed(rooms, tx, user, users_no(tx->db, SERVICE_LOCALPART));
    return done;
}

/* A state that somebody else gave (suspended, left …) stays when it opens. */
bool people_set_enabled(struct tx *tx, user_no user, bool enabled)
{
    struct user_row row;
    users_get(tx->db, user, &row);
    enum account_state now = row.state;
    user_row_finish(&row);
    if (enabled ? now != ACCOUNT_LOCKED : now == ACCOUNT_LEFT)
        return true;
    return users_set_state(tx, user, enabled ? ACCOUNT_ACTIVE : ACCOUNT_LOCKED) &&
           (enabled || devices_delete_all(tx, user, 0));
}
