#include "policy/signup/guardians.h"

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"
#include "policy/signup/applications.h"
#include "policy/signup/eligibility.h"
#include "policy/signup/links.h"
#include "policy/records/office_act.h"
#include "policy/school_rooms/documents.h"

/* --- D2, D4 --- */

/* The link; an account that was made by it goes on with it although that was its use. */
static bool link_of(struct db *db, const char *token, user_no user, int64_t now_ms, struct guardian_view *out,
                    struct error *e)
{
    struct link_row *link = &out->link;
    *out = (struct guardian_view){0};
    if (links_find(db, token, link) && link->kind == LINK_GUARDIAN)
        out->begun = applications_begun(db, user, link->no);
    bool spent = out->begun != 0 && link->revoked_ms == 0 && link->expires_ms > now_ms;
    if (!spent && !link_find(db, token, now_ms, link, e))
        return false;
    return link->kind == LINK_GUARDIAN || rule_refuse(e, RULE_D1_NOT_A_GUARDIANS_LINK);
}

bool guardian_look(struct db *db, bool school_mode, const struct actor *actor, const struct contacts *contacts,
                   const char *token, int64_t now_ms, struct guardian_view *out, struct error *e)
{
    return link_of(db, token, actor->user, now_ms, out, e) &&
           eligible_as_guardian(db, school_mode, actor, contacts, out->link.person, e);
}

/* The child's part of it, whoever comes. */
static bool child_asks(struct db *db, user_no child, school_no school)
{
    struct school_policy policy;
    policies_in_force(db, school, &policy);
    return policy.guardian_needs_approval || custodies_stand(db, child);
}

bool guardian_waits(struct db *db, user_no child, user_no user)
{
    school_no school;
    class_no class;
    return !enrollments_place_of_pupil(db, child, &school, &class) || child_asks(db, child, school) ||
           school_meets_in_class(db, class, user) != 0;
}

int64_t guardian_child_version(struct db *db, user_no child)
{
    struct person_row person;
    struct text shown = TEXT_INIT;
    unsigned char hash[TOKEN_HASH_BYTES];
    int64_t version = 0;
    school_no school;
    class_no class;
    if (!enrollments_place_of_pupil(db, child, &school, &class))
        return 0;
    people_get(db, child, &person);
    text_addf(&shown, "%lld %lld %lld %lld %d", (long long)child, (long long)person.version, (long long)school,
              (long long)class, (int)child_asks(db, child, school));
    person_row_finish(&person);
    token_hash(shown.data, hash);
    for (size_t i = 0; i < sizeof version; ++i)
        version = (version << 8 | hash[i]) & INT64_C(0x1fffffffffffff);
    text_finish(&shown);
    return version | 1;
}

/* --- Confirming --- */

static bool child_place(struct changing_records *c, user_no child, school_no *school, class_no *class)
{
    return enrollments_place_of_pupil(c->tx->db, child, school, class) ||
           error_set(c->e, ERROR_NOT_FOUND, "The child is not a pupil of any school now.");
}

static application_no begin(struct changing_records *c, user_no user, const struct link_row *link,
                            const struct applicant *self, enum application_state state)
{
    struct application_row row = {.kind = APPLICATION_GUARDIAN,
                                  .state = state,
                                  .user = user,
                                  .link = link->no,
                                  .role = ROLE_GUARDIAN,
                                  .child = link->person,
                                  .person = *self};
    if (!child_place(c, link->person, &row.school, &row.class))
        return 0;
    row.no = applications_same(c->tx->db, &row); /* begun by another link of the child's */
    if (row.no != 0) {
        applications_wait(c->tx, row.no);
        return row.no;
    }
    row.no = applications_insert(c->tx, &row);
    if (row.no == 0)
        error_set(c->e, ERROR_UNKNOWN, NULL);
    return row.no != 0 && bound_kept(c->tx->db, BOUND_APPLICATIONS, row.user, 0, c->e) ? row.no : 0;
}

application_no guardian_begin(struct changing_records *c, user_no user, const struct link_row *link,
                              const struct applicant *self)
{
    application_no no = begin(c, user, link, self, APPLICATION_BEGUN);
    return no != 0 && eligible_for_role(c, user, ROLE_GUARDIAN, 0) ? no : 0;
}

/* The application that stands for this confirmation: the one begun with the account, or a new one,
 * which uses the link. */
static application_no stand(struct changing_records *c, const struct guardian_confirmation *how,
                            const struct guardian_view *view)
{
    struct link_row link;
    if (view->begun != 0) {
        if (!applications_wait(c->tx, view->begun))
            error_set(c->e, ERROR_UNKNOWN, NULL);
        return view->begun;
    }
    return link_use(c->tx, how->token, &link, c->e) ? begin(c, c->actor->user, &link, &how->self, APPLICATION_WAITING)
                                                    : 0;
}

static json_t *pair(const struct changing_records *c, user_no child, user_no guardian)
{
    return json_pack("{s:s, s:s}", "child", office_act_user_id(c, child), "guardian", office_act_user_id(c, guardian));
}

/* C2, D2: the child's own link names the child, so that the school need not approve, unless it wants to. */
static bool admit(struct changing_records *c, application_no no, const struct guardian_confirmation *how)
{
    struct application_row row;
    struct office_act office;
    if (!applications_get(c->tx->db, no, &row))
        return error_set(c->e, ERROR_UNKNOWN, NULL);
    struct applicant self = applicant_over(&how->self, &row.person);
    self.birth = DAY_EVER; /* D10: nobody of the office has looked at it */
    office_act_for(&office, c, NULL);
    bool done = application_person(&office.records, row.user, &self, row.school) &&
                change_guardianship(&office.records, row.child, row.user) &&
                (applications_decide(c->tx, no, APPLICATION_APPROVED, c->actor->name, "") ||
                 error_set(c->e, ERROR_UNKNOWN, NULL)) &&
                office_act_note(c, "guardian.confirm", row.school, pair(c, row.child, row.user), NULL, NULL) &&
                documents_ensure(c->rooms, c->tx, row.user, c->e);
    application_finish(&row);
    return done;
}

/* Who waits for the school's word must have said who they are. */
static bool wait(struct changing_records *c, application_no no, const struct guardian_confirmation *how)
{
    struct application_row row;
    if (!applications_get(c->tx->db, no, &row))
        return error_set(c->e, ERROR_UNKNOWN, NULL);
    const struct applicant self = applicant_over(&how->self, &row.person);
    bool done = (applications_set_person(c->tx, no, &self) || error_set(c->e, ERROR_UNKNOWN, NULL)) &&
                office_act_note(c, "application.create", row.school, pair(c, row.child, row.user), NULL, NULL);
    application_finish(&row);
    return done;
}

static bool says_a_name(const struct applicant *p)
{
    return p->given[0] != '\0' || p->family[0] != '\0' || p->middle[0] != '\0';
}

/* D2, D10. What a roster keeps, and what rules depend on, whoever keeps it, the office corrects: it is asked to. A name
 * in a record of the school's own is changed at once. */
static bool correct(struct changing_records *c, user_no child, const struct applicant *p, bool ask,
                    enum correction_outcome *outcome)
{
    struct person_row person;
    school_no school;
    class_no class;
    struct applicant names = *p, asked = APPLICANT_NOBODY;
    *outcome = CORRECTION_NONE;
    if (!says_a_name(p) && p->birth == DAY_EVER && p->note[0] == '\0')
        return true;
    if (!child_place(c, child, &school, &class) || !people_get(c->tx->db, child, &person))
        return error_set(c->e, ERROR_NOT_FOUND, NULL);
    bool kept = source_is_roster(person.source) || ask;
    if (kept)
        asked = *p;
    else if (p->birth != person.birth)
        asked.birth = p->birth;
    person_row_finish(&person);
    asked.note = p->note;
    names.birth = DAY_EVER;
    bool now = !kept && says_a_name(p), later = says_a_name(&asked) || asked.birth != DAY_EVER || asked.note[0] != '\0';
    *outcome = now && later ? CORRECTION_IN_PART : later ? CORRECTION_WAITS : now ? CORRECTION_MADE : CORRECTION_NONE;
    return (!now || application_correct(c, child, &names, school, NULL)) &&
           (!later || application_ask_correction(c, c->actor->user, child, &asked));
}

bool guardian_confirm(struct changing_records *c, const struct guardian_confirmation *how,
                      enum guardian_outcome *outcome, enum correction_outcome *correction)
{
    struct guardian_view view;
    bool school_mode = rooms_settings(c->rooms)->school_mode;
    if (!applicant_valid(&how->self, c->e) || !applicant_valid(&how->child, c->e) ||
        !guardian_look(c->tx->db, school_mode, c->actor, how->contacts, how->token, c->tx->now_ms, &view, c->e) ||
        !change_decides_on(c, how->seen, guardian_child_version(c->tx->db, view.link.person)))
        return false;
    application_no no = stand(c, how, &view);
    if (no == 0)
        return false;
    *outcome = guardian_waits(c->tx->db, view.link.person, c->actor->user) ? GUARDIAN_WAITS : GUARDIAN_CONFIRMED;
    return (*outcome == GUARDIAN_WAITS ? wait(c, no, how) : admit(c, no, how)) &&
           correct(c, view.link.person, &how->child, *outcome == GUARDIAN_WAITS, correction);
}

/* --- Afterwards --- */

bool guardian_withdraw(struct changing_records *c, user_no child)
{
    struct office_act office;
    user_no guardians[GUARDIANS_MAX];
    const struct subject subject = {.target = child};
    int n = guardianships_guardians(c->tx->db, child, guardians, GUARDIANS_MAX);
    bool is = false;
    for (int i = 0; i < n && i < GUARDIANS_MAX; ++i)
        is = is || guardians[i] == c->actor->user;
    if (!is)
        return error_set(c->e, ERROR_NOT_FOUND, "You are not this person's guardian.");
    office_act_for(&office, c, "the guardian withdrew");
    return office_act_gate(c, ACT_END_GUARDIAN, &subject) &&
           change_guardianship_end(&office.records, child, c->actor->user) &&
           (audit_append(c->tx, rooms_settings(c->rooms)->key,
                         &(struct audit_note){.actor = c->actor,
                                              .act = "guardian.withdraw",
                                              .about = child,
                                              .subject = pair(c, child, c->actor->user)}) ||
            error_set(c->e, ERROR_UNKNOWN, NULL));
}

bool guardian_may_see(struct db *db, bool school_mode, const struct actor *actor, user_no child, struct error *e)
{
    const struct subject subject = {.target = child};
    return school_gate(db, school_mode, actor, ACT_CHILD, &subject, NULL, NULL, e);
}

bool guardian_correct(struct changing_records *c, user_no child, const struct applicant *person, int64_t seen,
                      enum correction_outcome *outcome)
{
    const struct subject subject = {.target = child};
    return applicant_valid(person, c->e) &&
           guardian_may_see(c->tx->db, rooms_settings(c->rooms)->school_mode, c->actor, child, c->e) &&
           office_act_gate(c, ACT_END_GUARDIAN,
                           &subject) && /* who may look may still be suspended (A3), and not write */
           change_decides_on(c, seen, guardian_child_version(c->tx->db, child)) &&
           correct(c, child, person, false, outcome);
}
