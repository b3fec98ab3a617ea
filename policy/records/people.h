/* A person's account and name, for imports and single changes alike. Inside a job. */
#ifndef PARTA_POLICY_RECORDS_PEOPLE_H
#define PARTA_POLICY_RECORDS_PEOPLE_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/store/school/people.h"
#include "policy/rules/school_policy.h"

struct rooms;
struct tx;

unsigned people_roles(struct db *db, user_no user); /* enum school_role, in any school and at any time */

/* A person's name as others see it: a pupil's "Иванова Мария", an adult's with the patronymic by which they are
 * addressed, "Борисова Юлия Николаевна"; in English "Maria Ivanova". Appends. */
void people_name_add(struct text *out, const struct person_row *person, unsigned roles, enum school_language language);

/* Makes it the display name, in the rooms too; nothing happens when it is so already. false: the database failed. */
bool people_set_name(struct tx *tx, struct rooms *rooms, user_no user, const char *name);

/* Whether they may sign in, as their record says: a locked account opens; one that is not locked yet is, and its
 * sessions end. false: the database failed. */
bool people_set_enabled(struct tx *tx, user_no user, bool enabled);

#endif
