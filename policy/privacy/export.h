/* A person's data in a zip that a person can read (G4): index.html and a page a room, in Russian and English, and the
 * same as data.json for programs. What others wrote is not in it. */
#ifndef PARTA_POLICY_PRIVACY_EXPORT_H
#define PARTA_POLICY_PRIVACY_EXPORT_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"
#include "policy/gate/school_gate.h"

struct db;

#define EXPORT_EVENTS_MAX 200000 /* the newest are left out beyond it, and the export says so */

struct export_wanted {
    const struct actor *actor; /* asks: the person, a guardian for a child, the office; school_gate with ACT_EXPORT */
    user_no user;
    const char *user_id;
    bool school_mode;
};

/* Appends the zip's bytes. A guardian's export of a child is without what the child wrote (D8), the office's likewise:
 * only the person gets that. The office's has what is of its own schools alone (A1). A room that one has left, or that
 * is closed to one by now, is named as it was then, or not at all (G1, D9). false: *e. Blocks (reads, packing); the
 * caller writes the audit entry. */
bool export_person(struct db *db, const struct export_wanted *wanted, struct text *zip, struct error *e);

#endif
