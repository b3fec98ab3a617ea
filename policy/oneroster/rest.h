/* Pages of OneRoster 1.2 REST (the rostering service's JSON) as changes to a snapshot.
 *
 * Each collection is a row of a table: its path, the table that its records become, and which member becomes which
 * column. A user's roles, which the CSV binding keeps in a file of their own, are told with the user. What comes is not
 * trusted: the snapshot's reader checks every cell afterwards, and here nothing passes that could
 * not stand in a cell. */
#ifndef PARTA_POLICY_ONEROSTER_REST_H
#define PARTA_POLICY_ONEROSTER_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/oneroster/snapshot.h"

enum rest_collection {
    REST_ORGS,
    REST_SESSIONS,
    REST_COURSES,
    REST_CLASSES,
    REST_USERS,
    REST_ENROLLMENTS,
    REST_DEMOGRAPHICS,
    REST__COUNT
};

const char *rest_path(enum rest_collection collection); /* "academicSessions": of the path and of the reply's member */

/* Appends the members that are taken, with commas between: what else a service knows of a person (phone, e-mail) need
 * not even be sent (A5). */
void rest_fields(enum rest_collection collection, struct text *out);

#define REST_CELL_BYTES 4096 /* the longest string that is taken */
#define REST_ROLES_MAX 64    /* of a person */

/* Of one collection, over all its pages. */
struct rest_reading {
    enum rest_collection collection;
    struct roster_delta *changes; /* gets the records */
    size_t n;                     /* records so far, */
    size_t n_new;                 /* those that had not come on an earlier page */
    int64_t newest_ms;            /* the latest dateLastModified; 0: none had one */
};

/* Takes one page. *n: how many records it had. What is not read may be as it likes. false: problems say why, of every
 * record. */
bool rest_take_page(struct rest_reading *reading, const char *bytes, size_t len, size_t *n,
                    struct roster_problems *problems);

#endif
