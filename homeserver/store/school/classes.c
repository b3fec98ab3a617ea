#include "homeserver/store/school/classes.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/school/sql_private.h"
#include "homeserver/store/school/viewer.h"

#define CLASS                                                                                                          \
    "SELECT c.class_no, c.sourced_id, c.school_no, c.kind, c.grade, c.title, c.ended, c.source, c.version,"            \
    " s.sourced_id, s.name FROM classes c JOIN schools s ON s.school_no = c.school_no "

enum { ALL, ONE, PAGE, BY_SOURCED_ID, SOURCED_ID, INSERT, UPDATE, END, N };
static const struct statement TEXTS[N] = {
    [ALL] = CLASS "ORDER BY c.class_no",
    [ONE] = CLASS "WHERE c.class_no = $1",
    [PAGE] = CLASS "WHERE c.class_no > $3 AND ($5 = 0 OR c.school_no = $5) AND " SEES(
        "c.school_no", 1, 2) " ORDER BY c.class_no LIMIT $4",
    [BY_SOURCED_ID] = "SELECT class_no FROM classes WHERE sourced_id = $1",
    [SOURCED_ID] = "SELECT sourced_id FROM classes WHERE class_no = $1",
    [INSERT] = {"INSERT INTO classes (sourced_id, school_no, kind, grade, title, ended, source)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING class_no",
                EPOCH_PEOPLE, GUARDED},
    [UPDATE] = {"UPDATE classes SET sourced_id = $1, school_no = $2, kind = $3, grade = $4, title = $5, ended = $6,"
                " source = $7, version = version + 1 WHERE class_no = $8",
                EPOCH_PEOPLE, GUARDED},
    [END] = {"UPDATE classes SET ended = 1, version = version + 1 WHERE class_no = $1", EPOCH_PEOPLE, GUARDED},
};
STATEMENTS(CLASSES, "classes", TEXTS);

bool classes_next(struct stmt *q, struct class_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct class_row){.no = col_int(q, 0),
                              .sourced_id = col_text(q, 1),
                              .school = col_int(q, 2),
                              .homeroom = strcmp(col_text(q, 3), "homeroom") == 0,
                              .grade = col_text(q, 4),
                              .title = col_text(q, 5),
                              .ended = col_int(q, 6) != 0,
                              .source = col_text(q, 7),
                              .version = col_int(q, 8),
                              .school_id = col_text(q, 9),
                              .school_name = col_text(q, 10)};
    return true;
}

bool classes_get(struct db *db, class_no no, struct class_row *out)
{
    struct stmt *q = classes_one(db, no);
    *out = (struct class_row){0};
    bool found = classes_next(q, out);
    if (found)
        out->memory = strings_keep((const char **[]){&out->sourced_id, &out->grade, &out->title, &out->source,
                                                     &out->school_id, &out->school_name},
                                   6);
    stmt_end(q);
    return found;
}

void class_row_finish(struct class_row *row)
{
    free(row->memory);
    *row = (struct class_row){0};
}

int class_grade(const struct class_row *row)
{
    return (int)strtol(row->grade, NULL, 10);
}

struct stmt *classes_all(struct db *db)
{
    return db_query(db, &CLASSES, ALL, "");
}

struct stmt *classes_one(struct db *db, class_no no)
{
    return db_query(db, &CLASSES, ONE, "i", no);
}

struct stmt *classes_page(struct db *db, const struct viewer *viewer, school_no school, class_no after, int limit)
{
    return db_query(db, &CLASSES, PAGE, "itiii", viewer->user, viewer->day, after, (int64_t)limit, school);
}

class_no classes_by_sourced_id(struct db *db, const char *id)
{
    return db_int(db, &CLASSES, BY_SOURCED_ID, 0, "t", id);
}

char *classes_sourced_id(struct db *db, class_no no)
{
    return db_text(db, &CLASSES, SOURCED_ID, "i", no);
}

class_no classes_put(struct db *db, const struct class_row *row)
{
    const char *kind = row->homeroom ? "homeroom" : "scheduled", *source = source_column(row->source);
    int64_t ended = row->ended;
    if (row->no == 0)
        return db_insert(db, &CLASSES, INSERT, "titttit", row->sourced_id, row->school, kind, row->grade, row->title,
                         ended, source);
    return db_run(db, &CLASSES, UPDATE, "titttiti", row->sourced_id, row->school, kind, row->grade, row->title, ended,
                  source, row->no)
               ? row->no
               : 0;
}

bool classes_end(struct db *db, class_no no)
{
    return db_run(db, &CLASSES, END, "i", no);
}

bool place_get(struct db *db, school_no school, class_no class, struct place *out)
{
    *out = (struct place){0};
    bool found = class == 0 || (classes_get(db, class, &out->class) && !out->class.ended);
    if (found)
        found = schools_get(db, class != 0 ? out->class.school : school, &out->school) && !out->school.ended;
    if (!found)
        place_finish(out);
    return found;
}

void place_finish(struct place *place)
{
    school_row_finish(&place->school);
    class_row_finish(&place->class);
}
