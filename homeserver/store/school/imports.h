/* The log of imports and rollovers: what was brought in when, and what it changed. */
#ifndef PARTA_STORE_SCHOOL_IMPORTS_H
#define PARTA_STORE_SCHOOL_IMPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/store/driver/db.h"

struct import_row {
    int64_t no;          /* only read */
    const char *source;  /* a roster's name; of a rollover "year:<school>" */
    const char *mode;    /* bulk, delta, pull, year */
    const char *author;  /* who brought it in, as the audit log knows them */
    const char *changes; /* JSON: counts by name */
    int64_t started_ms, ended_ms;
};

struct stmt *imports_page(struct db *db, int64_t after, int limit); /* by number */
/* Strings are borrowed until the next row; stmt_end after. false: no more, or the database failed. */
bool imports_next(struct stmt *q, struct import_row *row);

int64_t imports_last_ms(struct db *db, const char *source, const char *mode); /* when the last began; 0: never */

bool imports_put(struct db *db, const struct import_row *row); /* inside a job */

#endif
