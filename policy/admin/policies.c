#include "policy/admin/policies.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/second_factor_duty.h"
#include "policy/gate/reason.h"
#include "policy/records/reconcile.h"
#include "policy/records/office_act.h"

/* Over what is in force without it. */
static bool check_document(struct changing_records *c, school_no school, const json_t *document,
                           struct school_policy *read)
{
    struct school_policy base = SCHOOL_POLICY_DEFAULT;
    struct text problem = TEXT_INIT;
    if (school != 0)
        policies_in_force(c->tx->db, 0, &base);
    bool good = school_policy_read(document, &base, read, &problem);
    if (!good)
        error_set_field(c->e, ERROR_INVALID_PARAM, "The document is not a policy.", "org.parta.problem",
                        problem.data != NULL ? problem.data : "");
    text_finish(&problem);
    return good;
}

/* J4: whoever has no second factor, and is asked for one, does not put the day off for themself. */
static bool eases_own_factor(struct changing_records *c, school_no school, const struct school_policy *after)
{
    struct school_policy before;
    user_no user = c->actor->user;
    if (user == 0 || second_factors_has(c->tx->db, user))
        return false;
    policies_in_force(c->tx->db, school, &before);
    return second_factor_day(c->tx->db, after, school, user) > second_factor_day(c->tx->db, &before, school, user);
}

static bool check(struct changing_records *c, school_no school, const json_t *document, const char *reason,
                  int64_t if_version, int64_t now)
{
    if (school == 0 && c->actor->user != 0)
        return error_set(c->e, ERROR_FORBIDDEN, "The server's own policy is its operator's.");
    if (!office_act_gate(c, ACT_POLICY, &(struct subject){.school = school}))
        return false;
    if (if_version != 0 && if_version != now)
        return error_set(c->e, ERROR_PRECONDITION, NULL);
    if (!reason_valid(reason))
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "reason", "The reason says why in at least 10 letters.");
    struct school_policy after;
    return check_document(c, school, document, &after) &&
           office_act_gate(c, ACT_POLICY,
                           &(struct subject){.school = school, .eases_own = eases_own_factor(c, school, &after)});
}

/* What else follows from a policy. D7 asks how old a child is: a changed answer restricts pupils, or does so no more.
 * F4 and E9 stand in power levels, for clients. The language is what rooms and people are called in. */
static bool reconcile_policy(struct changing_records *c, school_no school, const struct school_policy *before)
{
    struct school_policy after;
    struct viewer everybody = viewer_of(0);
    struct person_row row;
    policies_in_force(c->tx->db, school, &after);
    struct reconciling *s = reconcile_begin(c->tx, c->rooms, NULL);
    if (before->consent_age != after.consent_age || before->unknown_age_is_child != after.unknown_age_is_child) {
        struct people_filter pupils = {.viewer = &everybody, .school = school, .role = "pupil"};
        struct people_list *people = people_list(c->tx->db, &pupils);
        while (people_list_next(people, &row))
            reconcile_touch(s, row.no);
        people_list_end(people);
    }
    if (before->polls != after.polls || memcmp(before->encryption, after.encryption, sizeof after.encryption) != 0)
        reconcile_levels(s, school);
    if (before->language != after.language)
        reconcile_language(s);
    return reconcile_finish(s, c->e);
}

int64_t admin_policy_set(struct changing_records *c, school_no school, const json_t *document, const char *reason,
                         int64_t if_version)
{
    int64_t now = policies_version(c->tx->db, school);
    struct school_policy before;
    if (!check(c, school, document, reason, if_version, now))
        return 0;
    policies_in_force(c->tx->db, school, &before);
    char *text = json_canonical(document);
    struct policy_row row = {.school = school,
                             .version = now + 1,
                             .document = text,
                             .author = c->actor->name,
                             .reason = reason,
                             .created_ms = c->tx->now_ms};
    bool done = strlen(text) <= POLICY_BYTES_MAX || error_set(c->e, ERROR_TOO_LARGE, "The document is too large.");
    done = done && (policies_insert(c->tx, &row) || error_set(c->e, ERROR_UNKNOWN, NULL)) &&
           office_act_note(c, "policy.set", school, NULL, json_pack("{s:O}", "document", document), reason) &&
           reconcile_policy(c, school, &before);
    free(text);
    return done ? row.version : 0;
}
