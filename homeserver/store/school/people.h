/* People: who is in the schools' records. A person is an account too (store/matrix/users.h), by the same number. Rows
 * and writing as schools.h says.
 *
 * Where a user may be 0, the question is asked of everybody; asked of one person it costs what that person has, not
 * what the server has. */
#ifndef PARTA_STORE_SCHOOL_PEOPLE_H
#define PARTA_STORE_SCHOOL_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/account_state.h"
#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct viewer;

struct person_row {
    user_no no;
    const char *sourced_id, *given, *family, *middle; /* names: "" when not given */
    school_day birth;                                 /* DAY_EVER: not known */
    bool enabled;                                     /* false: the roster does not let the person sign in */
    bool ended;                                       /* no longer in the records */
    const char *source;                               /* source.h */
    int64_t version;                                  /* counts changes; only read, like the rest */
    bool closed;                                      /* G2: the account was closed because no school was left */
    const char *localpart;    /* of the account; NULL: not asked (people_all), and then of state, too */
    enum account_state state; /* of one that is not there: ACCOUNT_LEFT */
    void *memory;             /* of the strings, when people_get gave them */
};

bool people_get(struct db *db, user_no user, struct person_row *out); /* false: not in the records; *out is empty */
void person_row_finish(struct person_row *row); /* frees the strings of people_get and empties it */

struct stmt *people_all(struct db *db);                   /* by number */
bool people_next(struct stmt *q, struct person_row *row); /* of people_all, people_restricted, people_to_reopen */

user_no people_by_sourced_id(struct db *db, const char *id); /* 0: there is none; ended ones too */
char *people_sourced_id(struct db *db, user_no user);        /* heap; NULL: there is none */

/* C2: people of the school who are called so: who applies may be in the records already. Their numbers into out, at
 * most max; returns how many. */
int people_namesakes(struct db *db, school_no school, const char *given, const char *family, user_no *out, int max);

/* --- Lists for the office (A1), by number --- */

/* 0, "" and NULL: any. role: of that school, when one is given. name: with what the given or family name begins,
 * whatever the case. */
struct people_filter {
    const struct viewer *viewer;
    school_no school;
    class_no class; /* enrolled there */
    const char *role, *state, *name;
    user_no after;
};
struct people_list;
struct people_list *people_list(struct db *db, const struct people_filter *filter); /* keeps what it points to */
/* Its strings are borrowed until the next. end frees list, also before the last row. */
bool people_list_next(struct people_list *list, struct person_row *row);
void people_list_end(struct people_list *list);

/* A1: whether the record itself, its sourcedId and who keeps it, is of the viewer's schools: the person is in no other,
 * or the same roster says of them what they are here. */
bool people_record_known(struct db *db, const struct viewer *viewer, user_no user);

/* The same of a school's papers, which others of the school read later. elsewhere: the person was in another school
 * lately. */
bool people_record_of_school(struct db *db, school_no school, const char *day, user_no user, bool elsewhere);

/* --- Who stays, who comes back (policy/records/reconcile.h) --- */

bool people_any(struct db *db); /* whether there is anybody at all */

/* Whether the school's own people hold somebody whom a roster has let go: by role, enrollment, or as a guardian. */
bool people_kept_by_school(struct db *db, user_no user);

/* Whether the person has a role now or later. false also for somebody who is no person of a school: *person says. */
bool people_have_role(struct db *db, user_no user, school_day day, bool *person);

/* D7: current pupils who are 'active' or 'restricted' and have no guardian. */
struct ward_row {
    user_no user;
    school_day birth; /* DAY_EVER: not known */
    school_no school;
};
struct stmt *people_unguarded(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES]); /* keeps it */
bool people_unguarded_next(struct stmt *q, struct ward_row *row);
struct stmt *people_restricted(struct db *db, user_no user); /* those whose account is: people_next */

/* G2: whose account was closed because no school was left, and who has one again: people_next. Keeps buffer. */
struct stmt *people_to_reopen(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES]);

/* How everybody in the records is called, in no order, and what that follows from. */
struct called_row {
    struct person_row person; /* no, given, family, middle */
    bool adult;               /* has another role than a pupil's, in any school and at any time */
    const char *display_name; /* the profile's, JSON; NULL: none */
    school_no school;         /* the first of those in which they have, or had, a role; 0: none */
};
struct stmt *people_called(struct db *db);
bool people_called_next(struct stmt *q, struct called_row *row);

/* Whose account is open though the roster of that name switches them off: their number, column 0. */
struct stmt *people_open_disabled(struct db *db, const char *source);

/* G5: who has a role in the school today, and an account that their record lets in: numbers, column 0, once a role.
 * Keeps buffer. */
struct stmt *people_present(struct db *db, school_no school, school_day today, char buffer[DAY_TEXT_BYTES]);

/* --- Inside a job --- */

bool people_put(struct db *db, const struct person_row *row); /* row->no exists in users; inserted or changed */
/* Who keeps the record from now on (source.h). */
bool people_set_source(struct db *db, user_no user, const char *source);
/* G2: whether their account was closed because no school was left. */
bool people_set_closed(struct db *db, user_no user, bool closed);
bool people_end(struct db *db, user_no user);    /* no longer in the records; the row stays */
bool people_return(struct db *db, user_no user); /* ended no more, and the school's own */
bool people_forget(struct db *db, user_no user); /* G4: names, birth date and sourcedId; the row stays, ended */

#endif
