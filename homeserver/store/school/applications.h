/* Applications at rest (school.md C1, D2): somebody asks to be let into a school, to become a child's guardian, or to
 * have a record corrected. policy/signup/applications.h says what becomes of them. */
#ifndef PARTA_STORE_SCHOOL_APPLICATIONS_H
#define PARTA_STORE_SCHOOL_APPLICATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/school/links.h"

struct db;
struct stmt;
struct tx;

typedef int64_t application_no; /* > 0; 0: none */

enum application_kind {
    APPLICATION_JOIN,       /* to be in the school, as the link says */
    APPLICATION_GUARDIAN,   /* to be child's guardian */
    APPLICATION_CORRECTION, /* child's record should say what is given here */
    APPLICATION_KIND__COUNT
};
enum application_state {
    APPLICATION_BEGUN, /* guardian: has signed up by the child's link, but not confirmed yet */
    APPLICATION_WAITING,
    APPLICATION_APPROVED,
    APPLICATION_REFUSED,
    APPLICATION_WITHDRAWN,
    APPLICATION_STATE__COUNT
};
/* The words on the wire and at rest, "guardian", "waiting": static storage. kind, state: not __COUNT. */
const char *application_kind_name(enum application_kind kind);
const char *application_state_name(enum application_state state);
/* false: it is none of the words, *out is __COUNT, which is "any" in a query. NULL is accepted. */
bool application_kind_from(const char *name, enum application_kind *out);
bool application_state_from(const char *name, enum application_state *out);

#define PERSON_NAME_MAX 120       /* bytes of one name */
#define APPLICATION_NOTE_MAX 1000 /* bytes */

/* What an applicant says of a person. */
struct applicant {
    const char *given, *family, *middle; /* "": not given */
    school_day birth;                    /* DAY_EVER: not given */
    const char *note;                    /* to those who decide; "" */
};

struct application_row {
    application_no no;
    enum application_kind kind;
    enum application_state state;
    user_no user; /* who asks */
    link_no link; /* 0: none */
    school_no school;
    class_no class;        /* 0: none */
    enum school_role role; /* 0: none (correction) */
    user_no child;         /* guardian, correction; else 0 */
    struct applicant
        person;             /* borrowed, like the rest: applications_get: until application_finish; else the next row */
    const char *decided_by; /* "": not decided */
    int64_t decided_ms;
    const char *reason;
    int64_t created_ms, version;
    void *memory; /* of the strings; applications_get */
};
/* Frees the strings and empties it; a row of applications_next has nothing to free. */
void application_finish(struct application_row *row);

/* Look-ups. Block (a read). applications_get: false: there is none. */
bool applications_get(struct db *db, application_no no, struct application_row *out);

/* Which: those beyond after, at most limit, in order. school, class, user, child 0: any; state, kind __COUNT: any. */
struct applications_query {
    application_no after;
    int limit;
    school_no school;
    class_no class;
    user_no user, child;
    enum application_state state;
    enum application_kind kind;
};
struct stmt *applications_query(struct db *db, const struct applications_query *query);
bool applications_next(struct stmt *q, struct application_row *out);

/* The open one (begun or waiting) by which the user asks for the same thing; 0: none. */
application_no applications_same(struct db *db, const struct application_row *row);
/* The one that the user began by that link, 0: none. */
application_no applications_begun(struct db *db, user_no user, link_no link);
/* What the user asks for themselves (join, guardian) and nobody has decided: for applications_next. */
struct stmt *applications_open_of(struct db *db, user_no user);
bool applications_any_open(struct db *db, user_no user);

/* Inside a job. Insert: the row's kind, state, user, link, school, class, role, child, person; 0: the database failed.
 * The others answer true when the row was there in a state that allows it; version is counted up. */
application_no applications_insert(struct tx *tx, const struct application_row *row);
bool applications_set_person(struct tx *tx, application_no no, const struct applicant *person);
bool applications_withdraw_all(struct tx *tx, user_no user, const char *by); /* what is open; none is no failure */
bool applications_forget(struct tx *tx, user_no user);    /* G4: what was said of that person; the rows stay */
bool applications_wait(struct tx *tx, application_no no); /* begun → waiting */
bool applications_decide(struct tx *tx, application_no no, enum application_state state, const char *by,
                         const char *reason);

#endif
