#include "policy/signup/contact_required.h"

#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/people.h"
#include "policy/rules/refusals.h"

#define EMAIL (1u << CONTACT_EMAIL)
#define PHONE (1u << CONTACT_PHONE)
#define PRIMARY_GRADE_LAST 4

static bool is_primary(struct db *db, const struct link_row *link)
{
    struct class_row class;
    int grade = classes_get(db, link->class, &class) && !class.ended ? class_grade(&class) : 0;
    class_row_finish(&class);
    return grade >= 1 && grade <= PRIMARY_GRADE_LAST;
}

unsigned contact_required_kinds(struct db *db, const struct link_row *link)
{
    if (link->role != ROLE_PUPIL)
        return EMAIL | PHONE;
    return link->kind == LINK_CLASS && is_primary(db, link) ? EMAIL | PHONE : PHONE;
}

unsigned contact_required(struct db *db, const struct contacts *contacts, const struct link_row *link)
{
    unsigned offered = (contacts_offered(contacts, CONTACT_EMAIL) ? EMAIL : 0) |
                       (contacts_offered(contacts, CONTACT_PHONE) ? PHONE : 0);
    return link->kind != LINK_PERSONAL ? contact_required_kinds(db, link) & offered : 0;
}

static bool missing(unsigned needed, struct error *e)
{
    return rule_refuse(e, needed == PHONE   ? RULE_C3_PHONE_NEEDED
                          : needed == EMAIL ? RULE_C3_EMAIL_NEEDED
                                            : RULE_C3_CONTACT_NEEDED);
}

bool contact_required_met(struct db *db, const struct contacts *contacts, const struct link_row *link,
                          const struct contact_address *address, struct error *e)
{
    unsigned needed = contact_required(db, contacts, link);
    if (address == NULL)
        return needed == 0 || missing(needed, e);
    return (contact_required_kinds(db, link) & 1u << address->medium) != 0 ||
           rule_refuse(e, RULE_C3_PUPILS_PHONE_NEEDED);
}

bool contact_required_met_by(struct db *db, const struct contacts *contacts, const struct link_row *link, user_no user,
                             struct error *e)
{
    struct person_row person;
    unsigned needed = contact_required(db, contacts, link);
    bool known = people_get(db, user, &person);
    person_row_finish(&person);
    if (known || needed == 0 || ((needed & EMAIL) != 0 && contacts_count(db, user, CONTACT_EMAIL) > 0) ||
        ((needed & PHONE) != 0 && contacts_count(db, user, CONTACT_PHONE) > 0))
        return true;
    return missing(needed, e);
}
