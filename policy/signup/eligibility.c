#include "policy/signup/eligibility.h"

#include "homeserver/accounts/contacts.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/applications.h"
#include "homeserver/store/school/guardianships.h"
#include "policy/records/office_act.h"

/* C4: by a link a parent's account becomes no pupil's, of whatever age: it would be the child's. */
static bool asks_as_guardian(struct db *db, user_no user)
{
    struct application_row row;
    bool asks = guardianships_children(db, user, NULL, 0) > 0;
    struct stmt *q = applications_open_of(db, user);
    while (applications_next(q, &row))
        asks = asks || row.role == ROLE_GUARDIAN;
    stmt_end(q);
    return asks;
}

bool eligible_for_role(struct changing_records *c, user_no user, enum school_role role, school_no school)
{
    struct office_act office;
    const struct subject subject = {.school = school, .target = user, .role = (unsigned)role};
    if (role == ROLE_PUPIL && asks_as_guardian(c->tx->db, user))
        return rule_refuse(c->e, RULE_C4_ACCOUNT_OF_PARENT);
    office_act_for(&office, c, NULL);
    return office_act_gate(&office.records, ACT_ROLES, &subject);
}

bool eligible_as_guardian(struct db *db, bool school_mode, const struct actor *user, const struct contacts *contacts,
                          user_no child, struct error *e)
{
    bool offered = contacts_offered(contacts, CONTACT_EMAIL) || contacts_offered(contacts, CONTACT_PHONE);
    const struct subject subject = {.target = child,
                                    .own_contact = offered && contacts_count(db, user->user, CONTACT_EMAIL) == 0 &&
                                                   contacts_count(db, user->user, CONTACT_PHONE) == 0};
    user_no guardians[GUARDIANS_MAX];
    int n = guardianships_guardians(db, child, guardians, GUARDIANS_MAX);
    for (int i = 0; i < n && i < GUARDIANS_MAX; ++i)
        if (guardians[i] == user->user)
            return error_set(e, ERROR_CONFLICT, "They are the child's guardian already.");
    return school_gate(db, school_mode, user, ACT_BECOME_GUARDIAN, &subject, NULL, NULL, e);
}
