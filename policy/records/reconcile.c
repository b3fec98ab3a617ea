#include "policy/records/reconcile.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/base/days.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/acts/bulk_join.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/roster_members.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/school/taken.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/records/set_diff.h"
#include "policy/records/people.h"
#include "policy/records/returning.h"
#include "policy/records/roster_rooms.h"

struct reconciling {
    struct roster_rooms rooms; /* what rooms are written with; its transaction, change log and error are ours too */
    struct changelog own_changelog; /* rooms.changelog, when the caller has none */
    struct roster_changes own_changes;
    school_day day;
    bool all, renamed, roles_done, keeps; /* renamed: every room's name may have to follow */
    struct diff_set touched, lost;        /* a: who */
    struct diff_set schools, classes;     /* a: which */
    struct diff_set powers;               /* a: rooms whose powers by post have changed */
    bool levels;
    school_no levels_of;      /* levels: of which school they are to be looked at; 0: of all */
    struct diff_set policies; /* a: school; value: consent_age, kind: whether an unknown age is a child's, begin:
                                 enum school_language */
};

static bool database_failed(struct reconciling *s)
{
    return error_set(s->rooms.e, ERROR_UNKNOWN, NULL);
}

struct reconciling *reconcile_begin_changelog(struct tx *tx, struct rooms *rooms, struct changelog *changelog)
{
    struct reconciling *s = xcalloc(1, sizeof *s);
    s->rooms = (struct roster_rooms){.tx = tx, .rooms = rooms, .changelog = changelog};
    s->day = day_of_ms(tx->now_ms);
    return s;
}

struct reconciling *reconcile_begin(struct tx *tx, struct rooms *rooms, struct roster_changes *changes)
{
    struct reconciling *s = reconcile_begin_changelog(tx, rooms, NULL);
    s->own_changelog = (struct changelog){.tx = tx, .changes = changes != NULL ? changes : &s->own_changes};
    s->rooms.changelog = &s->own_changelog;
    return s;
}

void reconcile_abandon(struct reconciling *s)
{
    if (s == NULL)
        return;
    struct diff_set *all[] = {&s->touched, &s->lost, &s->schools, &s->classes, &s->powers, &s->policies};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        diff_set_finish(all[i]);
    if (s->rooms.changelog == &s->own_changelog)
        changelog_finish(&s->own_changelog);
    free(s);
}

void reconcile_touch(struct reconciling *s, user_no user)
{
    diff_set_add(&s->touched, (struct diff_row){.a = user});
}

void reconcile_lost(struct reconciling *s, user_no user)
{
    reconcile_touch(s, user);
    diff_set_add(&s->lost, (struct diff_row){.a = user});
}

void reconcile_all(struct reconciling *s)
{
    s->all = true;
}

void reconcile_levels(struct reconciling *s, school_no school)
{
    s->levels = true;
    s->levels_of = school;
}

void reconcile_language(struct reconciling *s)
{
    s->all = s->renamed = true;
}

void reconcile_keep(struct reconciling *s)
{
    s->keeps = true;
}

void reconcile_class(struct reconciling *s, class_no class)
{
    struct enrollment_row row;
    diff_set_add(&s->classes, (struct diff_row){.a = class});
    struct stmt *q = enrollments_of_class(s->rooms.tx->db, class);
    while (enrollments_next(q, &row))
        reconcile_touch(s, row.user);
    stmt_end(q);
}

void reconcile_school(struct reconciling *s, school_no school)
{
    diff_set_add(&s->schools, (struct diff_row){.a = school});
}

/* D9: who is kept from a child, or (0) from any; room: only those who are in it, 0: all. */
static void lose_barred(struct reconciling *s, user_no child, room_no room)
{
    struct db *db = s->rooms.tx->db;
    struct stmt *q = custodies_barred(db, child);
    while (stmt_next(q))
        if (room == 0 || memberships_of(db, room, col_int(q, 0)) == MEMBERSHIP_JOIN)
            diff_set_add(&s->lost, (struct diff_row){.a = col_int(q, 0)});
    stmt_end(q);
}

/* D9: as long as the roster held them there, its word was that two are there who are not to meet; it ends. */
bool reconcile_archive(struct reconciling *s, room_no room, struct error *e)
{
    s->rooms.e = e;
    lose_barred(s, 0, room);
    return roster_room_begin(&s->rooms) && roster_room_archive(&s->rooms, room);
}

/* --- Rooms (E1) --- */

/* A school or class whose rooms there have to be. Read whole before the first room is made, because making one asks
 * the same statements; the name is a copy. */
struct place_row {
    int64_t no;
    school_no school; /* of a class */
    bool homeroom, renamed;
    char *name;
};

static void add_place(struct place_row **list, size_t *n, struct place_row place)
{
    *list = xrealloc(*list, (*n + 1) * sizeof **list);
    (*list)[(*n)++] = place;
}

static struct place_row *read_schools(struct reconciling *s, size_t *n)
{
    struct place_row *list = NULL;
    struct school_row row;
    for (size_t i = 0; i < (s->all ? 1 : s->schools.n); ++i) {
        struct stmt *q = s->all ? schools_all(s->rooms.tx->db) : schools_one(s->rooms.tx->db, s->schools.rows[i].a);
        while (schools_next(q, &row))
            if (!row.ended)
                add_place(&list, n,
                          (struct place_row){.no = row.no,
                                             .renamed = s->renamed || diff_set_have(&s->schools, row.no),
                                             .name = xstrdup(row.name)});
        stmt_end(q);
    }
    return list;
}

static struct place_row *read_classes(struct reconciling *s, size_t *n)
{
    struct place_row *list = NULL;
    struct class_row row;
    for (size_t i = 0; i < (s->all ? 1 : s->classes.n); ++i) {
        struct stmt *q = s->all ? classes_all(s->rooms.tx->db) : classes_one(s->rooms.tx->db, s->classes.rows[i].a);
        while (classes_next(q, &row))
            if (!row.ended)
                add_place(&list, n,
                          (struct place_row){.no = row.no,
                                             .school = row.school,
                                             .homeroom = row.homeroom,
                                             .renamed = s->renamed || diff_set_have(&s->classes, row.no),
                                             .name = xstrdup(row.title)});
        stmt_end(q);
    }
    return list;
}

static bool make_rooms(struct reconciling *s)
{
    size_t n_schools = 0, n_classes = 0;
    bool good = true;
    diff_set_sort(&s->schools);
    diff_set_sort(&s->classes);
    struct place_row *schools = read_schools(s, &n_schools), *classes = read_classes(s, &n_classes);
    for (size_t i = 0; i < n_schools && good; ++i)
        good = roster_room_school(&s->rooms, &(struct school_row){.no = schools[i].no, .name = schools[i].name},
                                  schools[i].renamed);
    /* A class's rooms stand in its school's space, which is there now. */
    for (size_t i = 0; i < n_classes && good; ++i)
        good = roster_room_class(&s->rooms,
                                 &(struct class_row){.no = classes[i].no,
                                                     .school = classes[i].school,
                                                     .homeroom = classes[i].homeroom,
                                                     .title = classes[i].name},
                                 classes[i].renamed);
    for (size_t i = 0; i < n_schools; ++i)
        free(schools[i].name);
    for (size_t i = 0; i < n_classes; ++i)
        free(classes[i].name);
    free(schools);
    free(classes);
    return good;
}

/* --- Who is concerned --- */

/* Calls each for everybody at once (0), or for each who was touched. What a call touches in turn stands behind, and
 * gets its own call before this returns: a guardian whose role ended by a child's is looked at like the child. */
static bool for_touched(struct reconciling *s, bool (*each)(struct reconciling *s, user_no user))
{
    if (s->all)
        return each(s, 0);
    diff_set_merge(&s->touched);
    for (size_t i = 0; i < s->touched.n; ++i)
        if ((i == 0 || s->touched.rows[i].a != s->touched.rows[i - 1].a) && !each(s, s->touched.rows[i].a))
            return false;
    return true;
}

/* Guardians of a child: their roles and rooms follow. Children of a guardian: D7. */
static void touch_family(struct reconciling *s, user_no user)
{
    struct guardianship_row row;
    struct stmt *q = guardianships_of_person(s->rooms.tx->db, user);
    while (guardianships_next(q, &row))
        reconcile_touch(s, row.child == user ? row.guardian : row.child);
    stmt_end(q);
}

/* --- Derived roles --- */

static struct role_row role_of(const struct diff_row *f)
{
    return (struct role_row){f->a, f->b, (enum school_role)f->kind, f->begin, f->value, SOURCE_DERIVED};
}

static bool role_put(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct reconciling *s = self;
    struct role_row row = role_of(f);
    ++s->rooms.changelog->changes->n[ROSTER_ROLES_NEW];
    changelog_record(s->rooms.changelog, "role", '+', school_role_name(row.role), CHANGELOG_PERSON, row.user,
                     CHANGELOG_SCHOOL, row.school);
    if (before != NULL && before->value > f->value) /* it ends sooner, perhaps before today */
        reconcile_lost(s, f->a);
    return roles_put(s->rooms.tx->db, &row) || database_failed(s);
}

static bool role_drop(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct reconciling *s = self;
    struct role_row row = role_of(f);
    ++s->rooms.changelog->changes->n[ROSTER_ROLES_ENDED];
    changelog_record(s->rooms.changelog, "role", '-', school_role_name(row.role), CHANGELOG_PERSON, row.user,
                     CHANGELOG_SCHOOL, row.school);
    reconcile_lost(s, f->a);
    return roles_delete(s->rooms.tx->db, &row) || database_failed(s);
}

static struct diff_set roles_collect(struct stmt *q)
{
    struct diff_set facts = {0};
    struct role_row row;
    while (roles_next(q, &row))
        diff_set_add(&facts, (struct diff_row){row.user, row.school, row.role, row.begin, row.end});
    stmt_end(q);
    return facts;
}

/* Several enrollments may give the same role from the same day; the one that ends last counts (diff_set_merge). */
static bool derive(struct reconciling *s, bool guardians, user_no user)
{
    struct diff_set want = roles_collect(roles_implied(s->rooms.tx->db, guardians, user)),
                    have = roles_collect(roles_derived(s->rooms.tx->db, guardians, user));
    diff_set_merge(&want);
    bool good = diff_set_diff(&have, &want, role_put, role_drop, s);
    diff_set_finish(&want);
    diff_set_finish(&have);
    return good;
}

static bool derive_own(struct reconciling *s, user_no user)
{
    return derive(s, false, user);
}

static bool derive_guardians(struct reconciling *s, user_no user)
{
    return derive(s, true, user);
}

/* In two rounds, because a guardian's roles derive from roles of the children, which the first has made. Between them
 * the families of all who were touched are touched, but not the families of these: a child's
 * sibling is not concerned. */
static bool derive_roles(struct reconciling *s)
{
    if (!for_touched(s, derive_own))
        return false;
    diff_set_merge(&s->touched);
    for (size_t i = 0, n = s->all ? 0 : s->touched.n; i < n; ++i)
        touch_family(s, s->touched.rows[i].a);
    return for_touched(s, derive_guardians);
}

/* --- Account states --- */

static bool set_state(struct reconciling *s, user_no user, enum account_state state)
{
    return users_set_state(s->rooms.tx, user, state) || database_failed(s);
}

/* G2, the other way: whose account was closed for want of a school, and who has one again. */
static bool reopen(struct reconciling *s, user_no user)
{
    char day[DAY_TEXT_BYTES];
    struct diff_set back = {0};
    struct person_row row;
    bool good = true;
    struct stmt *q = people_to_reopen(s->rooms.tx->db, s->day, user, day);
    while (people_next(q, &row))
        diff_set_add(&back, (struct diff_row){.a = row.no, .value = row.enabled});
    stmt_end(q);
    for (size_t i = 0; i < back.n && good; ++i) {
        user_no who = back.rows[i].a;
        enum account_state state = ACCOUNT_LOCKED;
        ++s->rooms.changelog->changes->n[ROSTER_ACCOUNTS_REOPENED];
        touch_family(s, who);
        good = (back.rows[i].value == 0 || returning_open(s->rooms.tx, who, &state) || database_failed(s)) &&
               set_state(s, who, state) && (people_set_closed(s->rooms.tx->db, who, false) || database_failed(s));
    }
    diff_set_finish(&back);
    return good;
}

static bool reopen_all(struct reconciling *s)
{
    return for_touched(s, reopen);
}

/* The policy in force, of which D7 needs two values, and names their language; read once a school. */
static const struct diff_row *policy_of(struct reconciling *s, school_no school)
{
    struct school_policy policy;
    for (size_t i = 0; i < s->policies.n; ++i)
        if (s->policies.rows[i].a == school)
            return &s->policies.rows[i];
    policies_in_force(s->rooms.tx->db, school, &policy);
    diff_set_add(&s->policies, (struct diff_row){.a = school,
                                                 .kind = policy.unknown_age_is_child,
                                                 .begin = policy.language,
                                                 .value = policy.consent_age});
    return &s->policies.rows[s->policies.n - 1];
}

static bool restrict_(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct reconciling *s = self;
    ++s->rooms.changelog->changes->n[ROSTER_RESTRICTED];
    changelog_record(s->rooms.changelog, "standing", '=', "restricted", CHANGELOG_PERSON, f->a, CHANGELOG_SCHOOL, 0);
    return set_state(s, f->a, ACCOUNT_RESTRICTED);
}

static bool unrestrict(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct reconciling *s = self;
    ++s->rooms.changelog->changes->n[ROSTER_UNRESTRICTED];
    changelog_record(s->rooms.changelog, "standing", '=', "active", CHANGELOG_PERSON, f->a, CHANGELOG_SCHOOL, 0);
    return set_state(s, f->a, ACCOUNT_ACTIVE);
}

/* D7, between active and restricted alone: other states are somebody's decision. A pupil of several schools is
 * restricted where any of them calls a pupil of that age a child. */
static bool restrict_pupils(struct reconciling *s, user_no user)
{
    char day[DAY_TEXT_BYTES];
    struct diff_set want = {0}, have = {0};
    struct ward_row ward;
    struct person_row row;
    struct stmt *q = people_unguarded(s->rooms.tx->db, s->day, user, day);
    while (people_unguarded_next(q, &ward)) {
        const struct diff_row *policy = policy_of(s, ward.school);
        bool child = ward.birth == DAY_EVER ? policy->kind != 0 : (s->day - ward.birth) / 10000 < policy->value;
        if (child)
            diff_set_add(&want, (struct diff_row){.a = ward.user});
    }
    stmt_end(q);
    q = people_restricted(s->rooms.tx->db, user);
    while (people_next(q, &row))
        diff_set_add(&have, (struct diff_row){.a = row.no});
    stmt_end(q);
    diff_set_merge(&want);
    bool good = diff_set_diff(&have, &want, restrict_, unrestrict, s);
    diff_set_finish(&want);
    diff_set_finish(&have);
    return good;
}

static bool restrict_all(struct reconciling *s)
{
    return for_touched(s, restrict_pupils);
}

/* --- Names (B3): an adult's has the patronymic, and roles say who is one --- */

/* Of several schools the first: the one that has been on the server for longest. */
static enum school_language language_of(struct reconciling *s, school_no school)
{
    return (enum school_language)policy_of(s, school)->begin;
}

static school_no first_school(struct db *db, user_no user)
{
    school_no first = 0;
    struct role_row row;
    struct stmt *q = roles_of_person(db, user);
    while (roles_next(q, &row))
        if (first == 0 || row.school < first)
            first = row.school;
    stmt_end(q);
    return first;
}

static bool name_person(struct reconciling *s, user_no user)
{
    struct db *db = s->rooms.tx->db;
    struct person_row row;
    struct text name = TEXT_INIT;
    bool found = people_get(db, user, &row) && !row.ended;
    if (found)
        people_name_add(&name, &row, people_roles(db, user), language_of(s, first_school(db, user)));
    person_row_finish(&row);
    bool good = !found || people_set_name(s->rooms.tx, s->rooms.rooms, user, name.data) || database_failed(s);
    text_finish(&name);
    return good;
}

/* Of everybody: who is not called what the records say now. Most are, so that it takes one pass over the names. */
static struct diff_set misnamed(struct reconciling *s)
{
    struct diff_set out = {0};
    struct called_row row;
    struct text name = TEXT_INIT, json = TEXT_INIT;
    struct stmt *q = people_called(s->rooms.tx->db);
    while (people_called_next(q, &row)) {
        text_clear(&name);
        text_clear(&json);
        people_name_add(&name, &row.person, row.adult ? ROLE_STAFF : ROLE_PUPIL, language_of(s, row.school));
        text_add_json(&json, name.data != NULL ? name.data : "");
        if (row.display_name == NULL || strcmp(row.display_name, json.data) != 0)
            diff_set_add(&out, (struct diff_row){.a = row.person.no});
    }
    stmt_end(q);
    text_finish(&name);
    text_finish(&json);
    return out;
}

static bool name_people(struct reconciling *s)
{
    if (!s->all)
        return for_touched(s, name_person);
    size_t n;
    struct diff_set who = misnamed(s);
    bool good = true;
    for (size_t i = 0; i < who.n && good; ++i)
        good = name_person(s, who.rows[i].a);
    diff_set_finish(&who);
    user_no *redacted = memberships_redacted(s->rooms.tx->db, &n); /* whose joining lost the name that was in it */
    for (size_t i = 0; i < n; ++i)
        membership_profile_changed(s->rooms.rooms, s->rooms.tx, redacted[i], s->rooms.service);
    free(redacted);
    return good;
}

/* --- Members (E2) --- */

static bool member_put(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct reconciling *s = self;
    if (f->value != 0 || before != NULL)
        diff_set_add(&s->powers, (struct diff_row){.a = f->a});
    return roster_members_put(s->rooms.tx->db, &(struct roster_member_row){f->a, f->b, f->value}) || database_failed(s);
}

static bool member_drop(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct reconciling *s = self;
    if (f->value != 0)
        diff_set_add(&s->powers, (struct diff_row){.a = f->a});
    return roster_members_delete(s->rooms.tx->db, f->a, f->b) || database_failed(s);
}

static struct diff_set members_collect(struct stmt *q)
{
    struct diff_set facts = {0};
    struct roster_member_row row;
    while (roster_members_next(q, &row))
        diff_set_add(&facts, (struct diff_row){.a = row.room, .b = row.user, .value = row.power});
    stmt_end(q);
    return facts;
}

/* Who has several posts in a room has the highest of their powers (diff_set_merge). */
static bool update_members(struct reconciling *s, user_no user)
{
    char day[DAY_TEXT_BYTES];
    struct db *db = s->rooms.tx->db;
    struct diff_set have = members_collect(user == 0 ? roster_members_all(db) : roster_members_of(db, user));
    struct diff_set want = members_collect(roster_members_wanted(db, s->day, user, day));
    diff_set_merge(&want);
    bool good = diff_set_diff(&have, &want, member_put, member_drop, s);
    diff_set_finish(&have);
    diff_set_finish(&want);
    return good;
}

static bool remove_members(struct reconciling *s, user_no user)
{
    struct diff_set leave = members_collect(roster_members_to_leave(s->rooms.tx->db, user));
    bool good = true;
    for (size_t i = 0; i < leave.n && good; ++i)
        good = roster_room_remove(&s->rooms, leave.rows[i].a, leave.rows[i].b);
    diff_set_finish(&leave);
    return good;
}

static bool join_members(struct reconciling *s, user_no user)
{
    struct diff_set enter = members_collect(roster_members_to_join(s->rooms.tx->db, user));
    struct bulk_join *joins = bulk_join_begin(s->rooms.rooms, s->rooms.tx, s->rooms.service);
    bool good = true;
    for (size_t i = 0; i < enter.n && good; ++i)
        good = roster_room_join(&s->rooms, joins, enter.rows[i].a, enter.rows[i].b);
    diff_set_finish(&enter);
    return bulk_join_finish(joins, good, s->rooms.e);
}

/* roster_members first: the gate asks it, so that whom it holds may be joined and cannot be removed (E2, E4). Powers
 * before joins: nobody is in a room for a moment with more or less than the post gives. Leaves before joins: whoever
 * moves to another class is never in both. */
static bool update_rooms(struct reconciling *s)
{
    if (!for_touched(s, update_members))
        return false;
    diff_set_merge(&s->powers);
    for (size_t i = 0; i < s->powers.n; ++i)
        if (!roster_room_powers(&s->rooms, s->powers.rows[i].a))
            return false;
    if ((s->all || s->levels) && !roster_room_levels(&s->rooms, s->all ? 0 : s->levels_of))
        return false;
    return for_touched(s, remove_members) && for_touched(s, join_members);
}

/* --- Who has left a school (G1, G2) --- */

/* D9: of the two the guardian goes, not the child; whoever would come is not let in. */
static bool kept_out(struct reconciling *s, const struct room_school *of, room_no room, user_no user, bool comes)
{
    struct db *db = s->rooms.tx->db;
    if (of->kind == ROOM_DIRECT)
        return school_apart(db, of->a, of->b);
    return (of->kind == ROOM_CLUB || of->kind == ROOM_ASSOCIATION || of->kind == ROOM_ARCHIVE) &&
           (comes ? school_kept_out : school_barred_out)(db, room, user);
}

static bool may_be_there(struct reconciling *s, room_no room, user_no user, bool comes)
{
    struct room_school of;
    struct person_facts facts;
    school_person_facts(s->rooms.tx->db, room, user, &facts);
    school_of_room(s->rooms.tx->db, room, &of);
    if (kept_out(s, &of, room, user, comes))
        return false;
    if (!facts.member || of.kind == ROOM_ASSOCIATION)
        return facts.member && (facts.roles & ROLES_STAFF) != 0; /* E8 */
    if (facts.roles != ROLE_EXTERNAL || facts.named || facts.held)
        return true;
    return (of.kind == ROOM_DOCUMENTS || of.kind == ROOM_NOTICES) && facts.owner; /* E7 */
}

static bool may_return(void *self, room_no room, user_no user)
{
    return may_be_there(self, room, user, true);
}

static bool return_rooms(struct reconciling *s, user_no user)
{
    return returning_rooms(&s->rooms, user, may_return, s);
}

static bool return_all(struct reconciling *s)
{
    return for_touched(s, return_rooms);
}

/* Leaves a room that people made; if it is a club of the person's own, somebody else answers for it (E5). */
static bool leave_room(struct reconciling *s, room_no room, user_no user)
{
    struct room_school of;
    bool own = school_of_room(s->rooms.tx->db, room, &of) && of.kind == ROOM_CLUB && of.owner == user;
    user_no next = own ? school_room_next_owner(s->rooms.tx->db, room, user, s->day) : 0;
    if (own && s->keeps && !taken_owner_put(s->rooms.tx, room, user))
        return database_failed(s);
    if (next != 0 && !school_room_set(s->rooms.tx->db, room, ROOM_CLUB, next))
        return database_failed(s);
    return roster_room_leave(&s->rooms, room, user);
}

/* Of which rooms they leave: those that people made in a school they no longer belong to, external staff those for
 * which nobody names them any more (E7), who is no staff any more the associations (E8); of no school at all, all. */
static void find_leaves(struct reconciling *s, user_no user, bool all, struct diff_set *out)
{
    size_t n;
    room_no *rooms = memberships_rooms(s->rooms.tx->db, user,
                                       1u << MEMBERSHIP_JOIN | 1u << MEMBERSHIP_INVITE | 1u << MEMBERSHIP_KNOCK, &n);
    for (size_t i = 0; i < n; ++i)
        if (all || !may_be_there(s, rooms[i], user, false))
            diff_set_add(out, (struct diff_row){.a = rooms[i], .b = user});
    free(rooms);
}

/* By room, because it matters who else leaves it (returning.h). */
static bool leave_rooms(struct reconciling *s, struct diff_set *leaves)
{
    bool good = true;
    user_no *users = xcalloc(leaves->n + 1, sizeof *users);
    diff_set_sort(leaves);
    for (size_t i = 0, n; i < leaves->n && good; i += n) {
        room_no room = leaves->rows[i].a;
        for (n = 0; i + n < leaves->n && leaves->rows[i + n].a == room; ++n)
            users[n] = leaves->rows[i + n].b;
        good = !s->keeps || returning_leave(&s->rooms, room, users, n) || database_failed(s);
        for (size_t k = 0; k < n && good; ++k)
            good = leave_room(s, room, users[k]);
    }
    free(users);
    return good;
}

static bool close_account(struct reconciling *s, user_no user)
{
    struct user_row row;
    bool open = users_get(s->rooms.tx->db, user, &row) && row.state != ACCOUNT_LEFT;
    user_row_finish(&row);
    if (!open)
        return true;
    ++s->rooms.changelog->changes->n[ROSTER_ACCOUNTS_CLOSED];
    touch_family(s, user); /* their pupils may be without a guardian now (D7) */
    return (!s->keeps || returning_close(s->rooms.tx, user) || database_failed(s)) &&
           set_state(s, user, ACCOUNT_LEFT) &&
           ((devices_delete_all(s->rooms.tx, user, 0) && contacts_forget(s->rooms.tx, user) && /* C3 */
             people_set_closed(s->rooms.tx->db, user, true)) ||
            database_failed(s));
}

/* D9: who is kept from a child is so from guardians who come later, too. */
static bool lose_barred_of(struct reconciling *s, user_no child)
{
    lose_barred(s, child, 0);
    return true;
}

/* Not everybody who lost a role has lost a school: another role may stand. Accounts that are no school's people (the
 * operator's own) are nobody's to close. */
static bool leave_schools(struct reconciling *s)
{
    struct diff_set leaves = {0}, closing = {0};
    bool good = for_touched(s, lose_barred_of);
    diff_set_merge(&s->lost);
    for (size_t i = 0; i < s->lost.n; ++i) {
        user_no user = s->lost.rows[i].a;
        bool person, stays = people_have_role(s->rooms.tx->db, user, s->day, &person);
        if (i > 0 && user == s->lost.rows[i - 1].a)
            continue;
        if (person)
            find_leaves(s, user, !stays, &leaves);
        if (person && !stays)
            diff_set_add(&closing, (struct diff_row){.a = user});
    }
    good = leave_rooms(s, &leaves);
    for (size_t i = 0; i < closing.n && good; ++i)
        good = close_account(s, closing.rows[i].a);
    diff_set_finish(&leaves);
    diff_set_finish(&closing);
    return good;
}

bool reconcile_roles(struct reconciling *s, struct error *e)
{
    s->rooms.e = e;
    s->roles_done = s->roles_done || (roster_room_begin(&s->rooms) && derive_roles(s));
    return s->roles_done;
}

bool reconcile_finish(struct reconciling *s, struct error *e)
{
    /* Each step reads what those before it wrote: rooms are there before members, roles before members and names, open
     * accounts before joins; restrictions last, when it is known which guardians have left. */
    static bool (*const STEPS[])(struct reconciling * s) = {
        make_rooms, reopen_all, name_people, update_rooms, return_all, leave_schools, restrict_all,
    };
    bool good = reconcile_roles(s, e);
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS && good; ++i)
        good = STEPS[i](s);
    reconcile_abandon(s);
    return good;
}
