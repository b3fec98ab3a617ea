#include "homeserver/store/school/cards.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"

#define CURRENT(alias, n) alias ".begin_date <= $" #n " AND " alias ".end_date >= $" #n

enum {
    SCHOOL,
    CLASS,
    PUPIL_SCHOOL,
    PUPIL_CLASS,
    PERSON,
    NAMESAKES,
    GUARDIANS,
    CHILDREN,
    HAS_CLASS_TEACHER,
    ROLES,
    ROOMS,
    MEMBERS,
    N
};
static const char *const TEXTS[N] = {
    [SCHOOL] = "SELECT s.school_no, s.sourced_id, s.name FROM schools s WHERE s.school_no = $1 AND s.ended = 0",
    [CLASS] = "SELECT s.school_no, s.sourced_id, s.name, c.class_no, c.sourced_id, c.title, c.grade FROM classes c"
              " JOIN schools s ON s.school_no = c.school_no WHERE c.class_no = $1 AND c.ended = 0 AND s.ended = 0",
    [PUPIL_SCHOOL] = "SELECT r.school_no FROM roles r WHERE r.user_no = $1 AND r.role = 'pupil' AND " CURRENT(
        "r", 2) " ORDER BY r.school_no LIMIT 1",
    [PUPIL_CLASS] = "SELECT n.class_no FROM enrollments n JOIN classes c ON c.class_no = n.class_no"
                    " WHERE n.user_no = $1 AND n.role = 'pupil' AND c.kind = 'homeroom' AND c.ended = 0"
                    " AND c.school_no = $3 AND " CURRENT("n", 2) " ORDER BY n.class_no LIMIT 1",
    [PERSON] = "SELECT sourced_id, given_name, family_name, middle_name, birth_date, enabled, ended, source, version"
               " FROM people WHERE user_no = $1",
    [NAMESAKES] = "SELECT DISTINCT p.user_no FROM people p JOIN roles r ON r.user_no = p.user_no"
                  " WHERE r.school_no = $1 AND p.given_name = $2 AND p.family_name = $3 AND p.ended = 0"
                  " ORDER BY p.user_no LIMIT $4",
    [GUARDIANS] = "SELECT guardian FROM guardianships WHERE child = $1 ORDER BY guardian",
    [CHILDREN] = "SELECT child FROM guardianships WHERE guardian = $1 ORDER BY child",
    [HAS_CLASS_TEACHER] = "SELECT 1 FROM enrollments n WHERE n.class_no = $1 AND n.role = 'class_teacher'"
                          " AND " CURRENT("n", 2) " LIMIT 1",
    [ROLES] = "SELECT DISTINCT r.school_no, r.role FROM roles r WHERE r.user_no = $1 AND " CURRENT(
        "r", 2) " ORDER BY r.school_no, r.role",
    [ROOMS] = "SELECT m.room_no, r.room_id, coalesce(rr.kind, CASE WHEN a.room_no IS NOT NULL THEN 'archive' END,"
              " r.kind), r.joined, e.content FROM memberships m JOIN rooms r ON r.room_no = m.room_no"
              " LEFT JOIN roster_rooms rr ON rr.room_no = m.room_no"
              " LEFT JOIN archived_rooms a ON a.room_no = m.room_no"
              " LEFT JOIN room_state s ON s.room_no = m.room_no AND s.type = 'm.room.name' AND s.state_key = ''"
              " LEFT JOIN events e ON e.pos = s.pos"
              " WHERE m.user_no = $1 AND m.membership = 'join' AND m.room_no > $2 ORDER BY m.room_no LIMIT $3",
    [MEMBERS] = "SELECT m.user_no FROM memberships m JOIN users u ON u.user_no = m.user_no"
                " WHERE m.room_no = $1 AND m.membership = 'join' AND u.kind = 'person' ORDER BY m.user_no LIMIT $2",
};
static const struct statements CARDS = {"cards", TEXTS, N};

static const char *today(char out[DAY_TEXT_BYTES])
{
    return day_text(day_of_ms(clock_wall_ms()), out);
}

static char *copied(struct stmt *q, int column)
{
    const char *text = col_text(q, column);
    return xstrdup(text != NULL ? text : "");
}

void place_card_finish(struct place_card *card)
{
    free(card->school_id);
    free(card->school_name);
    free(card->class_id);
    free(card->class_title);
    *card = (struct place_card){0};
}

bool place_card_get(struct db *db, school_no school, class_no class, struct place_card *out)
{
    struct stmt *q = db_query(db, &CARDS, class != 0 ? CLASS : SCHOOL, "i", class != 0 ? class : school);
    bool found = stmt_next(q);
    *out = (struct place_card){0};
    if (found)
        *out = (struct place_card){
            .school = col_int(q, 0), .school_id = copied(q, 1), .school_name = copied(q, 2), .class = class};
    if (found && class != 0) {
        out->class_id = copied(q, 4);
        out->class_title = copied(q, 5);
        out->grade = (int)strtol(col_text(q, 6), NULL, 10);
    }
    stmt_end(q);
    return found;
}

bool card_pupil_place(struct db *db, user_no user, school_no *school, class_no *class)
{
    char day[DAY_TEXT_BYTES];
    *school = db_int(db, &CARDS, PUPIL_SCHOOL, 0, "it", user, today(day));
    *class = *school != 0 ? db_int(db, &CARDS, PUPIL_CLASS, 0, "iti", user, today(day), *school) : 0;
    return *school != 0;
}

void person_card_finish(struct person_card *card)
{
    free(card->sourced_id);
    free(card->given);
    free(card->family);
    free(card->middle);
    *card = (struct person_card){0};
}

bool person_card_get(struct db *db, user_no user, struct person_card *out)
{
    struct stmt *q = db_query(db, &CARDS, PERSON, "i", user);
    bool found = stmt_next(q);
    *out = (struct person_card){0};
    if (found) {
        const char *birth = col_text(q, 4);
        *out = (struct person_card){.user = user,
                                    .sourced_id = copied(q, 0),
                                    .given = copied(q, 1),
                                    .family = copied(q, 2),
                                    .middle = copied(q, 3),
                                    .birth = birth != NULL ? day_from(birth) : DAY_EVER,
                                    .enabled = col_int(q, 5) != 0,
                                    .ended = col_int(q, 6) != 0,
                                    .roster_kept = strcmp(col_text(q, 7), "school") != 0,
                                    .version = col_int(q, 8)};
    }
    stmt_end(q);
    return found;
}

static int numbers(struct stmt *q, user_no *out, int max)
{
    int n = 0;
    while (stmt_next(q)) {
        if (n < max)
            out[n] = col_int(q, 0);
        ++n;
    }
    stmt_end(q);
    return n;
}

int card_namesakes(struct db *db, school_no school, const char *given, const char *family, user_no *out, int max)
{
    return numbers(db_query(db, &CARDS, NAMESAKES, "itti", school, given, family, (int64_t)max), out, max);
}

int card_guardians(struct db *db, user_no child, user_no *out, int max)
{
    return numbers(db_query(db, &CARDS, GUARDIANS, "i", child), out, max);
}

int card_children(struct db *db, user_no guardian, user_no *out, int max)
{
    return numbers(db_query(db, &CARDS, CHILDREN, "i", guardian), out, max);
}

bool card_has_class_teacher(struct db *db, class_no class)
{
    char day[DAY_TEXT_BYTES];
    return db_int(db, &CARDS, HAS_CLASS_TEACHER, 0, "it", class, today(day)) == 1;
}

struct stmt *card_roles(struct db *db, user_no user, char day[DAY_TEXT_BYTES])
{
    return db_query(db, &CARDS, ROLES, "it", user, today(day));
}

bool card_roles_next(struct stmt *q, school_no *school, enum school_role *role)
{
    if (!stmt_next(q))
        return false;
    *school = col_int(q, 0);
    *role = (enum school_role)school_role_from(col_text(q, 1));
    return true;
}

struct stmt *card_rooms(struct db *db, user_no user, room_no after, int limit)
{
    return db_query(db, &CARDS, ROOMS, "iii", user, after, (int64_t)limit);
}

bool card_rooms_next(struct stmt *q, struct room_card *out)
{
    if (!stmt_next(q))
        return false;
    *out = (struct room_card){
        .room = col_int(q, 0), .room_id = col_text(q, 1), .joined = (int)col_int(q, 3), .name = col_text(q, 4)};
    room_kind_from(col_text(q, 2), &out->kind);
    return true;
}

int card_members(struct db *db, room_no room, user_no *out, int max)
{
    return numbers(db_query(db, &CARDS, MEMBERS, "ii", room, (int64_t)max), out, max);
}
