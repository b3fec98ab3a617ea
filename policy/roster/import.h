/* The import: makes the school's records in the store, and the rooms that are their picture, equal to a roster.
 *
 * It is one writer job, so one transaction: either everything is as the roster says when the import is answered, or
 * nothing has changed. The difference is worked out between sorted sets, never person by person against the database;
 * a second import of the same file finds none and writes nothing. What it does, in this order: schools and classes,
 * people (new ones get an opaque Matrix id, A5), roles, enrollments, guardianships; rooms that are not there yet (E1),
 * owned by the server's service user (E3); who belongs into each (roster_members); powers by post; joins and leaves
 * until the joined members are exactly those (E2). All acts in rooms pass the gate like anybody's.
 *
 * A person who is not in the roster any more has no role, leaves the rooms, and where no school is left the account is
 * closed and signed out (G2); should the person come back, it opens again. Classes and rooms that have ended stay,
 * empty. */
#ifndef PARTA_POLICY_ROSTER_IMPORT_H
#define PARTA_POLICY_ROSTER_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"
#include "policy/roster/read.h"

struct config;
struct db;
struct rooms;
struct writer;

/* X(name, what it counts, as one says it) */
#define ROSTER_CHANGES(X)                                                                                              \
    X(SCHOOLS_NEW, "schools added")                                                                                    \
    X(SCHOOLS_CHANGED, "schools changed")                                                                              \
    X(CLASSES_NEW, "classes and groups added")                                                                         \
    X(CLASSES_CHANGED, "classes and groups changed")                                                                   \
    X(PEOPLE_NEW, "people added")                                                                                      \
    X(PEOPLE_CHANGED, "people changed")                                                                                \
    X(PEOPLE_ENDED, "people gone from the roster")                                                                     \
    X(PEOPLE_BACK, "people back in the roster")                                                                        \
    X(ROLES_NEW, "roles added or changed")                                                                             \
    X(ROLES_ENDED, "roles ended")                                                                                      \
    X(ENROLLMENTS_NEW, "enrollments added or changed")                                                                 \
    X(ENROLLMENTS_ENDED, "enrollments ended")                                                                          \
    X(GUARDIANSHIPS_NEW, "guardianships added")                                                                        \
    X(GUARDIANSHIPS_ENDED, "guardianships ended")                                                                      \
    X(ROOMS_NEW, "rooms made")                                                                                         \
    X(ROOMS_RENAMED, "rooms renamed")                                                                                  \
    X(JOINED, "joins")                                                                                                 \
    X(LEFT, "leaves")                                                                                                  \
    X(POWERS, "rooms with new powers")                                                                                 \
    X(ACCOUNTS_CLOSED, "accounts closed")

enum roster_change {
#define X(name, says) ROSTER_##name,
    ROSTER_CHANGES(X)
#undef X
        ROSTER_CHANGE__COUNT
};

struct roster_changes {
    int64_t n[ROSTER_CHANGE__COUNT];
};

struct roster_import {
    struct writer *writer;
    struct rooms *rooms;
    const struct config *config; /* for passwords: their cost, and the server's name */
    struct db *db;               /* a reader of the caller's, for passwords */
    const struct roster *roster; /* NULL: the records stay; rooms are made equal to them again, as of today */
    bool dry_run;                /* does everything, then takes it back: only the counts remain */
    struct text *passwords;      /* not NULL: new people get one, and this gets the CSV file that tells them: user_id,
                                  * password, name, roles, sourcedId. Hashing takes some 50 ms a person at the usual cost.
                                  * NULL: they have no password until somebody sets one */
};

/* false: refused (*e), nothing has changed. Blocks (disk), long for a large roster. */
bool roster_import(const struct roster_import *how, struct roster_changes *changes, struct error *e);

bool roster_changes_any(const struct roster_changes *changes);

/* One line each for what is not zero ("137 people added"), or "nothing changed". */
void roster_changes_add_text(struct text *out, const struct roster_changes *changes);

#endif
