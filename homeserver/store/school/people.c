#include "homeserver/store/school/people.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/casefold.h"
#include "homeserver/base/text.h"
#include "homeserver/store/school/sql_private.h"
#include "homeserver/store/school/viewer.h"

#define PERSON_WITH(account)                                                                                           \
    "SELECT p.user_no, p.sourced_id, p.given_name, p.family_name, p.middle_name, p.birth_date, p.enabled, p.ended,"    \
    " p.source, p.version, p.closed, " account " FROM people p "
#define PERSON PERSON_WITH("u.localpart, u.state") "JOIN users u ON u.user_no = p.user_no "
#define PERSON_ALONE PERSON_WITH("NULL, NULL")

/* In lists: $1, $2 the viewer and the day, $3 after, $4 school, $5 class, $6 role, $7 state. */
#define STATE_7 "($7 = '' OR u.state = $7)"
#define HAS_ROLE                                                                                                       \
    "EXISTS (SELECT 1 FROM roles r WHERE r.user_no = p.user_no AND ($4 = 0 OR r.school_no = $4)"                       \
    " AND ($6 = '' OR r.role = $6) AND " NOT_PAST("r", 2) " AND " SEES("r.school_no", 1, 2) ")"

/* The roster's guardians count like those who confirmed here: the school says so. */
#define UNGUARDED_BY(of)                                                                                               \
    "SELECT r.user_no, p.birth_date, r.school_no FROM roles r JOIN people p ON p.user_no = r.user_no"                  \
    " JOIN users u ON u.user_no = r.user_no WHERE r.role = 'pupil' AND " CURRENT(                                      \
        "r",                                                                                                           \
        1) " AND p.ended = 0 AND u.state IN ('active', 'restricted') AND NOT EXISTS (SELECT 1 FROM guardianships g"    \
           " JOIN people o ON o.user_no = g.guardian JOIN users v ON v.user_no = g.guardian WHERE g.child = r.user_no" \
           " AND o.ended = 0 AND v.state NOT IN ('pending', 'left') AND " IN_FORCE("g") ")" of("r.user_no")

/* $1, $2 the viewer and the day, $3 the person: in no school that they are not in, or a school of theirs has
 * it of the same roster. */
#define IN_THEIRS(from, school) "EXISTS (SELECT 1 FROM " from ".source = p.source AND " SEES(school, 1, 2) ")"
#define AT_SCHOOL(from, school) "EXISTS (SELECT 1 FROM " from ".source = p.source AND " school " = $1)"
#define HERE_BY_ROLE IN_THEIRS("roles r WHERE r.user_no = p.user_no AND r", "r.school_no")
#define HERE_BY_CLASS                                                                                                  \
    IN_THEIRS("enrollments n JOIN classes c ON c.class_no = n.class_no WHERE n.user_no = p.user_no AND n",             \
              "c.school_no")
#define HERE_BY_CHILD                                                                                                  \
    IN_THEIRS("guardianships g JOIN roles r ON r.user_no = g.child AND r.role = 'pupil' WHERE g.guardian = p.user_no"  \
              " AND g",                                                                                                \
              "r.school_no")
#define NOWHERE_ELSE                                                                                                   \
    "NOT EXISTS (SELECT 1 FROM roles r WHERE r.user_no = p.user_no AND " NOT_PAST("r", 2) " AND NOT " SEES(            \
        "r.school_no", 1, 2) ")"

#define RESTRICTED_BY(of) PERSON "WHERE u.state = 'restricted'" of("u.user_no")
#define REOPEN_BY(of)                                                                                                  \
    PERSON "WHERE p.closed = 1 AND p.ended = 0 AND u.state = 'left'"                                                   \
           " AND EXISTS (SELECT 1 FROM roles r WHERE r.user_no = p.user_no AND " NOT_PAST("r", 1) ")" of("p.user_no")

enum {
    ONE,
    ALL,
    BY_SOURCED_ID,
    SOURCED_ID,
    NAMESAKES,
    LIST_CLASS,
    LIST_SCHOOL,
    LIST_ALL,
    ANY,
    KEPT,
    HAVE_ROLE,
    RECORD_KNOWN,
    RECORD_OF_SCHOOL,
    UNGUARDED,
    UNGUARDED_OF,
    RESTRICTED,
    RESTRICTED_OF,
    REOPEN,
    REOPEN_OF,
    CALLED,
    OPEN_DISABLED,
    PRESENT,
    PUT,
    SET_SOURCE,
    SET_CLOSED,
    END,
    RETURN,
    FORGET,
    N
};
static const struct statement TEXTS[N] = {
    [ONE] = PERSON "WHERE p.user_no = $1",
    [ALL] = PERSON_ALONE "ORDER BY p.user_no",
    [BY_SOURCED_ID] = "SELECT user_no FROM people WHERE sourced_id = $1",
    [SOURCED_ID] = "SELECT sourced_id FROM people WHERE user_no = $1",
    [NAMESAKES] = "SELECT DISTINCT p.user_no FROM people p JOIN roles r ON r.user_no = p.user_no"
                  " WHERE r.school_no = $1 AND p.given_name = $2 AND p.family_name = $3 AND p.ended = 0"
                  " ORDER BY p.user_no LIMIT $4",

    /* One text for each way to find them first: a class, a school, everybody. */
    [LIST_CLASS] =
        PERSON "WHERE p.user_no IN (SELECT n.user_no FROM enrollments n WHERE n.class_no = $5"
               " AND n.user_no > $3 AND " NOT_PAST("n", 2) ") AND " STATE_7 " AND " HAS_ROLE " ORDER BY p.user_no",
    [LIST_SCHOOL] = PERSON "WHERE p.user_no IN (SELECT r.user_no FROM roles r WHERE r.school_no = $4"
                           " AND r.user_no > $3 AND ($6 = '' OR r.role = $6) AND " NOT_PAST("r", 2) " AND " SEES(
                               "r.school_no", 1, 2) ") AND " STATE_7 " AND $5 = 0 ORDER BY p.user_no",
    [LIST_ALL] = PERSON "WHERE p.user_no > $3 AND $5 = 0 AND " STATE_7 " AND (($1 = 0 AND $6 = '') OR " HAS_ROLE
                        ") ORDER BY p.user_no",

    [ANY] = "SELECT 1 FROM people LIMIT 1",
    [KEPT] = "SELECT 1 WHERE EXISTS (SELECT 1 FROM roles WHERE user_no = $1 AND source = 'school')"
             " OR EXISTS (SELECT 1 FROM enrollments WHERE user_no = $1 AND source = 'school')"
             " OR EXISTS (SELECT 1 FROM guardianships WHERE guardian = $1 AND source = 'school')",
    [HAVE_ROLE] = "SELECT CASE WHEN EXISTS (SELECT 1 FROM roles r WHERE r.user_no = p.user_no AND " NOT_PAST(
        "r", 2) ") THEN 1 ELSE 0 END FROM people p WHERE p.user_no = $1",
    [RECORD_KNOWN] = "SELECT 1 FROM people p WHERE p.user_no = $3 AND (" NOWHERE_ELSE " OR (p.source <> 'school'"
                     " AND (" HERE_BY_ROLE " OR " HERE_BY_CLASS " OR " HERE_BY_CHILD ")))",
    [RECORD_OF_SCHOOL] =
        "SELECT 1 FROM people p WHERE p.user_no = $3 AND (($4 = 0 AND NOT EXISTS (SELECT 1 FROM roles r WHERE"
        " r.user_no = p.user_no AND " NOT_PAST(
            "r", 2) " AND r.school_no <> $1)) OR (p.source <> 'school' AND"
                    " (" AT_SCHOOL("roles r WHERE r.user_no = p.user_no AND r", "r.school_no") " OR " AT_SCHOOL(
                        "enrollments n JOIN classes c ON c.class_no = n.class_no WHERE n.user_no = p.user_no AND n",
                        "c.school_no") " OR " AT_SCHOOL("guardianships g JOIN roles r ON r.user_no = g.child AND"
                                                        " r.role = 'pupil' WHERE g.guardian = p.user_no AND g",
                                                        "r.school_no") ")))",
    [UNGUARDED] = UNGUARDED_BY(EVERYBODY),
    [UNGUARDED_OF] = UNGUARDED_BY(ONE_SECOND),
    [RESTRICTED] = RESTRICTED_BY(EVERYBODY),
    [RESTRICTED_OF] = RESTRICTED_BY(ONE_FIRST),
    [REOPEN] = REOPEN_BY(EVERYBODY),
    [REOPEN_OF] = REOPEN_BY(ONE_SECOND),
    [CALLED] = "SELECT p.user_no, p.given_name, p.family_name, p.middle_name, CASE WHEN EXISTS (SELECT 1 FROM roles r"
               " WHERE r.user_no = p.user_no AND r.role <> 'pupil') THEN 1 ELSE 0 END, f.value,"
               " coalesce((SELECT min(r.school_no) FROM roles r WHERE r.user_no = p.user_no), 0) FROM people p"
               " LEFT JOIN profile_fields f ON f.user_no = p.user_no AND f.field = 'displayname' WHERE p.ended = 0",
    [OPEN_DISABLED] = "SELECT p.user_no FROM people p JOIN users u ON u.user_no = p.user_no WHERE p.source = $1"
                      " AND p.enabled = 0 AND p.ended = 0 AND u.state IN ('active', 'restricted', 'suspended')",
    [PRESENT] = "SELECT r.user_no FROM roles r JOIN people p ON p.user_no = r.user_no WHERE r.school_no = $1"
                " AND " CURRENT("r", 2) " AND p.enabled = 1 AND p.ended = 0",

    [PUT] =
        {"INSERT INTO people (user_no, sourced_id, given_name, family_name, middle_name, birth_date, enabled, ended,"
         " source) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (user_no) DO UPDATE SET"
         " given_name = excluded.given_name, family_name = excluded.family_name,"
         " middle_name = excluded.middle_name, birth_date = excluded.birth_date, enabled = excluded.enabled,"
         " ended = excluded.ended, source = excluded.source, version = people.version + 1",
         EPOCH_PEOPLE, GUARDED},
    [SET_SOURCE] = {"UPDATE people SET source = $2, version = version + 1 WHERE user_no = $1", EPOCH_PEOPLE, GUARDED},
    [SET_CLOSED] = {"UPDATE people SET closed = $2 WHERE user_no = $1", EPOCH_PEOPLE, GUARDED},
    [END] = {"UPDATE people SET ended = 1, version = version + 1 WHERE user_no = $1", EPOCH_PEOPLE, GUARDED},
    [RETURN] = {"UPDATE people SET ended = 0, source = 'school', version = version + 1 WHERE user_no = $1",
                EPOCH_PEOPLE, GUARDED},
    [FORGET] = {"UPDATE people SET given_name = '', family_name = '', middle_name = '', birth_date = NULL,"
                " sourced_id = 'erased:' || user_no, ended = 1, enabled = 0, closed = 0, version = version + 1"
                " WHERE user_no = $1",
                EPOCH_PEOPLE, GUARDED},
};
STATEMENTS(PEOPLE, "people", TEXTS);

bool people_next(struct stmt *q, struct person_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct person_row){.no = col_int(q, 0),
                               .sourced_id = col_text(q, 1),
                               .given = col_text(q, 2),
                               .family = col_text(q, 3),
                               .middle = col_text(q, 4),
                               .birth = col_day(q, 5),
                               .enabled = col_int(q, 6) != 0,
                               .ended = col_int(q, 7) != 0,
                               .source = col_text(q, 8),
                               .version = col_int(q, 9),
                               .closed = col_int(q, 10) != 0,
                               .localpart = col_text(q, 11),
                               .state = account_state_stored(col_text(q, 12))};
    return true;
}

bool people_get(struct db *db, user_no user, struct person_row *out)
{
    struct stmt *q = db_query(db, &PEOPLE, ONE, "i", user);
    *out = (struct person_row){.state = ACCOUNT_LEFT};
    bool found = people_next(q, out);
    if (found)
        out->memory = strings_keep(
            (const char **[]){&out->sourced_id, &out->given, &out->family, &out->middle, &out->source, &out->localpart},
            6);
    stmt_end(q);
    return found;
}

void person_row_finish(struct person_row *row)
{
    free(row->memory);
    *row = (struct person_row){0};
}

struct stmt *people_all(struct db *db)
{
    return db_query(db, &PEOPLE, ALL, "");
}

user_no people_by_sourced_id(struct db *db, const char *id)
{
    return db_int(db, &PEOPLE, BY_SOURCED_ID, 0, "t", id);
}

char *people_sourced_id(struct db *db, user_no user)
{
    return db_text(db, &PEOPLE, SOURCED_ID, "i", user);
}

int people_namesakes(struct db *db, school_no school, const char *given, const char *family, user_no *out, int max)
{
    return take_numbers(db_query(db, &PEOPLE, NAMESAKES, "itti", school, given, family, (int64_t)max), out, max);
}

/* --- Lists --- */

struct people_list {
    struct stmt *q;
    char *prefix; /* folded; NULL: any */
    size_t prefix_len;
};

struct people_list *people_list(struct db *db, const struct people_filter *f)
{
    struct people_list *list = xcalloc(1, sizeof *list);
    if (f->name != NULL && *f->name != '\0') {
        list->prefix = casefold(f->name);
        list->prefix_len = strlen(list->prefix);
    }
    int which = f->class != 0 ? LIST_CLASS : f->school != 0 ? LIST_SCHOOL : LIST_ALL;
    list->q = db_query(db, &PEOPLE, which, "itiiitt", f->viewer->user, f->viewer->day, f->after, f->school, f->class,
                       f->role != NULL ? f->role : "", f->state != NULL ? f->state : "");
    return list;
}

static bool begins(const struct people_list *list, const char *name)
{
    char *folded = casefold(name);
    bool so = strncmp(folded, list->prefix, list->prefix_len) == 0;
    free(folded);
    return so;
}

bool people_list_next(struct people_list *list, struct person_row *row)
{
    while (people_next(list->q, row))
        if (list->prefix == NULL || begins(list, row->family) || begins(list, row->given))
            return true;
    return false;
}

void people_list_end(struct people_list *list)
{
    stmt_end(list->q);
    free(list->prefix);
    free(list);
}

/* --- Who stays, who comes back --- */

bool people_any(struct db *db)
{
    return db_int(db, &PEOPLE, ANY, 0, "") != 0;
}

bool people_kept_by_school(struct db *db, user_no user)
{
    return db_int(db, &PEOPLE, KEPT, 0, "i", user) != 0;
}

bool people_have_role(struct db *db, user_no user, school_day day, bool *person)
{
    char text[DAY_TEXT_BYTES];
    int64_t answer = db_int(db, &PEOPLE, HAVE_ROLE, -1, "it", user, day_text(day, text));
    *person = answer >= 0;
    return answer > 0;
}

bool people_record_known(struct db *db, const struct viewer *viewer, user_no user)
{
    return db_int(db, &PEOPLE, RECORD_KNOWN, 0, "iti", viewer->user, viewer->day, user) != 0;
}

bool people_record_of_school(struct db *db, school_no school, const char *day, user_no user, bool elsewhere)
{
    return db_int(db, &PEOPLE, RECORD_OF_SCHOOL, 0, "itii", school, day, user, (int64_t)elsewhere) != 0;
}

struct stmt *people_unguarded(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES])
{
    day_text(day, buffer);
    return user == 0 ? db_query(db, &PEOPLE, UNGUARDED, "t", buffer)
                     : db_query(db, &PEOPLE, UNGUARDED_OF, "ti", buffer, user);
}

bool people_unguarded_next(struct stmt *q, struct ward_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct ward_row){col_int(q, 0), col_day(q, 1), col_int(q, 2)};
    return true;
}

struct stmt *people_restricted(struct db *db, user_no user)
{
    return user == 0 ? db_query(db, &PEOPLE, RESTRICTED, "") : db_query(db, &PEOPLE, RESTRICTED_OF, "i", user);
}

struct stmt *people_to_reopen(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES])
{
    day_text(day, buffer);
    return user == 0 ? db_query(db, &PEOPLE, REOPEN, "t", buffer)
                     : db_query(db, &PEOPLE, REOPEN_OF, "ti", buffer, user);
}

struct stmt *people_called(struct db *db)
{
    return db_query(db, &PEOPLE, CALLED, "");
}

bool people_called_next(struct stmt *q, struct called_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct called_row){
        {.no = col_int(q, 0), .given = col_text(q, 1), .family = col_text(q, 2), .middle = col_text(q, 3)},
        col_int(q, 4) != 0,
        col_text(q, 5),
        col_int(q, 6)};
    return true;
}

struct stmt *people_open_disabled(struct db *db, const char *source)
{
    return db_query(db, &PEOPLE, OPEN_DISABLED, "t", source);
}

struct stmt *people_present(struct db *db, school_no school, school_day today, char buffer[DAY_TEXT_BYTES])
{
    return db_query(db, &PEOPLE, PRESENT, "it", school, day_text(today, buffer));
}

/* --- Inside a job --- */

bool people_put(struct db *db, const struct person_row *row)
{
    char birth[DAY_TEXT_BYTES];
    return db_run(db, &PEOPLE, PUT, "itttttiit", row->no, row->sourced_id, row->given, row->family, row->middle,
                  row->birth == DAY_EVER ? NULL : day_text(row->birth, birth), (int64_t)row->enabled,
                  (int64_t)row->ended, source_column(row->source));
}

bool people_set_source(struct db *db, user_no user, const char *source)
{
    return db_run(db, &PEOPLE, SET_SOURCE, "it", user, source);
}

bool people_set_closed(struct db *db, user_no user, bool closed)
{
    return db_run(db, &PEOPLE, SET_CLOSED, "ii", user, (int64_t)closed);
}

bool people_end(struct db *db, user_no user)
{
    return db_run(db, &PEOPLE, END, "i", user);
}

bool people_return(struct db *db, user_no user)
{
    return db_run(db, &PEOPLE, RETURN, "i", user);
}

bool people_forget(struct db *db, user_no user)
{
    return db_run(db, &PEOPLE, FORGET, "i", user);
}
