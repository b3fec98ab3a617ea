/* What is to be said of a roster before it is imported: what refuses it, what is left out of it, and what is taken
 * although it is not as the standard wants it. Each problem has its place; the first PROBLEMS_NAMED_MAX of a kind are
 * named, all are counted.
 *
 * The rule behind the kinds: what is read must be there and right, or the roster is refused; what is not read is at
 * most named; and nothing is left out or understood in another way than it is written without a word. */
#ifndef PARTA_POLICY_ONEROSTER_PROBLEMS_H
#define PARTA_POLICY_ONEROSTER_PROBLEMS_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"

enum problem_weight {
    PROBLEM_REFUSES,  /* with one of these nothing is imported */
    PROBLEM_LEFT_OUT, /* the rest is imported */
    PROBLEM_TAKEN,    /* it is imported; that is how it is understood */
    PROBLEM_WEIGHT__COUNT
};

/* X(name, weight, name in JSON, what is counted, as one says it) */
#define PROBLEM_KINDS(X)                                                                                               \
    X(REFUSED, REFUSES, "refused", "problems")                                                                         \
    X(ROW_GONE, LEFT_OUT, "rows_gone", "rows that are inactive or tobedeleted")                                        \
    X(ROW_OF_GONE, LEFT_OUT, "rows_of_gone", "rows that refer to inactive or tobedeleted ones")                        \
    X(AGENT_GONE, LEFT_OUT, "agents_gone", "agents that are inactive or tobedeleted")                                  \
    X(AGENT_NONE, LEFT_OUT, "agents_no_guardians", "agents that have no role by which they could be guardians")        \
    X(GUARDIAN_THIRD, LEFT_OUT, "guardians_beyond_two", "guardians beyond the two who are named first (rule D5)")      \
    X(CLASS_ELSEWHERE, LEFT_OUT, "classes_elsewhere", "classes of an org that is no school")                           \
    X(ENROLLMENT_ELSEWHERE, LEFT_OUT, "enrollments_elsewhere", "enrollments in these")                                 \
    X(ROLE_NOTHING, LEFT_OUT, "roles_without_meaning", "roles that mean nothing here, or of an org that is no school") \
    X(ENROLLMENT_NOTHING, LEFT_OUT, "enrollments_without_meaning", "enrollments in roles that mean nothing here")      \
    X(HOMEROOM_UNDECIDED, LEFT_OUT, "homerooms_undecided",                                                             \
      "homerooms with several teachers and no primary one: they get no class teacher")                                 \
    X(FILE_UNREAD, LEFT_OUT, "files_unread", "files that are not read")                                                \
    X(COLUMN_UNREAD, LEFT_OUT, "columns_unknown", "unknown columns, which are not read")                               \
    X(GUARDIAN_BY_NAME, TAKEN, "guardians_by_name",                                                                    \
      "members of the staff who are guardians because a pupil names them as agents")                                   \
    X(GUARDIAN_ELSEWHERE, TAKEN, "guardians_by_other_org", "guardians whose role is told of another org only")         \
    X(GUARDIAN_BY_OWN_ROW, TAKEN, "guardians_by_own_row",                                                              \
      "guardians who name the pupil, whose row does not name them")                                                    \
    X(TEACHER_ALONE, TAKEN, "class_teachers_alone",                                                                    \
      "class teachers because they are the homeroom's only teacher, without primary")                                  \
    X(HOMEROOM_ALONE, TAKEN, "homerooms_without_teacher", "homerooms without a teacher")                               \
    X(PERSON_SAME, TAKEN, "people_with_two_rows", "people who have two rows with one username")                        \
    X(USERNAME_SHARED, TAKEN, "usernames_shared",                                                                      \
      "rows of a member of the staff and a guardian with one username and other names, taken as two people")           \
    X(NAMED_TWICE, TAKEN, "named_twice", "things that are said twice and count once")                                  \
    X(UNREAD_WRONG, TAKEN, "unread_wrong", "columns and cells that are not as they should be and are not read")        \
    X(DATE_AHEAD, TAKEN, "dates_ahead", "dates of a change that are to come, and do not count")                        \
    X(KEPT_TOGETHER, TAKEN, "kept_together",                                                                           \
      "people who are kept from each other and come into one class by this (rule D9)")                                 \
    X(FILE_OTHERWISE, TAKEN, "files_otherwise", "files, modes and versions that are not quite as the standard says")

enum problem_kind {
#define X(name, weight, key, says) PROBLEM_##name,
    PROBLEM_KINDS(X)
#undef X
        PROBLEM__COUNT
};

#define PROBLEMS_NAMED_MAX 100 /* of each kind */

struct roster_problem {
    enum problem_kind kind;
    char file[64];
    int64_t line, column; /* 0: with the file as a whole */
    char id[64];          /* the row's sourcedId, perhaps cut; "": not known */
    char message[256];    /* valid UTF-8, like all of these */
};

/* "users.csv:17:5: sentence", in out; returns out. */
const char *roster_problem_text(const struct roster_problem *problem, char *out, size_t size);

/* {0} is an empty list. */
struct roster_problems {
    struct roster_problem *named; /* n of them, in the order in which they were found */
    size_t n, cap;
    int64_t counts[PROBLEM__COUNT];
};

void roster_problems_finish(struct roster_problems *problems); /* frees the list and empties it */

/* Counts it, and names it if there is room. file, id: "": none; all are copied. */
void roster_problems_add(struct roster_problems *problems, enum problem_kind kind, const char *file, int64_t line,
                         int64_t column, const char *id, const char *fmt, va_list ap);

/* The same with the arguments of fmt, and the place of a row. */
void roster_problems_tell_of(struct roster_problems *problems, enum problem_kind kind, const char *file, int64_t line,
                             int64_t column, const char *id, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));

/* The same with the file as a whole. */
void roster_problems_say(struct roster_problems *problems, enum problem_kind kind, const char *file, const char *fmt,
                         ...) __attribute__((format(printf, 4, 5)));

/* The first that refuses the roster; NULL: none does. */
const struct roster_problem *roster_problems_first(const struct roster_problems *problems);

/* How many there are of that weight. */
int64_t roster_problems_count(const struct roster_problems *problems, enum problem_weight weight);

/* Those that refuse, a line each, and how many more there are; no line end behind the last. */
void roster_problems_add_refusals(struct text *out, const struct roster_problems *problems);

/* What is left out and what is taken, by kind, with counts and then the places: whole lines. Each given to line,
 * without its end. */
void roster_problems_tell(const struct roster_problems *problems, void (*line)(void *self, const char *line),
                          void *self);

/* The same of one kind. */
void roster_problems_tell_kind(const struct roster_problems *problems, enum problem_kind kind,
                               void (*line)(void *self, const char *line), void *self);

/* [{"file", "line", "column", "sourcedId", "problem"}]: those that are named. New references. */
json_t *roster_problems_refusals_json(const struct roster_problems *problems);

/* [{"kind", "weight": "left_out" | "taken", "says", "count", "places": […]}]: of these two weights, by kind. */
json_t *roster_problems_remarks_json(const struct roster_problems *problems);

/* What is left out, in one line of counts, without a name: for the log. "": nothing. */
void roster_problems_add_counts(struct text *out, const struct roster_problems *problems);

#endif
