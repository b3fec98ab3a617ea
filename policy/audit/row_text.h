/* A row that changed, as entries of the audit log have it (audit.h, "changes"). */
#ifndef PARTA_POLICY_AUDIT_ROW_TEXT_H
#define PARTA_POLICY_AUDIT_ROW_TEXT_H

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/base/days.h"
#include "homeserver/store/driver/guarded.h"

struct db;

#define AUDIT_ELSEWHERE "elsewhere" /* in a school's part, instead of what is another's (A1) */

struct past_role {
    user_no user;
    school_no school;
    bool of_roster; /* a roster said so */
};

/* Roles that one job has taken or changed: where people were until then. {0} is empty. */
struct row_past {
    struct past_role *roles; /* heap */
    size_t n, cap, sorted;
};

/* Adds the roles that changes removes or alters, as they were before; strings of changes need not live on. Sorts, each
 * once, as row_past_has needs it. Of the writer's thread. */
void row_past_take(struct row_past *past, const struct row_changes *changes);
/* Whether that person was in that school. */
bool row_past_has(const struct row_past *past, user_no user, school_no school);
void row_past_finish(struct row_past *past);

/* sourcedIds that a bulk job knows already. */
struct audit_names {
    /* Borrowed until the next call; NULL: ask the database. kind: VALUE_PERSON, VALUE_SCHOOL or VALUE_CLASS. */
    const char *(*name)(void *self, enum guarded_value kind, int64_t no);
    void *self;
};

/* What rows are rendered with. */
struct row_text {
    struct db *db;
    const char *server_name;
    const struct audit_names *names; /* NULL: none */
    const struct row_past *past;     /* not NULL */
    char today[DAY_TEXT_BYTES];
    /* For whom it is rendered: what names something of another school is left out then, or put otherwise (A1). 0: for
     * operators, who know all. */
    school_no school;
    struct row_schools {
        school_no *schools; /* heap */
        size_t n, cap;
        user_no user;
    } of, where;    /* of the row at hand (row_text_schools), of the last person who was asked (user) */
    bool of_roster; /* a roster says that its people are in that school */
    class_no class; /* the last one that was asked, and whose it is */
    school_no class_school;
    user_no person; /* of whom it was asked last whether the record is known_to school: */
    school_no known_to;
    bool known;
    struct row_name { /* the last one of each kind, which often comes again */
        int64_t no;
        char *name;
    } last[VALUE_ROOM + 1];
};

/* Appends the object as canonical JSON. Reads the database. */
void row_text_add(struct row_text *r, struct text *out, const struct row_change *change);

/* In which schools' logs it belongs: into r->of, each once; none: it does not say. A person's row is a matter of
 * all the schools where they are, or were before the job; of the last ones, if they are nowhere. Reads the database. */
void row_text_schools(struct row_text *r, const struct row_change *change);

/* The same of a person. */
void row_text_schools_of(struct row_text *r, user_no user);

int64_t row_text_report(const struct row_change *change); /* the report that it is (F5); 0: none */

void row_text_finish(struct row_text *r); /* frees what it has found out, not names and past, and empties it */

#endif
