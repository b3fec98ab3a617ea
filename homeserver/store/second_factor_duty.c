#include "homeserver/store/second_factor_duty.h"

#include "homeserver/base/clock.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/school/roles.h"

static school_day made_on(struct db *db, user_no user)
{
    struct user_row row;
    school_day day = users_get(db, user, &row) ? day_of_ms(row.created_ms) : DAY_EVER;
    user_row_finish(&row);
    return day;
}

school_day second_factor_day(struct db *db, const struct school_policy *policy, school_no school, user_no user)
{
    char day[DAY_TEXT_BYTES];
    struct role_row row;
    unsigned bound = 0;
    school_day since = DAY_NEVER;
    if (policy->second_factor.roles == 0)
        return DAY_NEVER;
    struct stmt *q = roles_now(db, user, day);
    while (roles_next(q, &row))
        if (row.school == school && (row.role & policy->second_factor.roles) != 0) {
            bound |= row.role;
            since = row.begin < since ? row.begin : since;
        }
    stmt_end(q);
    school_day made = made_on(db, user);
    return school_policy_factor_day(policy, bound, since > made ? since : made);
}

void second_factor_duty(struct db *db, user_no user, struct second_factor_duty *out)
{
    school_no schools[PAIR_SCHOOLS_MAX];
    struct school_policy policy;
    int n;
    *out = (struct second_factor_duty){.set = second_factors_has(db, user), .from = DAY_NEVER};
    school_schools_of(db, user, schools, PAIR_SCHOOLS_MAX, &n);
    for (int i = 0; i < n && i < PAIR_SCHOOLS_MAX; ++i) {
        policies_in_force(db, schools[i], &policy);
        school_day day = second_factor_day(db, &policy, schools[i], user);
        out->from = day < out->from ? day : out->from;
    }
    out->missing = !out->set && out->from <= day_of_ms(clock_wall_ms());
}
