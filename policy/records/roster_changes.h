/* Counts of what an import or a reconciling has changed: for whoever asked, and for the audit log. */
#ifndef PARTA_POLICY_RECORDS_ROSTER_CHANGES_H
#define PARTA_POLICY_RECORDS_ROSTER_CHANGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/text.h"

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
    X(ACCOUNTS_CLOSED, "accounts closed")                                                                              \
    X(ACCOUNTS_REOPENED, "accounts opened again")                                                                      \
    X(RESTRICTED, "pupils restricted for want of a guardian")                                                          \
    X(UNRESTRICTED, "pupils restricted no more")

enum roster_change {
#define X(name, says) ROSTER_##name,
    ROSTER_CHANGES(X)
#undef X
        ROSTER_CHANGE__COUNT
};

struct roster_changes {
    int64_t n[ROSTER_CHANGE__COUNT];
};

bool roster_changes_any(const struct roster_changes *changes); /* false: nothing changed */

/* One line each for what is not zero ("137 people added"), or "nothing changed". */
void roster_changes_add_text(struct text *out, const struct roster_changes *changes);

/* {"people_new": 137, …}, what is not zero: a new reference. */
json_t *roster_changes_json(const struct roster_changes *changes);

#endif
