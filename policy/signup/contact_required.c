#include "policy/signup/contact_required.h"

#include "homeserver/store/school/cards.h"

#define EMAIL (1u << CONTACT_EMAIL)
#define PHONE (1u << CONTACT_PHONE)
#define PRIMARY_GRADE_LAST 4

static bool is_primary(struct db *db, const struct link_row *link)
{
    struct place_card card;
    bool found = link->class != 0 && place_card_get(db, link->school, link->class, &card);
    int grade = found ? card.grade : 0;
    if (found)
        place_card_finish(&card);
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

static bool refused(struct error *e, const char *ru, const char *en)
{
    error_set_field(e, ERROR_FORBIDDEN, ru, "org.parta.rule", "C3");
    e->translation = en;
    return false;
}

static bool missing(unsigned needed, struct error *e)
{
    switch (needed) {
    case PHONE:
        return refused(e, "Сначала подтвердите номер телефона: на него придёт код.",
                       "Verify a phone number first: a code will be sent to it.");
    case EMAIL:
        return refused(e, "Сначала подтвердите адрес электронной почты: на него придёт код.",
                       "Verify an e-mail address first: a code will be sent to it.");
    default:
        return refused(e, "Сначала подтвердите номер телефона или адрес электронной почты: туда придёт код.",
                       "Verify a phone number or an e-mail address first: a code will be sent there.");
    }
}

bool contact_required_met(struct db *db, const struct contacts *contacts, const struct link_row *link,
                          const struct contact_address *address, struct error *e)
{
    unsigned needed = contact_required(db, contacts, link);
    if (address == NULL)
        return needed == 0 || missing(needed, e);
    return (contact_required_kinds(db, link) & 1u << address->medium) != 0 ||
           refused(
               e,
               "По электронной почте регистрируются только ученики 1–4 классов, по ссылке класса. Нужен личный номер "
               "телефона ученика.",
               "Only pupils of grades 1 to 4 sign up with an e-mail address, by the class's link. The pupil's own "
               "phone "
               "number is needed.");
}

bool contact_required_met_by(struct db *db, const struct contacts *contacts, const struct link_row *link, user_no user,
                             struct error *e)
{
    struct person_card card;
    unsigned needed = contact_required(db, contacts, link);
    bool known = person_card_get(db, user, &card);
    person_card_finish(&card);
    if (known || needed == 0 || ((needed & EMAIL) != 0 && contacts_count(db, user, CONTACT_EMAIL) > 0) ||
        ((needed & PHONE) != 0 && contacts_count(db, user, CONTACT_PHONE) > 0))
        return true;
    return missing(needed, e);
}
