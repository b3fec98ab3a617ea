/* Whether a school asks somebody of its staff for a second factor, and from which day on (school.md H1): read of their
 * roles, the schools' policies and the factor itself. What it binds says policy/rules; what of it is theirs to know is
 * told on the account's page, after signing in and by explain.
 *
 * A role counts from its first day, or from the making of the account where that is later, and whoever gets one has the
 * policy's days for it. Who is bound in one school is bound: there is one account and one password (B2). Reads; in a
 * job through tx->db. */
#ifndef PARTA_STORE_SECOND_FACTOR_DUTY_H
#define PARTA_STORE_SECOND_FACTOR_DUTY_H

#include <stdbool.h>

#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"

struct db;
struct school_policy;

struct second_factor_duty {
    bool set;        /* they have one */
    school_day from; /* it is asked of them from that day on; DAY_NEVER: it is not */
    bool missing;    /* that day has come, and they have none */
};

/* By the policies in force of all their schools. */
void second_factor_duty(struct db *db, user_no user, struct second_factor_duty *out);

/* The day by that policy of that school. */
school_day second_factor_day(struct db *db, const struct school_policy *policy, school_no school, user_no user);

#endif
