/* Classes: homerooms, and subject groups. Rows and writing as schools.h says. */
#ifndef PARTA_STORE_SCHOOL_CLASSES_H
#define PARTA_STORE_SCHOOL_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/school/schools.h"

struct viewer;

struct class_row {
    class_no no;
    const char *sourced_id, *grade, *title;
    school_no school;
    bool homeroom;      /* false: a subject group */
    bool ended;         /* no longer in the roster */
    const char *source; /* source.h */
    int64_t version;    /* counts changes; only read, like the rest */
    const char *school_id, *school_name;
    void *memory; /* of the strings, when classes_get gave them */
};

bool classes_get(struct db *db, class_no no, struct class_row *out); /* false: there is none; *out is empty */
void class_row_finish(struct class_row *row); /* frees the strings of classes_get and empties it */
int class_grade(const struct class_row *row); /* 0: it is no number */

struct stmt *classes_all(struct db *db);              /* by number, like all lists */
struct stmt *classes_one(struct db *db, class_no no); /* one row or none */
/* A1. school 0: of all that the viewer is in. */
struct stmt *classes_page(struct db *db, const struct viewer *viewer, school_no school, class_no after, int limit);
bool classes_next(struct stmt *q, struct class_row *row);

class_no classes_by_sourced_id(struct db *db, const char *id); /* 0: there is none; ended ones too */
char *classes_sourced_id(struct db *db, class_no no);          /* heap; NULL: there is none */

/* Inside a job. A row with no = 0 is inserted. Returns its number; 0: the database failed. */
class_no classes_put(struct db *db, const struct class_row *row);
bool classes_end(struct db *db, class_no no); /* no longer in the roster; the row stays */

/* --- Where something is: a class and its school, or (class 0) a school --- */

struct place {
    struct school_row school;
    struct class_row class; /* no 0: none */
};

/* false: there is none, or it has ended; *out is empty. school is not looked at when class is not 0. */
bool place_get(struct db *db, school_no school, class_no class, struct place *out);
void place_finish(struct place *place);

#endif
