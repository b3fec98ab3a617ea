/* Everything that is kept about one person, for their export (school.md G4). A section is one statement whose columns
 * are told by name; what a person wrote comes room by room. */
#ifndef PARTA_STORE_SCHOOL_EXPORT_QUERIES_H
#define PARTA_STORE_SCHOOL_EXPORT_QUERIES_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

#define EXPORT_QUERY_COLUMNS_MAX 6

/* Times are Unix milliseconds in columns whose name ends in "_ts"; everything else is text. */
struct export_query_section {
    const char *name;                              /* "roles": the key in the machine's file */
    const char *title_ru, *title_en;               /* for people */
    const char *columns[EXPORT_QUERY_COLUMNS_MAX]; /* NULL after the last */
    bool own; /* what the person keeps, wrote or did: told to themself alone (D8, F5) */
};

int export_query_sections(void);
const struct export_query_section *export_query_section(int i);
struct stmt *export_query_rows(struct db *db, int i, user_no user); /* columns as the section says; stmt_end after */

/* The rooms the person has, or had, to do with: room_no, room id, name (NULL: none), membership. */
struct stmt *export_query_rooms(struct db *db, user_no user);

/* What they wrote there, oldest first, beyond position after: pos, event id, type, time, content, whether taken back.
 */
struct stmt *export_query_events(struct db *db, room_no room, user_no user, stream_pos after, int limit);

#endif
