/* What the records, the account and its settings say of a person, by section, for their export (export.h). */
#ifndef PARTA_POLICY_PRIVACY_EXPORT_SECTIONS_H
#define PARTA_POLICY_PRIVACY_EXPORT_SECTIONS_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/ids.h"

struct db;

#define EXPORT_COLUMNS_MAX 7
#define SECTION_SCHOOL_NO "school_no"

struct export_section {
    const char *name;                        /* "roles": the key in the machine's file */
    const char *title_ru, *title_en;         /* for people */
    const char *columns[EXPORT_COLUMNS_MAX]; /* in the order in which people read them; NULL after the last */
    bool own;                                /* what the person keeps, wrote or did: told to themself alone (D8, F5) */
    bool family;                             /* names the child's guardians (D9) */
    bool of_schools;                         /* each row is of a school, which not everybody is to know (A1) */

    /* One array of objects: a member a column, a string or null; in columns whose name ends in "_ts" Unix milliseconds.
     * With of_schools also SECTION_SCHOOL_NO, an integer that nobody is shown. A new reference. Reads the database. */
    json_t *(*rows)(struct db *db, user_no user);
};

extern const struct export_section EXPORT_SECTIONS[];
extern const int EXPORT_SECTIONS_COUNT;

#endif
