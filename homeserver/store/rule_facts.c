#include "homeserver/store/rule_facts.h"

#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/sql_private.h"

enum {
    ROOM,
    ENCRYPTED,
    PEOPLE,
    STAFF_PRESENT,
    STAFF_THERE,
    PUPIL_THERE,
    FAMILY_THERE,
    SCHOOLS_OF_ROOM,
    PERSON,
    PERSON_IN_ROOM,
    ROLES_AT,
    ROLES_BESIDE,
    ROLES_ANY,
    SCHOOLS_OF,
    HELD,
    SHARED,
    ROLES_OF_BOTH,
    CLASSES_OF_BOTH,
    KIN,
    BONDS,
    KEPT_OUT,
    BARRED_OUT,
    CUSTODY_OF,
    IN_CUSTODY,
    APART_FROM,
    APART_JOINED,
    MEETS_IN_CLASS,
    MEETINGS,
    ALL_BARRED,
    SCHOOL_OF_CLASS,
    TEACHES_CLASS,
    TEACHES_PERSON,
    ROLES_ELSEWHERE,
    TEXTS_COUNT
};

#define NOT_THE_SERVICE(alias) "NOT (" alias ".kind = 'service' AND " alias ".localpart = '" SERVICE_LOCALPART "')"
#define THERE_AS(memberships)                                                                                          \
    "SELECT 1 FROM memberships m JOIN room_schools s ON s.room_no = m.room_no JOIN roles r ON r.user_no = m.user_no"   \
    " AND r.school_no = s.school_no WHERE m.room_no = $1 AND m.membership IN " memberships                             \
    " AND " CURRENT("r", 2) " AND r.role IN "

#define PERSON_ROW "SELECT u.state, u.kind, u.localpart, m.power, n.user_no "
#define PERSON_FROM                                                                                                    \
    "FROM users u LEFT JOIN roster_members m ON m.room_no = $1 AND m.user_no = u.user_no"                              \
    " LEFT JOIN named_members n ON n.room_no = $1 AND n.user_no = u.user_no "

/* In which classes somebody is, and as what: also as the guardian of a pupil ("child", whose). */
#define IN_CLASSES(n)                                                                                                  \
    "(SELECT e.class_no, e.role, 0 AS child FROM enrollments e WHERE e.user_no = $" #n                                 \
    " AND " CURRENT("e", 3) " UNION ALL SELECT e.class_no, 'child', g.child FROM guardianships g JOIN enrollments e"   \
                            " ON e.user_no = g.child AND e.role = 'pupil' WHERE g.guardian = $" #n                     \
                            " AND " CURRENT("e", 3) " AND " IN_FORCE("g") ")"

/* D9: from whom $n, a guardian, is kept: the child, and the child's other guardians with it; and
 * who is kept from $n. */
#define BARRED_FROM(n)                                                                                                 \
    "SELECT k.child AS user_no FROM custodies k WHERE k.kind = 'no_contact' AND k.guardian = $" #n                     \
    " UNION SELECT o.guardian FROM custodies k JOIN guardianships o ON o.child = k.child AND o.guardian <> k.guardian" \
    " WHERE k.kind = 'no_contact' AND k.guardian = $" #n
#define KEPT_FROM(n)                                                                                                   \
    "(" BARRED_FROM(n) " UNION SELECT k.guardian FROM custodies k WHERE k.kind = 'no_contact' AND k.child = $" #n      \
                       " UNION SELECT k.guardian FROM guardianships o JOIN custodies k ON k.child = o.child AND "      \
                       "k.guardian <> o.guardian"                                                                      \
                       " WHERE k.kind = 'no_contact' AND o.guardian = $" #n ")"

/* D9: who shares a child with $n and does not see them through it. */
#define PARTED_FROM(n)                                                                                                 \
    "(SELECT o.guardian AS user_no FROM guardianships g JOIN guardianships o ON o.child = g.child"                     \
    " AND o.guardian <> g.guardian JOIN custodies k ON k.child = g.child AND k.kind = 'separate'"                      \
    " AND k.guardian IN (g.guardian, o.guardian) WHERE g.guardian = $" #n ")"

/* In which classes somebody is today or later, themselves or as the guardian of a pupil. */
#define PLACES_LATER(user)                                                                                             \
    "(SELECT e.class_no FROM enrollments e WHERE e.user_no = " user " AND " NOT_PAST(                                  \
        "e",                                                                                                           \
        2) " UNION ALL SELECT "                                                                                        \
           "e.class_no FROM guardianships g JOIN enrollments e ON e.user_no = g.child AND e.role = 'pupil' WHERE "     \
           "g.guardian = " user " AND " NOT_PAST("e", 2) " AND " IN_FORCE("g") ")"

#define THERE_TOO                                                                                                      \
    " JOIN memberships m ON m.room_no = $1 AND m.user_no = x.user_no"                                                  \
    " WHERE m.membership IN ('join', 'invite', 'knock') LIMIT 1"

static const struct statement TEXTS[] = {
    [ROOM] = "SELECT COALESCE(rr.kind, CASE WHEN ar.room_no IS NOT NULL THEN 'archive' ELSE r.kind END),"
             " COALESCE(rr.school_no, ar.school_no, 0), COALESCE(rr.class_no, ar.class_no, 0),"
             " (SELECT COUNT(*) FROM room_schools s WHERE s.room_no = r.room_no),"
             " COALESCE(r.owner, r.creator), d.a, d.b FROM rooms r"
             " LEFT JOIN roster_rooms rr ON rr.room_no = r.room_no"
             " LEFT JOIN archived_rooms ar ON ar.room_no = r.room_no"
             " LEFT JOIN direct_rooms d ON d.room_no = r.room_no WHERE r.room_no = $1",
    [ENCRYPTED] = "SELECT 1 FROM room_state WHERE room_no = $1 AND type = 'm.room.encryption' AND state_key = ''",
    [PEOPLE] = "SELECT COUNT(*), MIN(m.user_no), MAX(m.user_no), COUNT(CASE m.membership WHEN 'join' THEN 1 END),"
               " MIN(CASE m.membership WHEN 'join' THEN m.user_no END),"
               " MAX(CASE m.membership WHEN 'join' THEN m.user_no END) FROM memberships m JOIN users u"
               " ON u.user_no = m.user_no WHERE m.room_no = $1 AND m.membership IN ('join', 'invite', 'knock')"
               " AND " NOT_THE_SERVICE("u"),
    [STAFF_PRESENT] = THERE_AS("('join')") STAFF_ROLES " AND EXISTS (SELECT 1 FROM users u WHERE u.user_no = m.user_no"
                                                       " AND u.state = 'active') LIMIT 1",
    [STAFF_THERE] = THERE_AS("('join', 'invite', 'knock')") STAFF_ROLES " LIMIT 1",
    [PUPIL_THERE] = THERE_AS("('join', 'invite', 'knock')") "('pupil') LIMIT 1",
    [FAMILY_THERE] = THERE_AS("('join', 'invite', 'knock')") "('pupil', 'guardian') LIMIT 1",
    [SCHOOLS_OF_ROOM] = "SELECT school_no FROM room_schools WHERE room_no = $1 ORDER BY school_no",
    [PERSON] = PERSON_ROW PERSON_FROM "WHERE u.user_no = $2",
    [PERSON_IN_ROOM] = PERSON_ROW ", r.role, s.room_no " PERSON_FROM "LEFT JOIN roles r ON r.user_no = u.user_no"
                                  " AND " CURRENT("r", 3) " LEFT JOIN room_schools s ON s.school_no = r.school_no"
                                                          " AND s.room_no = $1 WHERE u.user_no = $2",
    /* Column 1: whether the role counts where the question is asked. */
    [ROLES_AT] = "SELECT r.role, CASE WHEN r.school_no = $1 THEN 1 ELSE 0 END FROM roles r"
                 " WHERE r.user_no = $2 AND " CURRENT("r", 3),
    [ROLES_BESIDE] = "SELECT r.role, CASE WHEN r.school_no IN (SELECT o.school_no FROM roles o WHERE o.user_no = $1"
                     " AND " CURRENT("o", 3) ") THEN 1 ELSE 0 END FROM roles r WHERE r.user_no = $2"
                                             " AND " CURRENT("r", 3),
    [ROLES_ANY] = "SELECT r.role, 1 FROM roles r WHERE r.user_no = $1 AND " CURRENT("r", 2),
    [SCHOOLS_OF] =
        "SELECT DISTINCT r.school_no FROM roles r WHERE r.user_no = $1 AND " CURRENT("r", 2) " ORDER BY r.school_no",
    [HELD] = "SELECT 1 FROM roster_members WHERE room_no = $1 AND user_no = $2",
    [SHARED] = "SELECT 1 FROM roles r JOIN roles o ON o.school_no = r.school_no WHERE r.user_no = $1 AND o.user_no = $2"
               " AND " CURRENT("r", 3) " AND " CURRENT("o", 3) " LIMIT 1",
    [ROLES_OF_BOTH] = "SELECT r.user_no, r.school_no, r.role FROM roles r WHERE r.user_no IN ($1, $2)"
                      " AND " CURRENT("r", 3),
    [CLASSES_OF_BOTH] = "SELECT c.school_no, c.kind, x.role, y.role FROM " IN_CLASSES(
        1) " x"
           " JOIN " IN_CLASSES(2) " y ON y.class_no = x.class_no JOIN classes c"
                                  " ON c.class_no = x.class_no WHERE c.ended = 0"
                                  /* D9: not by the child through whom they do not see each other */
                                  " AND (x.child = 0 OR x.child <> y.child OR NOT EXISTS"
                                  " (SELECT 1 FROM custodies k WHERE k.child = x.child AND k.guardian IN ($1, $2)))",
    [KIN] = "SELECT 1 FROM guardianships g WHERE g.guardian = $1 AND g.child = $2 AND " IN_FORCE("g"),
    [BONDS] = "SELECT CASE WHEN g.child = $1 THEN 1 ELSE 2 END FROM guardianships g WHERE " IN_FORCE(
        "g") " AND ((g.child = $1 AND g.guardian = $2) OR (g.child = $2 AND g.guardian = $1))"
             " UNION ALL SELECT 3 FROM " KEPT_FROM(1) " x WHERE x.user_no = $2"
                                                      " UNION ALL SELECT 4 FROM " PARTED_FROM(
                                                          1) " x WHERE x.user_no = $2",
    [KEPT_OUT] = "SELECT 1 FROM " KEPT_FROM(2) " x" THERE_TOO,
    [BARRED_OUT] = "SELECT 1 FROM (" BARRED_FROM(2) ") x" THERE_TOO,
    [CUSTODY_OF] = "SELECT x.user_no FROM " KEPT_FROM(1) " x UNION SELECT y.user_no FROM " PARTED_FROM(1) " y"
                                                                                                          " ORDER BY 1",
    [IN_CUSTODY] = "SELECT k.child FROM custodies k UNION SELECT k.guardian FROM custodies k UNION"
                   " SELECT g.guardian FROM custodies k JOIN guardianships g ON g.child = k.child ORDER BY 1",
    [APART_FROM] = "SELECT x.user_no FROM " KEPT_FROM(1) " x ORDER BY 1",
    [APART_JOINED] = "SELECT COUNT(*) FROM " KEPT_FROM(2) " w JOIN memberships m ON m.user_no = w.user_no"
                                                          " WHERE m.room_no = $1 AND m.membership = 'join'",
    [MEETS_IN_CLASS] = "SELECT w.user_no FROM " KEPT_FROM(
        2) " w WHERE EXISTS (SELECT 1 FROM enrollments e"
           " WHERE e.class_no = $1 AND e.user_no = w.user_no AND " NOT_PAST(
               "e", 3) ") OR EXISTS (SELECT 1"
                       " FROM guardianships g JOIN enrollments e ON e.user_no = g.child AND e.role = 'pupil'"
                       " WHERE g.guardian = w.user_no AND g.child <> $4 AND e.class_no = $1 AND " NOT_PAST(
                           "e", 3) " AND " IN_FORCE("g") ") ORDER BY w.user_no LIMIT 1",
    [MEETINGS] = "SELECT DISTINCT w.user_no, x.class_no FROM (" BARRED_FROM(1) ") w CROSS JOIN " PLACES_LATER(
        "$1") " x JOIN classes c ON c.class_no = x.class_no AND c.ended = 0 WHERE x.class_no IN (SELECT y.class_no"
              " FROM " PLACES_LATER("w.user_no") " y) ORDER BY 1, 2",
    [ALL_BARRED] = "SELECT DISTINCT k.guardian FROM custodies k WHERE k.kind = 'no_contact' ORDER BY 1",
    [SCHOOL_OF_CLASS] = "SELECT school_no FROM classes WHERE class_no = $1",
    [TEACHES_CLASS] = "SELECT 1 FROM enrollments e WHERE e.user_no = $1 AND e.class_no = $2"
                      " AND e.role = 'class_teacher' AND " CURRENT("e", 3) " LIMIT 1",
    [ROLES_ELSEWHERE] = "SELECT r.role FROM roles r WHERE r.user_no = $2 AND " CURRENT(
        "r", 3) " AND NOT EXISTS (SELECT 1 FROM roles a WHERE a.user_no = $1 AND a.school_no = r.school_no"
                " AND a.role = 'administrator' AND " CURRENT("a", 3) ")",
    [TEACHES_PERSON] = "SELECT 1 FROM enrollments t JOIN " IN_CLASSES(
        2) " y ON y.class_no = t.class_no"
           " WHERE t.user_no = $1 AND t.role = 'class_teacher' AND " CURRENT(
               "t", 3) " AND y.role IN ('pupil', 'child') AND ($4 = 0 OR EXISTS (SELECT 1 FROM classes c"
                       " WHERE c.class_no = t.class_no AND c.school_no = $4)) LIMIT 1",
};
STATEMENTS(RULE_FACTS, "rule_facts", TEXTS);

static bool holds(struct db *db, int which, int64_t a, int64_t b)
{
    char day[DAY_TEXT_BYTES];
    return db_int(db, &RULE_FACTS, which, 0, "iit", a, b, day_today(day)) != 0;
}

struct role_sets {
    unsigned here, any;
};

static struct role_sets role_sets(struct stmt *q)
{
    struct role_sets sets = {0};
    while (stmt_next(q)) {
        unsigned role = school_role_from(col_text(q, 0));
        sets.any |= role;
        sets.here |= col_int(q, 1) != 0 ? role : 0;
    }
    stmt_end(q);
    return sets;
}

/* which: ROLES_AT, ROLES_BESIDE. */
static struct role_sets roles_where(struct db *db, int which, int64_t where, user_no user)
{
    char day[DAY_TEXT_BYTES];
    return role_sets(db_query(db, &RULE_FACTS, which, "iit", where, user, day_today(day)));
}

static unsigned roles_any(struct db *db, user_no user)
{
    char day[DAY_TEXT_BYTES];
    return role_sets(db_query(db, &RULE_FACTS, ROLES_ANY, "it", user, day_today(day))).any;
}

static void schools(struct stmt *q, school_no *out, int max, int *n)
{
    for (*n = 0; *n < max && stmt_next(q);)
        out[(*n)++] = col_int(q, 0);
    stmt_end(q);
}

/* --- Rooms --- */

static void room_from_row(struct stmt *q, struct room_school *out)
{
    room_kind_from(col_text(q, 0), &out->kind);
    out->school = col_int(q, 1);
    out->class = col_int(q, 2);
    out->n_schools = (int)col_int(q, 3);
    out->owner = col_int(q, 4);
    out->a = col_int(q, 5);
    out->b = col_int(q, 6);
    if (out->kind == ROOM_FREE && out->n_schools > 0)
        out->kind = ROOM_CLUB;
}

bool school_of_room(struct db *db, room_no room, struct room_school *out)
{
    *out = (struct room_school){.kind = ROOM_FREE};
    struct stmt *q = db_query(db, &RULE_FACTS, ROOM, "i", room);
    if (stmt_next(q))
        room_from_row(q, out);
    stmt_end(q);
    return out->n_schools > 0;
}

static void count_people(struct db *db, room_no room, struct room_life *out)
{
    struct stmt *q = db_query(db, &RULE_FACTS, PEOPLE, "i", room);
    if (stmt_next(q)) {
        out->n = (int)col_int(q, 0);
        out->people[0] = col_int(q, 1);
        out->people[1] = out->n > 1 ? col_int(q, 2) : 0;
        out->n_joined = (int)col_int(q, 3);
        out->joined[0] = col_int(q, 4);
        out->joined[1] = out->n_joined > 1 ? col_int(q, 5) : 0;
    }
    stmt_end(q);
}

static bool somebody(struct db *db, int which, room_no room)
{
    char day[DAY_TEXT_BYTES];
    return db_int(db, &RULE_FACTS, which, 0, "it", room, day_today(day)) != 0;
}

void school_room_life(struct db *db, room_no room, const struct room_school *of, struct room_life *out)
{
    *out = (struct room_life){.n = -1};
    out->encrypted = db_int(db, &RULE_FACTS, ENCRYPTED, 0, "i", room) != 0;
    if (of->kind == ROOM_DIRECT || of->kind == ROOM_CLUB)
        count_people(db, room, out);
    if (of->kind == ROOM_CLUB) {
        out->staff_present = somebody(db, STAFF_PRESENT, room);
        out->has_staff = out->staff_present || somebody(db, STAFF_THERE, room);
        out->has_pupil = somebody(db, PUPIL_THERE, room);
        out->has_family = somebody(db, FAMILY_THERE, room);
    }
}

void school_rooms_schools(struct db *db, room_no room, school_no *out, int max, int *n)
{
    schools(db_query(db, &RULE_FACTS, SCHOOLS_OF_ROOM, "i", room), out, max, n);
}

/* --- People --- */

/* What the accounts table, roster_members and named_members say. false: there is no such account, which counts as one
 * that left. */
static void person_from_row(struct stmt *q, struct person_facts *out)
{
    out->account = account_state_stored(col_text(q, 0));
    out->service = strcmp(col_text(q, 1), "service") == 0 && strcmp(col_text(q, 2), SERVICE_LOCALPART) == 0;
    out->held = !col_null(q, 3);
    out->post = col_int(q, 3) > 0;
    out->named = !col_null(q, 4);
}

static bool person_row(struct db *db, room_no room, user_no user, struct person_facts *out)
{
    struct stmt *q = db_query(db, &RULE_FACTS, PERSON, "ii", room, user);
    *out = (struct person_facts){.account = ACCOUNT_LEFT};
    bool found = stmt_next(q);
    if (found)
        person_from_row(q, out);
    stmt_end(q);
    return found;
}

/* A row for each role, or one without. */
static bool person_rows(struct db *db, room_no room, user_no user, struct person_facts *out)
{
    char day[DAY_TEXT_BYTES];
    struct stmt *q = db_query(db, &RULE_FACTS, PERSON_IN_ROOM, "iit", room, user, day_today(day));
    bool found = false;
    *out = (struct person_facts){.account = ACCOUNT_LEFT};
    for (; stmt_next(q); found = true) {
        if (!found)
            person_from_row(q, out);
        unsigned role = col_null(q, 5) ? 0 : school_role_from(col_text(q, 5));
        out->any_roles |= role;
        out->roles |= col_null(q, 6) ? 0 : role;
    }
    stmt_end(q);
    return found;
}

void school_person_in(struct db *db, room_no room, const struct room_school *of, user_no user, struct person_facts *out)
{
    bool known = person_rows(db, room, user, out);
    out->member = out->service;
    if (out->service)
        out->roles = out->any_roles = 0;
    if (!known || out->service)
        return;
    out->member = of->n_schools > 0 ? out->roles != 0 : out->any_roles == 0;
    out->owner = user == of->owner;
    out->direct_pair = of->kind == ROOM_DIRECT && (user == of->a || user == of->b);
}

void school_person_facts(struct db *db, room_no room, user_no user, struct person_facts *out)
{
    struct room_school of;
    school_of_room(db, room, &of);
    school_person_in(db, room, &of, user, out);
}

bool school_answers_for(struct db *db, room_no room, user_no user)
{
    struct room_school of;
    struct person_facts who;
    school_of_room(db, room, &of);
    school_person_in(db, room, &of, user, &who);
    if (of.class != 0)
        return who.post || school_teaches_class(db, user, of.class);
    return who.direct_pair || who.owner;
}

void school_person_anywhere(struct db *db, user_no user, struct person_facts *out)
{
    bool known = person_row(db, 0, user, out);
    out->member = known;
    if (known && !out->service)
        out->roles = out->any_roles = roles_any(db, user);
}

void school_person_at(struct db *db, school_no school, user_no user, user_no beside, struct person_facts *out)
{
    bool known = person_row(db, 0, user, out);
    out->member = out->service;
    if (!known || out->service)
        return;
    struct role_sets roles =
        school != 0 ? roles_where(db, ROLES_AT, school, user) : roles_where(db, ROLES_BESIDE, beside, user);
    out->roles = roles.here;
    out->any_roles = roles.any;
    out->member = roles.here != 0;
}

unsigned school_roles(struct db *db, school_no school, user_no user)
{
    return roles_where(db, ROLES_AT, school, user).here;
}

bool roster_holds(struct db *db, room_no room, user_no user)
{
    return db_int(db, &RULE_FACTS, HELD, 0, "ii", room, user) != 0;
}

bool school_has_any(struct db *db, user_no user)
{
    return roles_any(db, user) != 0;
}

void school_schools_of(struct db *db, user_no user, school_no *out, int max, int *n)
{
    char day[DAY_TEXT_BYTES];
    schools(db_query(db, &RULE_FACTS, SCHOOLS_OF, "it", user, day_today(day)), out, max, n);
}

/* --- Two people --- */

bool school_shared(struct db *db, user_no a, user_no b)
{
    return holds(db, SHARED, a, b) || (!school_has_any(db, a) && !school_has_any(db, b));
}

bool school_teaches_class(struct db *db, user_no teacher, class_no class)
{
    return holds(db, TEACHES_CLASS, teacher, class);
}

bool school_teaches_person(struct db *db, school_no school, user_no teacher, user_no person)
{
    char day[DAY_TEXT_BYTES];
    return db_int(db, &RULE_FACTS, TEACHES_PERSON, 0, "iiti", teacher, person, day_today(day), school) != 0;
}

school_no school_of_class(struct db *db, class_no class)
{
    return db_int(db, &RULE_FACTS, SCHOOL_OF_CLASS, 0, "i", class);
}

unsigned school_roles_elsewhere(struct db *db, user_no office, user_no person)
{
    char day[DAY_TEXT_BYTES];
    unsigned roles = 0;
    struct stmt *q = db_query(db, &RULE_FACTS, ROLES_ELSEWHERE, "iit", office, person, day_today(day));
    while (stmt_next(q))
        roles |= school_role_from(col_text(q, 0));
    stmt_end(q);
    return roles;
}

int school_guardians(struct db *db, user_no child)
{
    return guardianships_guardians(db, child, NULL, 0);
}

bool school_is_guardian(struct db *db, user_no guardian, user_no child)
{
    return db_int(db, &RULE_FACTS, KIN, 0, "ii", guardian, child) != 0;
}

static const struct mirror {
    enum relationship one, other;
} MIRRORS[] = {
    {RELATION_PUPIL_OWN_TEACHER, RELATION_STAFF_OWN_PUPIL},
    {RELATION_PUPIL_OWN_GUARDIAN, RELATION_GUARDIAN_OWN_CHILD},
    {RELATION_PUPIL_CLASSMATE, RELATION_PUPIL_CLASSMATE},
    {RELATION_GUARDIAN_CHILDS_TEACHER, RELATION_STAFF_PUPILS_GUARDIAN},
    {RELATION_GUARDIAN_CLASS_GUARDIAN, RELATION_GUARDIAN_CLASS_GUARDIAN},
    {RELATION_STAFF_STAFF, RELATION_STAFF_STAFF},
    {RELATION_PUPIL_PUPIL, RELATION_PUPIL_PUPIL},
    {RELATION_PUPIL_GUARDIAN, RELATION_GUARDIAN_PUPIL},
    {RELATION_PUPIL_STAFF, RELATION_STAFF_PUPIL},
    {RELATION_GUARDIAN_GUARDIAN, RELATION_GUARDIAN_GUARDIAN},
    {RELATION_GUARDIAN_STAFF, RELATION_STAFF_GUARDIAN},
};

uint32_t school_relations_mirrored(uint32_t relations)
{
    uint32_t out = 0;
    for (size_t i = 0; i < sizeof MIRRORS / sizeof *MIRRORS; ++i) {
        out |= (relations & RELATION_BIT(MIRRORS[i].one)) != 0 ? RELATION_BIT(MIRRORS[i].other) : 0;
        out |= (relations & RELATION_BIT(MIRRORS[i].other)) != 0 ? RELATION_BIT(MIRRORS[i].one) : 0;
    }
    return out;
}

/* What both are in one school. */
struct both {
    school_no school;
    unsigned a, b; /* enum school_role */
    uint32_t relations;
};

static struct both *both_at(struct both *all, int *n, school_no school)
{
    for (int i = 0; i < *n; ++i)
        if (all[i].school == school)
            return &all[i];
    struct both *both = &all[*n];
    *both = (struct both){.school = school};
    *n += *n < PAIR_SCHOOLS_MAX; /* what is beyond more schools than anybody is in does not count */
    return both;
}

static void read_roles(struct db *db, user_no a, user_no b, struct both *all, int *n)
{
    char day[DAY_TEXT_BYTES];
    struct stmt *q = db_query(db, &RULE_FACTS, ROLES_OF_BOTH, "iit", a, b, day_today(day));
    while (stmt_next(q)) {
        struct both *both = both_at(all, n, col_int(q, 1));
        *(col_int(q, 0) == a ? &both->a : &both->b) |= school_role_from(col_text(q, 2));
    }
    stmt_end(q);
}

enum class_part { PART_PUPIL, PART_CHILD, PART_TEACHER, PART__COUNT };

static enum class_part part_of(const char *role)
{
    return strcmp(role, "pupil") == 0 ? PART_PUPIL : strcmp(role, "child") == 0 ? PART_CHILD : PART_TEACHER;
}

/* External staff who teach a group are not its teachers in the sense of F1 (E7). */
static bool counts(enum class_part part, unsigned roles)
{
    return part != PART_TEACHER || (roles & ROLE_EXTERNAL) == 0 || (roles & ROLES_STAFF) != 0;
}

/* What it means to be in one class as the one and the other. Guardians know each other by the homeroom. */
static uint32_t class_relation(enum class_part a, enum class_part b, bool homeroom)
{
    static const uint32_t BY_PART[PART__COUNT][PART__COUNT] = {
        [PART_PUPIL] = {[PART_PUPIL] = RELATION_BIT(RELATION_PUPIL_CLASSMATE),
                        [PART_TEACHER] = RELATION_BIT(RELATION_PUPIL_OWN_TEACHER)},
        [PART_CHILD] = {[PART_CHILD] = RELATION_BIT(RELATION_GUARDIAN_CLASS_GUARDIAN),
                        [PART_TEACHER] = RELATION_BIT(RELATION_GUARDIAN_CHILDS_TEACHER)},
        [PART_TEACHER] = {[PART_PUPIL] = RELATION_BIT(RELATION_STAFF_OWN_PUPIL),
                          [PART_CHILD] = RELATION_BIT(RELATION_STAFF_PUPILS_GUARDIAN)},
    };
    return a == PART_CHILD && b == PART_CHILD && !homeroom ? 0 : BY_PART[a][b];
}

static void read_classes(struct db *db, user_no a, user_no b, struct both *all, int *n, struct pair_schools *out)
{
    char day[DAY_TEXT_BYTES];
    struct stmt *q = db_query(db, &RULE_FACTS, CLASSES_OF_BOTH, "iit", a, b, day_today(day));
    while (stmt_next(q)) {
        struct both *both = both_at(all, n, col_int(q, 0));
        bool homeroom = strcmp(col_text(q, 1), "homeroom") == 0;
        enum class_part one = part_of(col_text(q, 2)), other = part_of(col_text(q, 3));
        if (counts(one, both->a) && counts(other, both->b))
            both->relations |= class_relation(one, other, homeroom);
        out->class_teacher |= one == PART_PUPIL && strcmp(col_text(q, 3), "class_teacher") == 0;
    }
    stmt_end(q);
}

/* What two are to each other because they are in one school, and nothing else joins them. */
#define WIDE_RELATIONS                                                                                                 \
    (RELATION_BIT(RELATION_PUPIL_PUPIL) | RELATION_BIT(RELATION_PUPIL_GUARDIAN) |                                      \
     RELATION_BIT(RELATION_GUARDIAN_PUPIL) | RELATION_BIT(RELATION_PUPIL_STAFF) | RELATION_BIT(RELATION_STAFF_PUPIL) | \
     RELATION_BIT(RELATION_GUARDIAN_GUARDIAN) | RELATION_BIT(RELATION_GUARDIAN_STAFF) |                                \
     RELATION_BIT(RELATION_STAFF_GUARDIAN))

/* What it means to be in one school in these roles. */
static uint32_t school_relation(unsigned a, unsigned b)
{
    static const unsigned SIDES[] = {ROLE_PUPIL, ROLE_GUARDIAN, ROLES_STAFF};
    static const enum relationship WIDE[3][3] = {
        {RELATION_PUPIL_PUPIL, RELATION_PUPIL_GUARDIAN, RELATION_PUPIL_STAFF},
        {RELATION_GUARDIAN_PUPIL, RELATION_GUARDIAN_GUARDIAN, RELATION_GUARDIAN_STAFF},
        {RELATION_STAFF_PUPIL, RELATION_STAFF_GUARDIAN, RELATION_STAFF_STAFF},
    };
    uint32_t out = 0;
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
            if ((a & SIDES[i]) != 0 && (b & SIDES[j]) != 0)
                out |= RELATION_BIT(WIDE[i][j]);
    return out;
}

/* What binds the two beside a school, and whether they are kept from each other. */
struct bonds {
    bool a_is_child, b_is_child, apart, parted;
};

static struct bonds bonds_of(struct db *db, user_no a, user_no b)
{
    struct bonds bonds = {0};
    bool *const of[] = {&bonds.a_is_child, &bonds.b_is_child, &bonds.apart, &bonds.parted};
    struct stmt *q = db_query(db, &RULE_FACTS, BONDS, "ii", a, b);
    while (stmt_next(q))
        *of[col_int(q, 0) - 1] = true;
    stmt_end(q);
    return bonds;
}

bool school_apart(struct db *db, user_no a, user_no b)
{
    return a != b && bonds_of(db, a, b).apart;
}

bool school_kept_out(struct db *db, room_no room, user_no user)
{
    return db_int(db, &RULE_FACTS, KEPT_OUT, 0, "ii", room, user) != 0;
}

bool school_barred_out(struct db *db, room_no room, user_no user)
{
    return db_int(db, &RULE_FACTS, BARRED_OUT, 0, "ii", room, user) != 0;
}

static user_no *users_of(struct stmt *q, size_t *n)
{
    user_no *users = NULL;
    for (*n = 0; stmt_next(q); users[(*n)++] = col_int(q, 0))
        if ((*n & (*n - 1)) == 0)
            users = xrealloc(users, (*n != 0 ? *n * 2 : 1) * sizeof *users);
    stmt_end(q);
    return users;
}

user_no *school_custody_of(struct db *db, user_no user, size_t *n)
{
    return users_of(db_query(db, &RULE_FACTS, CUSTODY_OF, "i", user), n);
}

user_no *school_in_custody(struct db *db, size_t *n)
{
    return users_of(db_query(db, &RULE_FACTS, IN_CUSTODY, ""), n);
}

user_no *school_apart_from(struct db *db, user_no user, size_t *n)
{
    return users_of(db_query(db, &RULE_FACTS, APART_FROM, "i", user), n);
}

bool school_is_apart(struct db *db, user_no user)
{
    return db_int(db, &RULE_FACTS, APART_FROM, 0, "i", user) != 0;
}

int school_apart_joined(struct db *db, room_no room, user_no user)
{
    return (int)db_int(db, &RULE_FACTS, APART_JOINED, 0, "ii", room, user);
}

static user_no meets(struct db *db, class_no class, user_no user, user_no but_by)
{
    char day[DAY_TEXT_BYTES];
    return db_int(db, &RULE_FACTS, MEETS_IN_CLASS, 0, "iiti", class, user, day_today(day), but_by);
}

user_no school_meets_in_class(struct db *db, class_no class, user_no user)
{
    return meets(db, class, user, 0);
}

#define GUARDIANS_ASKED 4 /* there are two (D5) */

user_no school_family_meets(struct db *db, class_no class, user_no child)
{
    user_no guardians[GUARDIANS_ASKED];
    int n = guardianships_guardians(db, child, guardians, GUARDIANS_ASKED);
    for (int i = 0; i < n && i < GUARDIANS_ASKED; ++i)
        if (meets(db, class, guardians[i], child) != 0)
            return guardians[i];
    return 0;
}

static void add_meetings(struct db *db, user_no guardian, struct meeting **list, size_t *n)
{
    char day[DAY_TEXT_BYTES];
    struct stmt *q = db_query(db, &RULE_FACTS, MEETINGS, "it", guardian, day_today(day));
    while (stmt_next(q)) {
        *list = xrealloc(*list, (*n + 1) * sizeof **list);
        (*list)[(*n)++] = (struct meeting){guardian, col_int(q, 0), col_int(q, 1)};
    }
    stmt_end(q);
}

struct meeting *school_meetings(struct db *db, user_no guardian, size_t *n)
{
    struct meeting *list = NULL;
    size_t n_barred = 0;
    *n = 0;
    if (guardian != 0) {
        add_meetings(db, guardian, &list, n);
        return list;
    }
    user_no *barred = users_of(db_query(db, &RULE_FACTS, ALL_BARRED, ""), &n_barred);
    for (size_t i = 0; i < n_barred; ++i)
        add_meetings(db, barred[i], &list, n);
    free(barred);
    return list;
}

/* In each school where the child is a pupil. */
static void add_kin(struct both *all, int n, bool a_is_child)
{
    for (int i = 0; i < n; ++i)
        if (((a_is_child ? all[i].a : all[i].b) & ROLE_PUPIL) != 0)
            all[i].relations |= RELATION_BIT(a_is_child ? RELATION_PUPIL_OWN_GUARDIAN : RELATION_GUARDIAN_OWN_CHILD);
}

void school_pair(struct db *db, user_no a, user_no b, struct pair_schools *out)
{
    struct both all[PAIR_SCHOOLS_MAX + 1];
    int n = 0;
    *out = (struct pair_schools){0};
    if (a == b)
        return;
    const struct bonds bonds = bonds_of(db, a, b);
    out->apart = bonds.apart;
    if (out->apart) /* D9: nothing else that joins them counts */
        return;
    read_roles(db, a, b, all, &n);
    read_classes(db, a, b, all, &n, out);
    out->guardian = bonds.a_is_child;
    if (bonds.a_is_child)
        add_kin(all, n, true);
    if (bonds.b_is_child)
        add_kin(all, n, false);
    for (int i = 0; i < n; ++i) {
        uint32_t relations = all[i].relations | school_relation(all[i].a, all[i].b);
        if (bonds.parted) /* in the school's eyes they are there by the child, and so they are nothing to each other */
            relations &= ~WIDE_RELATIONS;
        if (relations == 0)
            continue;
        out->at[out->n].school = all[i].school;
        out->at[out->n++].relations = relations;
    }
    out->parted = bonds.parted && out->n == 0;
}
