/* The schema and its numbered migrations. */
#ifndef PARTA_STORE_DRIVER_SCHEMA_H
#define PARTA_STORE_DRIVER_SCHEMA_H

#include <stdbool.h>

#include "homeserver/store/driver/db.h"

int schema_version(void); /* the newest one this program knows */
const char *
schema_migration(int version); /* the SQL that leads to it from the one before; version 1 … schema_version */

/* Brings a DB_WRITE connection to schema_version, each step in a transaction of its own. false: logged, and the
 * database is as the last whole step left it. A database newer than this program is refused, and one that schema_check
 * refuses. */
bool schema_migrate(struct db *db);

/* Whether the database is laid out as its number, 0 to schema_version, promises: as the migrations of this program lay
 * out an empty one. Of another program with the same number, of an unfinished branch, or after somebody's own ALTER, a
 * statement would fail in the middle of a day. Cheap when it was asked before (a fingerprint is kept, also in copies):
 * a look at the database's description of itself. false: logged, and it is not touched. */
bool schema_check(struct db *db);

/* The same, but no further than that version; for tests of migrations. */
bool schema_migrate_to(struct db *db, int version);

/* Whether a database of its schema, which may be an older one, has the table. */
bool schema_has_table(struct db *db, const char *table);

#endif
