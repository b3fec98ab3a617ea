#include "policy/records/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/days.h"
#include "homeserver/accounts/new_account.h"
#include "homeserver/base/names.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/roster_members.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/school/taken.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"
#include "policy/gate/reason.h"
#include "policy/records/people.h"
#include "policy/records/reconcile.h"

#define GUARDIANSHIPS_MAX 16 /* of a child, those that are not (D9) included: so many are looked at */

/* One change on its way: gate, record, consequences, log. */
struct doing {
    const struct changing_records *c;
    struct reconciling *s; /* NULL: refused at the gate */
    bool overridden;
    user_no about; /* whose schools hear of it, whatever rows changed; 0: of nobody in particular */
};

static bool failed(const struct changing_records *c)
{
    return error_set(c->e, ERROR_UNKNOWN, NULL);
}

/* Asked behind the gate: whoever may not end a record is refused the same whether it is there or not, or a refusal
 * would tell whose guardian is who (A4, D9). */
static bool is_there(const struct changing_records *c, bool there, const char *missing)
{
    return there || error_set(c->e, ERROR_NOT_FOUND, missing);
}

/* A change of several effects asks for each (J3). */
static bool may(struct doing *d, enum act act, const struct subject *subject)
{
    const struct changing_records *c = d->c;
    bool overridden, allowed = school_gate(c->tx->db, rooms_settings(c->rooms)->school_mode, c->actor, act, subject,
                                           NULL, &overridden, c->e);
    d->overridden |= overridden;
    return allowed;
}

static bool start(struct doing *d, const struct changing_records *c, enum act act, const struct subject *subject)
{
    *d = (struct doing){.c = c};
    if (may(d, act, subject))
        d->s = reconcile_begin(c->tx, c->rooms, NULL);
    return d->s != NULL;
}

static json_t *user_json(const struct changing_records *c, user_no user)
{
    const char *id = user_names_get(rooms_settings(c->rooms)->names, c->tx->db, user);
    return json_string(id != NULL ? id : "");
}

/* {"user": …, "class": …, "guardian": …}: what is 0 is left out. */
static json_t *subject_json(const struct changing_records *c, user_no user, class_no class, user_no guardian)
{
    json_t *json = json_object();
    if (user != 0)
        json_object_set_new(json, "user", user_json(c, user));
    char *id = class != 0 ? classes_sourced_id(c->tx->db, class) : NULL;
    if (id != NULL)
        json_object_set_new(json, "class", json_string(id));
    free(id);
    if (guardian != 0)
        json_object_set_new(json, "guardian", user_json(c, guardian));
    return json;
}

/* Ends the change: good: reconciles and writes the log. Takes subject and details. */
static bool finish_because(struct doing *d, bool good, const char *act, school_no school, json_t *subject,
                           json_t *details, const char *reason)
{
    const struct changing_records *c = d->c;
    if (!good)
        reconcile_abandon(d->s);
    if (!good || !reconcile_finish(d->s, c->e)) {
        json_decref(subject);
        json_decref(details);
        return false;
    }
    struct audit_note note = {
        .actor = c->actor,
        .act = act,
        .school = school,
        .about = d->about,
        .subject = subject,
        .details = details,
        .reason = reason,
    };
    return audit_append(c->tx, rooms_settings(c->rooms)->key, &note) || failed(c);
}

static bool finish(struct doing *d, bool good, const char *act, school_no school, json_t *subject, json_t *details)
{
    return finish_because(d, good, act, school, subject, details, d->overridden ? d->c->actor->override_ : NULL);
}

static bool version_fits(const struct changing_records *c, int64_t stored, int64_t wanted)
{
    return wanted == 0 || wanted == stored || error_set(c->e, ERROR_PRECONDITION, NULL);
}

bool change_decides_on(const struct changing_records *c, int64_t seen, int64_t now)
{
    return seen != 0 ? version_fits(c, now, seen) : error_set(c->e, ERROR_VERSION_NEEDED, NULL);
}

static bool name_fits(const struct changing_records *c, const char *name)
{
    return (name != NULL && (*name == '\0' || name_valid(name, NAME_BYTES_MAX))) ||
           error_set_parameter(c->e, ERROR_INVALID_PARAM, "name", NAME_SENTENCE);
}

/* A sourcedId that no export can have by chance. */
static const char *sourced_id_draw(const char *given, char drawn[32])
{
    if (given != NULL)
        return given;
    strcpy(drawn, "school:");
    random_name(drawn + 7, 16);
    return drawn;
}

/* Asked behind the gate. What a school's own office names stands inside the school's name: by a free choice it would
 * learn what other schools have (A1), or sit in wait for the record of another's roster to come. given NULL: drawn.
 * parameter: how the request calls it. */
static bool id_fits(const struct changing_records *c, school_no school, const char *parameter, const char *given,
                    bool taken)
{
    char *own = c->actor->user != 0 && given != NULL ? schools_sourced_id(c->tx->db, school) : NULL;
    size_t len = own != NULL ? strlen(own) : 0;
    const char *fault = given != NULL ? token_fault(given) : NULL;
    bool inside = own == NULL || (strncmp(given, own, len) == 0 && given[len] == ':' && given[len + 1] != '\0');
    free(own);
    if (fault != NULL)
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, parameter,
                                   "A sourcedId has no control character, nothing zero-width and nothing that turns "
                                   "the direction.");
    if (!inside)
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, parameter,
                                   "A sourcedId that a school gives begins with the school's own and a colon.");
    return given == NULL || !taken || error_set(c->e, ERROR_CONFLICT, "This sourcedId is another's.");
}

/* --- People --- */

static bool person_fits(const struct changing_records *c, const struct person_row *person)
{
    if (!name_fits(c, person->given) || !name_fits(c, person->family) || !name_fits(c, person->middle))
        return false;
    return *person->given != '\0' || *person->family != '\0' ||
           error_set_parameter(c->e, ERROR_INVALID_PARAM, "given_name", "A person needs a name.");
}

/* A new record for that account; the name follows with reconciling. */
static bool person_insert(struct doing *d, school_no school, user_no account, const struct person_row *person)
{
    char drawn[32];
    struct person_row row = *person;
    row.no = account;
    row.sourced_id = sourced_id_draw(person->sourced_id, drawn);
    row.source = SOURCE_SCHOOL;
    row.ended = false;
    reconcile_touch(d->s, account);
    return id_fits(d->c, school, "person", person->sourced_id,
                   people_by_sourced_id(d->c->tx->db, row.sourced_id) != 0) &&
           (people_put(d->c->tx->db, &row) || failed(d->c));
}

static user_no person_new(struct changing_records *c, const struct person_row *person, school_no school)
{
    struct doing d;
    if (!start(&d, c, ACT_RECORDS_WRITE, &(struct subject){.school = school}))
        return 0;
    const struct new_account account = {.state = person->enabled ? ACCOUNT_ACTIVE : ACCOUNT_LOCKED};
    user_no user = account_insert(c->tx, &account, c->e);
    bool good = user != 0 && person_insert(&d, school, user, person);
    return finish(&d, good, "person.create", school, good ? subject_json(c, user, 0, 0) : NULL, NULL) ? user : 0;
}

user_no change_person(struct changing_records *c, const struct person_row *person, school_no school, int64_t if_version)
{
    struct person_row now;
    struct doing d;
    if (!person_fits(c, person))
        return 0;
    if (person->no == 0)
        return person_new(c, person, school);
    if (!people_get(c->tx->db, person->no, &now))
        return error_set(c->e, ERROR_NOT_FOUND, NULL);
    struct person_row row = *person;
    row.sourced_id = now.sourced_id;
    row.source = now.source;
    row.ended = now.ended;
    d = (struct doing){.c = c, .about = row.no};
    bool good = version_fits(c, now.version, if_version) &&
                (row.enabled == now.enabled || may(&d, ACT_STANDING, &(struct subject){.target = row.no})) &&
                may(&d, ACT_IDENTITY, &(struct subject){.target = row.no, .roster_kept = source_is_roster(now.source)});
    if (good) {
        d.s = reconcile_begin(c->tx, c->rooms, NULL);
        good = (people_put(c->tx->db, &row) &&
                (row.enabled == now.enabled || people_set_enabled(c->tx, row.no, row.enabled))) ||
               failed(c);
        reconcile_touch(d.s, row.no);
        good = finish(&d, good, "person.update", school, subject_json(c, row.no, 0, 0), NULL);
    }
    person_row_finish(&now);
    return good ? person->no : 0;
}

/* An account that waits for it, and is nobody's yet. */
static bool account_fits(const struct changing_records *c, user_no account)
{
    struct user_row user;
    struct person_row row;
    bool found = users_get(c->tx->db, account, &user), person = !user.service;
    bool open = user.state == ACCOUNT_PENDING || user.state == ACCOUNT_ACTIVE;
    user_row_finish(&user);
    if (!found || !person)
        return error_set(c->e, ERROR_NOT_FOUND, NULL);
    bool taken = people_get(c->tx->db, account, &row);
    person_row_finish(&row);
    if (taken || !open)
        return error_set(c->e, ERROR_CONFLICT, "This account can't become a person of a school.");
    return true;
}

user_no change_person_of_account(struct changing_records *c, user_no account, const struct person_row *person,
                                 school_no school)
{
    struct doing d;
    if (!person_fits(c, person) || !account_fits(c, account) ||
        !start(&d, c, ACT_RECORDS_WRITE, &(struct subject){.school = school}))
        return 0;
    bool good =
        person_insert(&d, school, account, person) && (users_set_state(c->tx, account, ACCOUNT_ACTIVE) || failed(c));
    return finish(&d, good, "person.admit", school, subject_json(c, account, 0, 0), NULL) ? account : 0;
}

/* Somebody whom the records let go is there again, as the school's own. false: there is no such person, or the account
 * was closed by somebody else than the records. */
static bool person_back(const struct changing_records *c, user_no user)
{
    struct person_row row;
    if (!people_get(c->tx->db, user, &row))
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such person in the records.");
    bool ended = row.ended, gone = row.state == ACCOUNT_LEFT && !row.closed;
    person_row_finish(&row);
    if (gone)
        return error_set(c->e, ERROR_USER_DEACTIVATED, NULL);
    return !ended || people_return(c->tx->db, user) || failed(c);
}

/* --- Roles --- */

static bool role_fits(const struct changing_records *c, const struct role_row *role)
{
    static const unsigned FOLLOW = ROLE_PUPIL | ROLE_GUARDIAN | ROLE_CLASS_TEACHER;
    if (((unsigned)role->role & FOLLOW) != 0)
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "role",
                                   "This role follows from enrollments and guardianships.");
    if (role->begin > role->end)
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "end", "It ends before it begins.");
    return role->role != ROLE_EXTERNAL || role->end != DAY_NEVER ||
           error_set_parameter(c->e, ERROR_INVALID_PARAM, "end", "External staff need an end date.");
}

static bool school_is(const struct changing_records *c, school_no school)
{
    struct school_row row;
    bool good = schools_get(c->tx->db, school, &row) && !row.ended;
    school_row_finish(&row);
    return good || error_set(c->e, ERROR_NOT_FOUND, "There is no such school.");
}

bool change_role(struct changing_records *c, const struct role_row *role)
{
    struct doing d;
    struct role_row row = *role;
    row.source = SOURCE_SCHOOL;
    if (!role_fits(c, role) || !school_is(c, role->school) ||
        !start(&d, c, ACT_ROLES,
               &(struct subject){.school = role->school, .target = role->user, .role = (unsigned)role->role}))
        return false;
    bool good = person_back(c, role->user) && (roles_put(c->tx->db, &row) || failed(c));
    reconcile_lost(d.s, role->user); /* a period may have become shorter */
    return finish(&d, good, "role.create", role->school, subject_json(c, role->user, 0, 0), NULL);
}

bool change_role_end(struct changing_records *c, const struct role_row *role)
{
    struct doing d;
    char source[SOURCE_BYTES];
    struct role_row row = *role;
    bool there = roles_source(c->tx->db, role, source);
    row.source = source;
    if (!start(&d, c, ACT_ROLES,
               &(struct subject){
                   .school = role->school, .target = role->user, .roster_kept = there && source_is_roster(source)}))
        return false;
    reconcile_lost(d.s, role->user);
    return finish(&d, is_there(c, there, "There is no such role.") && (roles_delete(c->tx->db, &row) || failed(c)),
                  "role.end", role->school, subject_json(c, role->user, 0, 0), NULL);
}

/* --- Enrollments --- */

/* After something was ended by hand: the roles that followed from it, whoever wrote them, and
 * those of the guardians. */
static bool drop_unsupported(struct doing *d, user_no user)
{
    static const enum school_role ROLES[] = {ROLE_PUPIL, ROLE_CLASS_TEACHER, ROLE_GUARDIAN};
    struct db *db = d->c->tx->db;
    struct guardianship_row row;
    user_no guardians[GUARDIANSHIPS_MAX];
    int n = 0;
    bool good = true;
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES && good; ++i)
        good = roles_delete_unsupported(db, user, ROLES[i]);
    struct stmt *q = guardianships_of_person(db, user);
    while (guardianships_next(q, &row))
        if (row.child == user && n < GUARDIANSHIPS_MAX)
            guardians[n++] = row.guardian;
    stmt_end(q);
    reconcile_lost(d->s, user);
    for (int i = 0; i < n && good; ++i) {
        good = roles_delete_unsupported(db, guardians[i], ROLE_GUARDIAN);
        reconcile_lost(d->s, guardians[i]);
    }
    return good || failed(d->c);
}

static bool enrollment_delete(struct doing *d, const struct enrollment_row *row)
{
    struct db *db = d->c->tx->db;
    const struct taken_record_row kept = {
        .kind = TAKEN_ENROLLMENT, .a = row->class, .b = row->user, .role = row->role, .begin = row->begin};
    return ((enrollments_delete(db, row) && taken_records_delete(db, &kept)) || failed(d->c)) &&
           drop_unsupported(d, row->user);
}

/* Whatever act ends somebody's place is asked as the act that ends it (J3): of one's own family, and of whom one is
 * kept from, it is somebody else's. kept: a roster keeps one of them. */
static bool may_end(struct doing *d, school_no school, const struct enrollment_row *list, size_t n, bool kept)
{
    bool good = true;
    for (size_t i = 0; i < n && good; ++i)
        good = may(
            d, ACT_ROLES,
            &(struct subject){.school = school, .class = list[i].class, .target = list[i].user, .roster_kept = kept});
    return good;
}

/* The class teachers of the class at the same time: there is one. Heap; *kept: a roster keeps one of them. */
static struct enrollment_row *rivals(const struct changing_records *c, const struct enrollment_row *of, size_t *n,
                                     bool *kept)
{
    struct enrollment_row *list = NULL, row;
    struct stmt *q = enrollments_of_class(c->tx->db, of->class);
    *n = 0;
    *kept = false;
    while (of->role == ROLE_CLASS_TEACHER && enrollments_next(q, &row)) {
        bool same = row.user == of->user && row.begin == of->begin;
        if (row.role != ROLE_CLASS_TEACHER || same || row.begin > of->end || row.end < of->begin)
            continue;
        *kept = *kept || source_is_roster(row.source);
        list = xrealloc(list, (*n + 1) * sizeof *list);
        row.source = NULL;
        list[(*n)++] = row;
    }
    stmt_end(q);
    return list;
}

static bool enrollment_fits(const struct changing_records *c, const struct enrollment_row *row,
                            const struct class_row *class)
{
    if (class->no == 0 || class->ended)
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such class.");
    if (row->role != ROLE_PUPIL && row->role != ROLE_TEACHER && row->role != ROLE_CLASS_TEACHER)
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "role",
                                   "A class has pupils, teachers and a class teacher.");
    if (row->role == ROLE_CLASS_TEACHER && !class->homeroom)
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "role", "A subject group has no class teacher.");
    return row->begin <= row->end || error_set_parameter(c->e, ERROR_INVALID_PARAM, "end", "It ends before it begins.");
}

bool change_enrollment(struct changing_records *c, const struct enrollment_row *enrollment)
{
    struct doing d;
    struct class_row class;
    char source[SOURCE_BYTES];
    struct enrollment_row row = *enrollment;
    size_t n = 0;
    bool kept, there = enrollments_source(c->tx->db, enrollment, source);
    struct enrollment_row *others = rivals(c, enrollment, &n, &kept);
    classes_get(c->tx->db, enrollment->class, &class);
    row.source = there ? source : SOURCE_SCHOOL;
    bool good = enrollment_fits(c, enrollment, &class) &&
                start(&d, c, ACT_ROLES,
                      &(struct subject){.school = class.school,
                                        .class = row.class,
                                        .target = row.user,
                                        .role = (unsigned)row.role,
                                        .roster_kept = kept || (there && source_is_roster(source))});
    if (good) {
        good = may_end(&d, class.school, others, n, kept) && person_back(c, row.user) &&
               (enrollments_put(c->tx->db, &row) || failed(c));
        reconcile_lost(d.s, row.user);
        for (size_t i = 0; i < n && good; ++i)
            good = enrollment_delete(&d, &others[i]);
        good = finish(&d, good, "enrollment.create", class.school, subject_json(c, row.user, row.class, 0), NULL);
    }
    free(others);
    class_row_finish(&class);
    return good;
}

bool change_enrollment_end(struct changing_records *c, const struct enrollment_row *enrollment)
{
    struct doing d;
    char source[SOURCE_BYTES];
    bool there = enrollments_source(c->tx->db, enrollment, source);
    school_no school = school_of_class(c->tx->db, enrollment->class);
    if (!start(&d, c, ACT_ROLES,
               &(struct subject){.school = school,
                                 .class = enrollment->class,
                                 .target = enrollment->user,
                                 .roster_kept = there && source_is_roster(source)}))
        return false;
    return finish(&d, is_there(c, there, "There is no such enrollment.") && enrollment_delete(&d, enrollment),
                  "enrollment.end", school, subject_json(c, enrollment->user, enrollment->class, 0), NULL);
}

/* --- Guardianships --- */

/* The school whose log it is: the actor's and the child's, or where the child is a pupil; the first of several. */
static school_no school_of_child(const struct changing_records *c, user_no child)
{
    school_no school = viewer_shared_school(c->tx->db, c->actor->user, child);
    if (school != 0)
        return school;
    struct role_row row;
    struct stmt *q = roles_of_person(c->tx->db, child);
    while (roles_next(q, &row))
        if (row.role == ROLE_PUPIL && (school == 0 || row.school < school))
            school = row.school;
    stmt_end(q);
    return school;
}

static bool guardian_fits(const struct changing_records *c, user_no child, user_no guardian)
{
    struct person_row row;
    bool found = people_get(c->tx->db, child, &row) && !row.ended;
    person_row_finish(&row);
    if (!found)
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such child.");
    if (custodies_of(c->tx->db, child, guardian) == CUSTODY_NO_CONTACT)
        return rule_refuse(c->e, RULE_D9_STANDS);
    if (guardianships_guardians(c->tx->db, child, NULL, 0) >= GUARDIANS_MAX)
        return rule_refuse(c->e, RULE_D5_TWO_GUARDIANS_ALREADY);
    return person_back(c, guardian);
}

bool change_guardianship(struct changing_records *c, user_no child, user_no guardian)
{
    struct doing d;
    char source[SOURCE_BYTES];
    school_no school = school_of_child(c, child);
    struct guardianship_row row = {child, guardian, SOURCE_SCHOOL, c->tx->now_ms, .by = c->actor->user};
    d = (struct doing){.c = c};
    if (child == guardian)
        return rule_refuse(c->e, RULE_D4_OWN_GUARDIAN);
    /* Nor is the guardian fetched from another school (A1), nor is it a child (D2). */
    school_no at = 0;
    struct subject becomes = {.school = school, .target = guardian, .role = ROLE_GUARDIAN};
    if (custodies_of(c->tx->db, child, guardian) != CUSTODY_NO_CONTACT) /* D9: whom they would meet there */
        enrollments_place_of_pupil(c->tx->db, child, &at, &becomes.place);
    if (!may(&d, ACT_ROLES, &becomes) ||
        !may(&d, ACT_GUARDIANSHIP, &(struct subject){.target = child, .other = guardian}))
        return false;
    if (guardianships_source(c->tx->db, child, guardian, source))
        return error_set(c->e, ERROR_CONFLICT, "They are the child's guardian already.");
    d.s = reconcile_begin(c->tx, c->rooms, NULL);
    bool good = guardian_fits(c, child, guardian) && (guardianships_put(c->tx->db, &row) || failed(c));
    reconcile_touch(d.s, child);
    reconcile_touch(d.s, guardian);
    return finish(&d, good, "guardianship.create", school, subject_json(c, child, 0, guardian), NULL);
}

/* The guardian's roles that stood on it go with it. */
static bool guardianship_delete(struct doing *d, user_no child, user_no guardian)
{
    struct db *db = d->c->tx->db;
    reconcile_touch(d->s, child);
    reconcile_lost(d->s, guardian);
    const struct taken_record_row kept = {.kind = TAKEN_GUARDIANSHIP, .a = child, .b = guardian};
    return (guardianships_delete(db, child, guardian) && taken_records_delete(db, &kept) &&
            roles_delete_unsupported(db, guardian, ROLE_GUARDIAN)) ||
           failed(d->c);
}

bool change_guardianship_end(struct changing_records *c, user_no child, user_no guardian)
{
    struct doing d;
    char source[SOURCE_BYTES];
    school_no school = school_of_child(c, child);
    bool there = guardianships_source(c->tx->db, child, guardian, source);
    /* One's own: another's is the office's to end. */
    enum act act = c->actor->user == guardian ? ACT_END_GUARDIAN : ACT_GUARDIANSHIP;
    if (!start(&d, c, act,
               &(struct subject){.target = child, .other = guardian, .roster_kept = there && source_is_roster(source)}))
        return false;
    return finish(&d, is_there(c, there, "There is no such guardianship.") && guardianship_delete(&d, child, guardian),
                  "guardianship.end", school, subject_json(c, child, 0, guardian), NULL);
}

/* --- Custody (D9) --- */

static bool reason_says_why(const struct changing_records *c, const char *reason)
{
    return reason_valid(reason) ||
           error_set_parameter(c->e, ERROR_INVALID_PARAM, "reason", "The reason says why in at least 10 characters.");
}

static bool custody_fits(const struct changing_records *c, user_no child, user_no guardian, enum custody now,
                         enum custody custody, const char *reason)
{
    char source[SOURCE_BYTES];
    struct db *db = c->tx->db;
    bool there = guardianships_source(db, child, guardian, source);
    if (!there && now == CUSTODY_SHARED)
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such guardianship.");
    if (there && now == CUSTODY_NO_CONTACT && custody != CUSTODY_NO_CONTACT &&
        guardianships_guardians(db, child, NULL, 0) >= GUARDIANS_MAX)
        return rule_refuse(c->e, RULE_D5_TWO_GUARDIANS_ALREADY);
    return reason_says_why(c, reason);
}

/* What a roster or the office says of a guardian by name; what follows from other children is derived anew. */
static bool is_guardian_by_name(const struct role_row *row, school_no unused)
{
    return row->role == ROLE_GUARDIAN && strcmp(row->source, SOURCE_DERIVED) != 0;
}

/* Of the person's roles those of which ends says so. */
static bool end_roles(struct doing *d, user_no user, bool (*ends)(const struct role_row *row, school_no school),
                      school_no school)
{
    struct role_row *list = NULL, row;
    size_t n = 0;
    bool good = true;
    struct db *db = d->c->tx->db;
    struct stmt *q = roles_of_person(db, user);
    while (roles_next(q, &row))
        if (ends(&row, school)) {
            list = xrealloc(list, (n + 1) * sizeof *list);
            row.source = xstrdup(row.source);
            list[n++] = row;
        }
    stmt_end(q);
    for (size_t i = 0; i < n; ++i) {
        good = good && roles_delete(db, &list[i]);
        free((char *)list[i].source);
    }
    free(list);
    return good;
}

bool change_custody(struct changing_records *c, user_no child, user_no guardian, enum custody custody,
                    const char *reason)
{
    struct doing d;
    enum custody now = custodies_of(c->tx->db, child, guardian);
    if (!start(&d, c, ACT_CUSTODY, &(struct subject){.target = child, .other = guardian}))
        return false;
    bool good = custody_fits(c, child, guardian, now, custody, reason) &&
                ((custodies_set(c->tx, child, guardian, custody) &&
                  (custody != CUSTODY_NO_CONTACT || end_roles(&d, guardian, is_guardian_by_name, 0)) &&
                  (now != CUSTODY_NO_CONTACT || custody == CUSTODY_NO_CONTACT ||
                   guardianships_count_again(c->tx, child, guardian))) ||
                 failed(c));
    reconcile_touch(d.s, child);
    reconcile_lost(d.s, guardian);
    return finish_because(&d, good, "guardianship.custody", school_of_child(c, child),
                          subject_json(c, child, 0, guardian), NULL, reason);
}

bool change_custody_left(struct changing_records *c, user_no child, enum custody custody, const char *reason)
{
    struct doing d;
    if (!start(&d, c, ACT_CUSTODY, &(struct subject){.target = child}))
        return false;
    bool good = reason_says_why(c, reason) && (custodies_set_left(c->tx, child, custody) || failed(c));
    return finish_because(&d, good, "guardianship.custody", school_of_child(c, child), subject_json(c, child, 0, 0),
                          NULL, reason);
}

/* --- Classes and schools --- */

static class_no class_new(struct changing_records *c, const struct class_row *class)
{
    struct doing d;
    char drawn[32];
    struct class_row row = *class;
    row.sourced_id = sourced_id_draw(class->sourced_id, drawn);
    row.source = SOURCE_SCHOOL;
    row.ended = false;
    if (!school_is(c, class->school))
        return 0;
    if (!start(&d, c, ACT_RECORDS_WRITE, &(struct subject){.school = class->school}))
        return 0;
    if (!id_fits(c, class->school, "class", class->sourced_id, classes_by_sourced_id(c->tx->db, row.sourced_id) != 0))
        return finish(&d, false, "class.create", class->school, NULL, NULL);
    row.no = classes_put(c->tx->db, &row);
    reconcile_school(d.s, class->school);
    reconcile_class(d.s, row.no);
    return finish(&d, row.no != 0 || failed(c), "class.create", class->school, subject_json(c, 0, row.no, 0), NULL)
               ? row.no
               : 0;
}

class_no change_class(struct changing_records *c, const struct class_row *class_, int64_t if_version)
{
    struct doing d;
    struct class_row now, row = *class_;
    if (!name_fits(c, class_->title) || !name_fits(c, class_->grade))
        return 0;
    if (*class_->title == '\0')
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "title", "A class needs a title.");
    if (class_->no == 0)
        return class_new(c, class_);
    if (!classes_get(c->tx->db, class_->no, &now))
        return error_set(c->e, ERROR_NOT_FOUND, NULL);
    row.sourced_id = now.sourced_id;
    row.school = now.school;
    row.homeroom = now.homeroom;
    row.ended = now.ended;
    row.source = now.source;
    bool good =
        (!now.ended || error_set(c->e, ERROR_NOT_FOUND, "There is no such class.")) &&
        version_fits(c, now.version, if_version) &&
        start(&d, c, ACT_RECORDS_WRITE,
              &(struct subject){.school = row.school, .class = row.no, .roster_kept = source_is_roster(row.source)});
    if (good) {
        good = classes_put(c->tx->db, &row) != 0 || failed(c);
        reconcile_class(d.s, row.no);
        good = finish(&d, good, "class.update", row.school, subject_json(c, 0, row.no, 0), NULL);
    }
    class_row_finish(&now);
    return good ? row.no : 0;
}

static bool end_enrollments(struct doing *d, school_no school, class_no class)
{
    struct enrollment_row *list = NULL, row;
    size_t n = 0;
    bool kept = false;
    struct stmt *q = enrollments_of_class(d->c->tx->db, class);
    while (enrollments_next(q, &row)) {
        list = xrealloc(list, (n + 1) * sizeof *list);
        kept = kept || source_is_roster(row.source);
        row.source = NULL;
        list[n++] = row;
    }
    stmt_end(q);
    bool good = may_end(d, school, list, n, kept);
    for (size_t i = 0; i < n && good; ++i)
        good = enrollment_delete(d, &list[i]);
    free(list);
    return good;
}

bool change_class_end(struct changing_records *c, class_no class_)
{
    struct doing d;
    struct class_row row;
    bool found = classes_get(c->tx->db, class_, &row) && !row.ended, kept = source_is_roster(row.source);
    school_no school = row.school;
    class_row_finish(&row);
    if (!found)
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such class.");
    if (!start(&d, c, ACT_RECORDS_WRITE, &(struct subject){.school = school, .class = class_, .roster_kept = kept}))
        return false;
    bool good = (classes_end(c->tx->db, class_) || failed(c)) && end_enrollments(&d, school, class_);
    return finish(&d, good, "class.end", school, subject_json(c, 0, class_, 0), NULL);
}

school_no change_school(struct changing_records *c, const struct school_row *school, int64_t if_version)
{
    struct doing d;
    char drawn[32];
    bool fresh = school->no == 0;
    school_no no = 0;
    struct school_row row = {.source = SOURCE_SCHOOL};
    if (!name_fits(c, school->name))
        return 0;
    if (*school->name == '\0')
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "name", "A school needs a name.");
    if (!fresh && !schools_get(c->tx->db, school->no, &row))
        return error_set(c->e, ERROR_NOT_FOUND, NULL);
    if (fresh)
        row.sourced_id = sourced_id_draw(school->sourced_id, drawn);
    row.name = school->name;
    bool taken = fresh && schools_by_sourced_id(c->tx->db, row.sourced_id) != 0;
    bool good = (!row.ended || error_set(c->e, ERROR_NOT_FOUND, "There is no such school.")) &&
                version_fits(c, row.version, fresh ? 0 : if_version) &&
                start(&d, c, ACT_RECORDS_WRITE,
                      &(struct subject){.school = row.no, .roster_kept = source_is_roster(row.source)});
    if (good) {
        bool free_ = !taken || error_set(c->e, ERROR_CONFLICT, "There is a school with this sourcedId already.");
        no = free_ ? schools_put(c->tx->db, &row) : 0;
        reconcile_school(d.s, no);
        good = finish(&d, no != 0 || (free_ && failed(c)), fresh ? "school.create" : "school.update", no, NULL, NULL);
    }
    school_row_finish(&row);
    return good ? no : 0;
}

/* --- Leaving (G1, G2) --- */

static bool is_at(const struct role_row *row, school_no school)
{
    return row->school == school;
}

static bool end_enrollments_at(struct doing *d, user_no user, school_no school)
{
    struct enrollment_row *list = NULL, row;
    size_t n = 0;
    bool good = true;
    struct stmt *q = enrollments_of_person(d->c->tx->db, user);
    while (enrollments_next(q, &row)) {
        list = xrealloc(list, (n + 1) * sizeof *list);
        row.source = NULL;
        list[n++] = row;
    }
    stmt_end(q);
    for (size_t i = 0; i < n && good; ++i)
        if (school_of_class(d->c->tx->db, list[i].class) == school)
            good = enrollments_delete(d->c->tx->db, &list[i]) || failed(d->c);
    free(list);
    return good;
}

/* In how many schools the person is a pupil, that one apart. */
static int pupil_elsewhere(const struct changing_records *c, user_no user, school_no school)
{
    int n = 0;
    struct role_row row;
    struct stmt *q = roles_of_person(c->tx->db, user);
    while (roles_next(q, &row))
        n += row.role == ROLE_PUPIL && row.school != school;
    stmt_end(q);
    return n;
}

/* A guardian leaves with the guardianship of children who are pupils there alone; a child who is nobody's pupil any
 * more has no guardians here. */
static bool end_guardianships_at(struct doing *d, user_no user, school_no school)
{
    struct guardianship_row *list = NULL, row;
    size_t n = 0;
    bool good = true;
    struct stmt *q = guardianships_of_person(d->c->tx->db, user);
    while (guardianships_next(q, &row)) {
        list = xrealloc(list, (n + 1) * sizeof *list);
        row.source = NULL;
        list[n++] = row;
    }
    stmt_end(q);
    for (size_t i = 0; i < n && good; ++i)
        if (pupil_elsewhere(d->c, list[i].child, school) == 0)
            good = guardianship_delete(d, list[i].child, list[i].guardian);
    free(list);
    return good;
}

bool change_leave_school(struct changing_records *c, user_no user, school_no school)
{
    struct doing d;
    struct person_row row;
    bool found = people_get(c->tx->db, user, &row), kept = source_is_roster(row.source);
    person_row_finish(&row);
    if (!found)
        return error_set(c->e, ERROR_NOT_FOUND, NULL);
    if (!start(&d, c, ACT_LEAVE_SCHOOL, &(struct subject){.school = school, .target = user, .roster_kept = kept}))
        return false;
    bool good = end_enrollments_at(&d, user, school) && end_guardianships_at(&d, user, school) &&
                (end_roles(&d, user, is_at, school) || failed(c)) && drop_unsupported(&d, user) &&
                (taken_forget(c->tx, user) || failed(c)); /* who is told to leave does not come back by a roster */
    return finish(&d, good, "person.leave_school", school, subject_json(c, user, 0, 0), NULL);
}

/* --- Account states (A3) --- */

/* The office moves people between these; to confirm the pending is an approval, and who has left has left. */
static bool account_state_fits(const struct changing_records *c, enum account_state now, enum account_state state)
{
    if (state != ACCOUNT_ACTIVE && state != ACCOUNT_SUSPENDED && state != ACCOUNT_LOCKED)
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "standing",
                                   "The standing can be active, suspended or locked.");
    if (now == ACCOUNT_LEFT)
        return error_set(c->e, ERROR_USER_DEACTIVATED, NULL);
    return state != ACCOUNT_ACTIVE || now != ACCOUNT_PENDING ||
           error_set(c->e, ERROR_CONFLICT, "This account waits for approval.");
}

bool change_account_state(struct changing_records *c, user_no user, enum account_state state)
{
    struct doing d;
    struct user_row row;
    bool found = users_get(c->tx->db, user, &row) && !row.service;
    enum account_state now = row.state;
    user_row_finish(&row);
    if (!found)
        return error_set(c->e, ERROR_NOT_FOUND, NULL);
    if (!start(&d, c, ACT_STANDING, &(struct subject){.target = user}))
        return false;
    if (!account_state_fits(c, now, state)) {
        reconcile_abandon(d.s);
        return false;
    }
    d.about = user;
    bool same = now == state || (state == ACCOUNT_ACTIVE && now == ACCOUNT_RESTRICTED);
    reconcile_touch(d.s, user);
    bool good = (taken_state_delete(c->tx->db, user) && (same || users_set_state(c->tx, user, state))) || failed(c);
    return finish(&d, good, "standing.change", viewer_shared_school(c->tx->db, c->actor->user, user),
                  subject_json(c, user, 0, 0), NULL);
}

/* --- Rooms (E7) --- */

bool change_named_member(struct changing_records *c, room_no room, user_no user, bool named)
{
    struct doing d;
    struct room_school of;
    if (!school_of_room(c->tx->db, room, &of))
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such room.");
    school_no school = of.school != 0 ? of.school : viewer_room_school(c->tx->db, c->actor->user, room);
    const struct subject subject = {.school = school, .class = of.class, .target = user, .into = named ? room : 0};
    if (!start(&d, c, ACT_ROOMS_WRITE, &subject))
        return false;
    if (named && (school_roles(c->tx->db, school, user) & ROLE_EXTERNAL) == 0) {
        reconcile_abandon(d.s);
        return error_set_parameter(c->e, ERROR_INVALID_PARAM, "userId", "Only external staff are named for rooms.");
    }
    bool good = named ? named_members_put(c->tx->db, room, user) : named_members_delete(c->tx->db, room, user);
    reconcile_lost(d.s, user);
    return finish(&d, good || failed(c), named ? "room.name_member" : "room.unname_member", school,
                  subject_json(c, user, of.class, 0), json_pack("{s:s}", "kind", room_kind_name(of.kind)));
}
