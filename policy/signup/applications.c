#include "policy/signup/applications.h"

#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/base/names.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/links.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/rooms/rooms.h"
#include "policy/signup/links.h"
#include "policy/records/office_act.h"
#include "policy/school_rooms/documents.h"
#include "policy/signup/contact_required.h"
#include "policy/signup/eligibility.h"

/* --- What an applicant says --- */

static bool plain(const char *text, size_t max)
{
    return strlen(text) <= max && text_is_line(text);
}

bool applicant_valid(const struct applicant *p, struct error *e)
{
    const struct {
        const char *parameter, *said;
    } names[] = {{"given_name", p->given}, {"family_name", p->family}, {"middle_name", p->middle}};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (*names[i].said != '\0' && !name_valid(names[i].said, PERSON_NAME_MAX))
            return error_set_parameter(
                e, ERROR_INVALID_PARAM, names[i].parameter,
                "A name is one line of at most 120 bytes that can be seen, without control characters.");
    if (!day_is_birth(p->birth))
        return error_set_parameter(e, ERROR_INVALID_PARAM, "birth_date",
                                   "The birth date is not a day on which anybody was born.");
    return plain(p->note, APPLICATION_NOTE_MAX) ||
           error_set_parameter(e, ERROR_INVALID_PARAM, "note", "The note is one line of at most 1000 bytes.");
}

static const char *either(const char *said, const char *before)
{
    return said[0] != '\0' ? said : before;
}

struct applicant applicant_over(const struct applicant *said, const struct applicant *before)
{
    return (struct applicant){either(said->given, before->given), either(said->family, before->family),
                              either(said->middle, before->middle),
                              said->birth != DAY_EVER ? said->birth : before->birth, either(said->note, before->note)};
}

/* --- Applying --- */

static json_t *named(const struct changing_records *c, const struct application_row *row)
{
    json_t *subject = json_pack("{s:I, s:s, s:s}", "application", (json_int_t)row->no, "kind",
                                application_kind_name(row->kind), "user", office_act_user_id(c, row->user));
    if (row->class != 0)
        json_object_set_new(subject, "class", office_act_class_id(c, row->class));
    if (row->role != 0)
        json_object_set_new(subject, "role", json_string(school_role_name(row->role)));
    if (row->child != 0)
        json_object_set_new(subject, "child", json_string(office_act_user_id(c, row->child)));
    if (row->link != 0)
        json_object_set_new(subject, "link", json_integer(row->link));
    return subject;
}

application_no application_make(struct changing_records *c, user_no user, const struct link_row *link,
                                const struct applicant *person)
{
    struct application_row row = {.kind = APPLICATION_JOIN,
                                  .state = APPLICATION_WAITING,
                                  .user = user,
                                  .link = link->no,
                                  .school = link->school,
                                  .class = link->class,
                                  .role = link->role,
                                  .person = *person};
    if (applications_same(c->tx->db, &row) != 0)
        error_set(c->e, ERROR_CONFLICT, "You have applied for this already, and the school has not decided yet.");
    else if ((row.no = applications_insert(c->tx, &row)) == 0)
        error_set(c->e, ERROR_UNKNOWN, NULL);
    return row.no != 0 && bound_kept(c->tx->db, BOUND_APPLICATIONS, user, 0, c->e) &&
                   eligible_for_role(c, user, row.role, row.school) &&
                   office_act_note(c, "application.create", row.school, named(c, &row), NULL, NULL)
               ? row.no
               : 0;
}

application_no application_apply(struct changing_records *c, const struct contacts *contacts, const char *token,
                                 const struct applicant *person)
{
    struct link_row link;
    if (!applicant_valid(person, c->e) || !link_find(c->tx->db, token, c->tx->now_ms, &link, c->e))
        return 0;
    if (link.kind != LINK_CLASS && link.kind != LINK_SCHOOL)
        return rule_refuse(c->e, RULE_C2_LINK_NOT_FOR_JOINING);
    if (!contact_required_met_by(c->tx->db, contacts, &link, c->actor->user, c->e) ||
        !link_use(c->tx, token, &link, c->e))
        return 0;
    return application_make(c, c->actor->user, &link, person);
}

int64_t application_version(struct db *db, const struct application_row *row)
{
    struct person_row record;
    if (row->kind != APPLICATION_CORRECTION)
        return row->version;
    people_get(db, row->child, &record);
    int64_t of_record = record.version;
    person_row_finish(&record);
    return row->version * (INT64_C(1) << 24) + of_record % (1 << 24);
}

/* The application, if it is there for the caller to know of (A1), and not decided. */
static bool open_one(struct changing_records *c, application_no no, struct application_row *row)
{
    bool known = applications_get(c->tx->db, no, row);
    if (!known || (row->user != c->actor->user && !office_act_knows(c, row->school)))
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such application.");
    return row->state == APPLICATION_WAITING || row->state == APPLICATION_BEGUN ||
           error_set(c->e, ERROR_CONFLICT, "This application has been decided already.");
}

bool application_is_own(struct db *db, const struct application_row *row, user_no user)
{
    return user != 0 && row->user == user && (row->child == 0 || !school_apart(db, user, row->child));
}

/* The applicant's own; others' are told as those that do not exist. */
static bool own_one(struct changing_records *c, application_no no, int64_t if_version, struct application_row *row)
{
    if (!applications_get(c->tx->db, no, row) || !application_is_own(c->tx->db, row, c->actor->user))
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such application.");
    application_finish(row);
    if (!open_one(c, no, row))
        return false;
    return if_version == 0 || change_decides_on(c, if_version, application_version(c->tx->db, row));
}

bool application_edit(struct changing_records *c, application_no no, const struct applicant *person, int64_t if_version)
{
    struct application_row row = {0};
    bool done = applicant_valid(person, c->e) && own_one(c, no, if_version, &row);
    if (done) {
        struct applicant now = applicant_over(person, &row.person);
        done = (applications_set_person(c->tx, no, &now) || error_set(c->e, ERROR_UNKNOWN, NULL)) &&
               eligible_for_role(c, row.user, row.role, row.school);
    }
    application_finish(&row);
    return done;
}

/* reason: told the applicant; because: the office's alone, for the log. */
static bool decide(struct changing_records *c, const struct application_row *row, enum application_state state,
                   const char *act, const char *reason, const char *because)
{
    return (applications_decide(c->tx, row->no, state, c->actor->name, reason) ||
            error_set(c->e, ERROR_UNKNOWN, NULL)) &&
           office_act_note(c, act, row->school, named(c, row), NULL, because);
}

bool application_withdraw(struct changing_records *c, application_no no, int64_t if_version)
{
    struct application_row row = {0};
    bool done =
        own_one(c, no, if_version, &row) && decide(c, &row, APPLICATION_WITHDRAWN, "application.withdraw", "", NULL);
    application_finish(&row);
    return done;
}

/* --- Deciding --- */

/* Who becomes a teacher is not for a class teacher to say, even of their own class. */
static struct subject of_application(const struct application_row *row)
{
    bool family = row->role == 0 || ((unsigned)row->role & ROLES_FAMILY) != 0;
    return (struct subject){.school = row->school,
                            .class = family ? row->class : 0,
                            .target = row->user,
                            .other = row->child,
                            .role = (unsigned)row->role};
}

bool application_person(struct changing_records *c, user_no user, const struct applicant *p, school_no school)
{
    struct person_row now;
    bool known = people_get(c->tx->db, user, &now); /* who has left comes back with the next record */
    person_row_finish(&now);
    if (known)
        return true;
    if (p->given[0] == '\0' || p->family[0] == '\0')
        return error_set_parameter(c->e, ERROR_MISSING_PARAM, "given_name",
                                   "Given name and family name must be known.");
    const struct person_row row = {
        .given = p->given, .family = p->family, .middle = p->middle, .birth = p->birth, .enabled = true};
    return change_person_of_account(c, user, &row, school) != 0;
}

bool application_correct(struct changing_records *c, user_no child, const struct applicant *p, school_no school,
                         const char *because)
{
    struct person_row record;
    struct office_act office;
    bool found = people_get(c->tx->db, child, &record) && !record.ended;
    if (found) {
        const struct applicant before = {record.given, record.family, record.middle, record.birth, ""};
        const struct applicant now = applicant_over(p, &before);
        struct person_row row = record;
        row.given = now.given;
        row.family = now.family;
        row.middle = now.middle;
        row.birth = now.birth;
        office_act_for(&office, c, because);
        found = change_person(&office.records, &row, school, 0) != 0;
    } else {
        error_set(c->e, ERROR_NOT_FOUND, "No school's records have such a person.");
    }
    person_row_finish(&record);
    return found;
}

/* Whether an open application says just this already: then the version that the office was shown stays. */
static bool asks_so(struct db *db, application_no no, const struct applicant *person)
{
    struct application_row row;
    const struct applicant *p = &row.person;
    bool same = applications_get(db, no, &row) && strcmp(p->given, person->given) == 0 &&
                strcmp(p->family, person->family) == 0 && strcmp(p->middle, person->middle) == 0 &&
                p->birth == person->birth && strcmp(p->note, person->note) == 0;
    application_finish(&row);
    return same;
}

/* A note alone comes beside what was asked for before. */
static bool ask_otherwise(struct changing_records *c, application_no no, const struct applicant *person)
{
    struct application_row row;
    bool note_alone =
        person->given[0] == '\0' && person->family[0] == '\0' && person->middle[0] == '\0' && person->birth == DAY_EVER;
    if (asks_so(c->tx->db, no, person))
        return true;
    const struct applicant now =
        applications_get(c->tx->db, no, &row) && note_alone ? applicant_over(person, &row.person) : *person;
    bool done = applications_set_person(c->tx, no, &now) || error_set(c->e, ERROR_UNKNOWN, NULL);
    application_finish(&row);
    return done;
}

/* One open application of a kind: who asks once more, otherwise, is in the log already. */
bool application_ask_correction(struct changing_records *c, user_no user, user_no child, const struct applicant *person)
{
    struct application_row row = {
        .kind = APPLICATION_CORRECTION, .state = APPLICATION_WAITING, .user = user, .child = child, .person = *person};
    if (!enrollments_place_of_pupil(c->tx->db, child, &row.school, &row.class))
        return error_set(c->e, ERROR_NOT_FOUND, "The child is not a pupil of any school now.");
    row.no = applications_same(c->tx->db, &row);
    if (row.no != 0)
        return ask_otherwise(c, row.no, person);
    row.no = applications_insert(c->tx, &row);
    return (row.no != 0 || error_set(c->e, ERROR_UNKNOWN, NULL)) &&
           bound_kept(c->tx->db, BOUND_APPLICATIONS, user, 0, c->e) &&
           office_act_note(c, "correction.ask", row.school, named(c, &row), NULL, NULL);
}

/* D2, D4, D5: what the guardian to be was asked when they asked, is asked of them again. */
static bool still_eligible(struct changing_records *c, const struct application_row *row, user_no child,
                           const struct approval *approval)
{
    const struct actor user = {.user = row->user, .name = office_act_user_id(c, row->user)};
    return eligible_as_guardian(c->tx->db, rooms_settings(c->rooms)->school_mode, &user, approval->contacts, child,
                                c->e);
}

/* C3: likewise the address that the link asks for. */
static bool still_reachable(struct changing_records *c, const struct application_row *row,
                            const struct approval *approval)
{
    struct link_row link;
    return row->link == 0 || !links_get(c->tx->db, row->link, &link) ||
           contact_required_met_by(c->tx->db, approval->contacts, &link, row->user, c->e);
}

/* C2: a class link says "a guardian of this class"; whoever approves says of whom. */
static bool approve_children(struct changing_records *c, const struct application_row *row,
                             const struct approval *approval)
{
    school_no school;
    class_no class;
    if (approval->n_children == 0)
        return error_set_parameter(c->e, ERROR_MISSING_PARAM, "children", "Say whose guardian this is: children.");
    for (size_t i = 0; i < approval->n_children; ++i) {
        if (!enrollments_place_of_pupil(c->tx->db, approval->children[i], &school, &class) || school != row->school ||
            class != row->class)
            return error_set_parameter(c->e, ERROR_INVALID_PARAM, "children",
                                       "The child is not a pupil of the link's class.");
        if (!still_eligible(c, row, approval->children[i], approval) ||
            !change_guardianship(c, approval->children[i], row->user))
            return false;
    }
    return true;
}

static bool approve_join(struct changing_records *c, const struct application_row *row, const struct approval *approval)
{
    const struct enrollment_row enrollment = {
        .class = row->class, .user = row->user, .role = row->role, .begin = DAY_EVER, .end = DAY_NEVER};
    const struct role_row role = {
        .user = row->user, .school = row->school, .role = row->role, .begin = DAY_EVER, .end = DAY_NEVER};
    if (!eligible_for_role(c, row->user, row->role, row->school) || !still_reachable(c, row, approval) ||
        !application_person(c, row->user, &row->person, row->school))
        return false;
    if (row->role == ROLE_GUARDIAN)
        return approve_children(c, row, approval);
    return row->class != 0 ? change_enrollment(c, &enrollment) : change_role(c, &role);
}

/* Whoever has moved to another school meanwhile is that school's to decide on (A1). */
static bool still_there(struct changing_records *c, const struct application_row *row)
{
    return (school_roles(c->tx->db, row->school, row->child) & ROLE_PUPIL) != 0 ||
           error_set(c->e, ERROR_CONFLICT, "The child is not a pupil of this school any more.");
}

static bool approve_guardian(struct changing_records *c, const struct application_row *row,
                             const struct approval *approval)
{
    return still_there(c, row) && still_eligible(c, row, row->child, approval) && still_reachable(c, row, approval) &&
           application_person(c, row->user, &row->person, row->school) && change_guardianship(c, row->child, row->user);
}

static bool approve_correction(struct changing_records *c, const struct application_row *row,
                               const struct approval *approval)
{
    bool theirs = row->user == row->child || school_is_guardian(c->tx->db, row->user, row->child);
    return still_there(c, row) &&
           (theirs || error_set(c->e, ERROR_CONFLICT, "Whoever asked for this is not the child's guardian.")) &&
           application_correct(c, row->child, &row->person, row->school, c->actor->override_);
}

/* D10: of what the approver says who may not change records, as a class teacher may not: a corrected birth date is
 * refused; that of somebody who is let in waits for the office. */
static bool take_birth(struct changing_records *c, struct application_row *row, school_day *later)
{
    struct error refusal = {0};
    bool correction = row->kind == APPLICATION_CORRECTION;
    const struct subject record = {.target = row->child}, entry = {.school = row->school};
    *later = DAY_EVER;
    if (row->person.birth == DAY_EVER ||
        school_gate(c->tx->db, rooms_settings(c->rooms)->school_mode, c->actor,
                    correction ? ACT_IDENTITY : ACT_RECORDS_WRITE, correction ? &record : &entry, NULL, NULL, &refusal))
        return true;
    if (correction) {
        *c->e = refusal;
        return false;
    }
    *later = row->person.birth;
    row->person.birth = DAY_EVER;
    return true;
}

static bool ask_for_birth(struct changing_records *c, const struct application_row *row, school_day birth)
{
    struct applicant asked = APPLICANT_NOBODY;
    struct person_row record;
    if (birth == DAY_EVER || row->role != ROLE_PUPIL)
        return true;
    asked.birth = birth;
    bool said = people_get(c->tx->db, row->user, &record) && record.birth == birth;
    person_row_finish(&record);
    return said || application_ask_correction(c, row->user, row->user, &asked);
}

/* D9: in which class the applicant would have a place, or would their child; 0: in none. */
static class_no place_asked(struct db *db, const struct application_row *row)
{
    school_no school;
    class_no class = row->class;
    if (row->kind == APPLICATION_GUARDIAN)
        enrollments_place_of_pupil(db, row->child, &school, &class);
    return row->kind == APPLICATION_CORRECTION ? 0 : class;
}

/* J4: somebody who makes links and approves them could become anybody whom they may let in; nor does anybody say of
 * their own child who is to be its guardian. *because: the override that was needed. */
static bool may_let_in(struct changing_records *c, const struct application_row *row, const struct approval *approval,
                       const char **because)
{
    struct subject subject = of_application(row);
    bool may = true, overridden = false;
    subject.link = row->link;
    subject.place = place_asked(c->tx->db, row);
    for (size_t i = 0; may && i <= approval->n_children; ++i) {
        if (i > 0)
            subject.other = approval->children[i - 1];
        may = school_gate(c->tx->db, rooms_settings(c->rooms)->school_mode, c->actor, ACT_APPROVE, &subject, NULL,
                          &overridden, c->e);
        if (overridden)
            *because = c->actor->override_;
    }
    return may;
}

bool application_approve(struct changing_records *c, application_no no, const struct approval *approval, int64_t seen)
{
    static bool (*const KINDS[APPLICATION_KIND__COUNT])(struct changing_records *, const struct application_row *,
                                                        const struct approval *) = {
        [APPLICATION_JOIN] = approve_join,
        [APPLICATION_GUARDIAN] = approve_guardian,
        [APPLICATION_CORRECTION] = approve_correction,
    };
    struct application_row row = {0};
    struct office_act office;
    school_day later = DAY_EVER;
    bool done = applicant_valid(&approval->person, c->e) && open_one(c, no, &row);
    const struct applicant person = applicant_over(&approval->person, &row.person);
    if (done && row.state == APPLICATION_BEGUN)
        done = error_set(c->e, ERROR_CONFLICT, "The guardian has not confirmed yet.");
    const char *because = NULL;
    office_act_for(&office, c, "an application was approved");
    done = done && may_let_in(c, &row, approval, &because) &&
           change_decides_on(c, seen, application_version(c->tx->db, &row)) &&
           (applications_set_person(c->tx, no, &person) || error_set(c->e, ERROR_UNKNOWN, NULL));
    row.person = person; /* borrowed from both; what is approved is what is asked about */
    done = done && take_birth(c, &row, &later) && KINDS[row.kind](&office.records, &row, approval) &&
           ask_for_birth(c, &row, later) && decide(c, &row, APPLICATION_APPROVED, "application.approve", "", because) &&
           documents_ensure(c->rooms, c->tx, row.user, c->e);
    application_finish(&row);
    return done;
}

bool application_refuse(struct changing_records *c, application_no no, const char *reason, int64_t seen)
{
    struct application_row row = {0};
    bool done = open_one(c, no, &row);
    const struct subject subject = of_application(&row);
    done =
        done && office_act_gate(c, ACT_APPROVE, &subject) &&
        change_decides_on(c, seen, application_version(c->tx->db, &row)) &&
        (plain(reason, APPLICATION_NOTE_MAX) ||
         error_set_parameter(c->e, ERROR_INVALID_PARAM, "reason", "The reason is one line of at most 1000 bytes.")) &&
        decide(c, &row, APPLICATION_REFUSED, "application.refuse", reason, *reason != '\0' ? reason : NULL);
    application_finish(&row);
    return done;
}

bool application_may_see(struct db *db, bool school_mode, const struct actor *actor, const struct application_row *row)
{
    struct error ignored;
    struct actor deciding = *actor;
    const struct subject subject = of_application(row);
    deciding.override_ = "a reason"; /* whoever can decide with one (D9) has to see what is to be decided */
    return school_gate(db, school_mode, &deciding, ACT_APPROVE, &subject, NULL, NULL, &ignored);
}
