/* Schools. The roster is the truth, rooms are its picture (school.md, E).
 *
 * Here and in the neighbouring files: rows come one at a time (…_next) and borrow their strings from the statement
 * until the next one, stmt_end after; what …_get gives is the caller's until …_row_finish. Nothing is kept of people
 * but names and birth dates: no phone, e-mail or upstream login (A5). Functions that write belong into a write job, and
 * none of them decides anything: policy/rules does. Look-ups block (a read). */
#ifndef PARTA_STORE_SCHOOL_SCHOOLS_H
#define PARTA_STORE_SCHOOL_SCHOOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct viewer;

struct school_row {
    school_no no;
    const char *sourced_id, *name;
    bool ended;         /* no longer in the roster */
    const char *source; /* source.h */
    int64_t version;    /* counts changes, for If-Match; only read */
    void *memory;       /* of the strings, when schools_get gave them */
};

bool schools_get(struct db *db, school_no no, struct school_row *out); /* false: there is none; *out is empty */
void school_row_finish(struct school_row *row); /* frees the strings of schools_get and empties it */

struct stmt *schools_all(struct db *db);               /* by number, like all lists */
struct stmt *schools_one(struct db *db, school_no no); /* one row or none */
struct stmt *schools_page(struct db *db, const struct viewer *viewer, school_no after, int limit); /* A1 */
struct stmt *schools_of_room(struct db *db, const struct viewer *viewer, room_no room);            /* A1, A2 */
bool schools_next(struct stmt *q, struct school_row *row); /* of the four above */

school_no schools_by_sourced_id(struct db *db, const char *id); /* 0: there is none; ended ones too */
char *schools_sourced_id(struct db *db, school_no no);          /* heap; NULL: there is none */

/* Inside a job. A row with no = 0 is inserted. Returns its number; 0: the database failed. */
school_no schools_put(struct db *db, const struct school_row *row);
bool schools_end(struct db *db, school_no no); /* no longer in the roster; the row stays */

#endif
