/* Copies of the database that can be trusted: SQLite's online backup, then a check of the copy.
 *
 * The copy is one snapshot, taken while the server runs and writes; writers are not held up. It is a single file (no
 * write-ahead log beside it) that the server opens as it is. */
#ifndef PARTA_STORE_DRIVER_BACKUP_H
#define PARTA_STORE_DRIVER_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

/* Copies the database from to the new file to, which must not exist, and verifies the copy. false: logged, and to is
 * not there. Blocks long (the whole database is read). */
bool db_backup(const char *from, const char *to);

/* The same without a look at the copy. */
bool db_copy(const char *from, const char *to);

/* What db_verify counted, for whoever reads its report. */
struct verified {
    int schema; /* version */
    int64_t users, rooms, events;
};

/* Reads the whole database: every page and index, and that every reference leads somewhere. found may be NULL. false:
 * what is wrong is logged. Blocks long. */
bool db_verify(const char *path, struct verified *found);

#endif
