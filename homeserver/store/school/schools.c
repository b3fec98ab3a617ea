#include "homeserver/store/school/schools.h"

#include <stdlib.h>

#include "homeserver/store/school/sql_private.h"
#include "homeserver/store/school/viewer.h"

#define SCHOOL "SELECT s.school_no, s.sourced_id, s.name, s.ended, s.source, s.version FROM schools s "

enum { ALL, ONE, PAGE, OF_ROOM, BY_SOURCED_ID, SOURCED_ID, INSERT, UPDATE, END, N };
static const struct statement TEXTS[N] = {
    [ALL] = SCHOOL "ORDER BY s.school_no",
    [ONE] = SCHOOL "WHERE s.school_no = $1",
    [PAGE] = SCHOOL "WHERE s.school_no > $3 AND " SEES("s.school_no", 1, 2) " ORDER BY s.school_no LIMIT $4",
    [OF_ROOM] = SCHOOL "JOIN room_schools x ON x.school_no = s.school_no WHERE x.room_no = $3 AND " SEES(
        "s.school_no", 1, 2) " ORDER BY s.school_no",
    [BY_SOURCED_ID] = "SELECT school_no FROM schools WHERE sourced_id = $1",
    [SOURCED_ID] = "SELECT sourced_id FROM schools WHERE school_no = $1",
    [INSERT] = {"INSERT INTO schools (sourced_id, name, ended, source) VALUES ($1, $2, $3, $4) RETURNING school_no",
                EPOCH_PEOPLE, GUARDED},
    [UPDATE] = {"UPDATE schools SET sourced_id = $1, name = $2, ended = $3, source = $4, version = version + 1"
                " WHERE school_no = $5",
                EPOCH_PEOPLE, GUARDED},
    [END] = {"UPDATE schools SET ended = 1, version = version + 1 WHERE school_no = $1", EPOCH_PEOPLE, GUARDED},
};
STATEMENTS(SCHOOLS, "schools", TEXTS);

bool schools_next(struct stmt *q, struct school_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct school_row){.no = col_int(q, 0),
                               .sourced_id = col_text(q, 1),
                               .name = col_text(q, 2),
                               .ended = col_int(q, 3) != 0,
                               .source = col_text(q, 4),
                               .version = col_int(q, 5)};
    return true;
}

bool schools_get(struct db *db, school_no no, struct school_row *out)
{
    struct stmt *q = schools_one(db, no);
    *out = (struct school_row){0};
    bool found = schools_next(q, out);
    if (found)
        out->memory = strings_keep((const char **[]){&out->sourced_id, &out->name, &out->source}, 3);
    stmt_end(q);
    return found;
}

void school_row_finish(struct school_row *row)
{
    free(row->memory);
    *row = (struct school_row){0};
}

struct stmt *schools_all(struct db *db)
{
    return db_query(db, &SCHOOLS, ALL, "");
}

struct stmt *schools_one(struct db *db, school_no no)
{
    return db_query(db, &SCHOOLS, ONE, "i", no);
}

struct stmt *schools_page(struct db *db, const struct viewer *viewer, school_no after, int limit)
{
    return db_query(db, &SCHOOLS, PAGE, "itii", viewer->user, viewer->day, after, (int64_t)limit);
}

struct stmt *schools_of_room(struct db *db, const struct viewer *viewer, room_no room)
{
    return db_query(db, &SCHOOLS, OF_ROOM, "iti", viewer->user, viewer->day, room);
}

school_no schools_by_sourced_id(struct db *db, const char *id)
{
    return db_int(db, &SCHOOLS, BY_SOURCED_ID, 0, "t", id);
}

char *schools_sourced_id(struct db *db, school_no no)
{
    return db_text(db, &SCHOOLS, SOURCED_ID, "i", no);
}

school_no schools_put(struct db *db, const struct school_row *row)
{
    int64_t ended = row->ended;
    const char *source = source_column(row->source);
    if (row->no == 0)
        return db_insert(db, &SCHOOLS, INSERT, "ttit", row->sourced_id, row->name, ended, source);
    return db_run(db, &SCHOOLS, UPDATE, "ttiti", row->sourced_id, row->name, ended, source, row->no) ? row->no : 0;
}

bool schools_end(struct db *db, school_no no)
{
    return db_run(db, &SCHOOLS, END, "i", no);
}
