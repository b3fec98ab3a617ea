/* The import: makes the school's records in the store, and the rooms that are their picture, equal to a roster.
 *
 * It is one writer job, so one transaction: either everything is as the roster says when the import is answered, or
 * nothing has changed. The difference is worked out between sorted sets, never person by person against the database;
 * a second import of the same file finds none, and writes nothing but that it was there. What it does, in this order:
 * schools and classes, people (new ones get an opaque Matrix id, A5), roles, enrollments, guardianships; then what
 * follows from them (policy/records/reconcile.h). All acts in rooms pass the gate like anybody's.
 *
 * A roster owns the records of its source. What the school's own people entered (SOURCE_SCHOOL) stays, and becomes the
 * roster's once the roster says it too; a sourcedId that another roster holds is refused. Where the roster and the
 * school together know more than two guardians, the roster's stay (D5). Each import is in the audit log, with every
 * change of a record (J2), and in the list of imports.
 *
 * What would take away too much of a school at once is held (G5, policy/records/loss.h): nothing is done, *loss says
 * what it would be, and the same import goes through when its list's version comes along as confirmed. A roster that is
 * older than what there is (of an earlier school year, or told before) is refused unless somebody says why.
 *
 * A person who is not in the roster any more, and whom the school's own people do not hold, has no role, leaves the
 * rooms, and where no school is left the account is closed and signed out (G2); should the person come back, it opens
 * again. Classes and rooms that have ended stay, empty. */
#ifndef PARTA_POLICY_ONEROSTER_IMPORT_H
#define PARTA_POLICY_ONEROSTER_IMPORT_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"
#include "policy/oneroster/reader.h"
#include "policy/records/loss.h"
#include "policy/records/roster_changes.h"

struct actor;
struct config;
struct db;
struct rooms;
struct tx;
struct writer;

/* What an import takes away, when it is beyond the limits. */
struct import_loss {
    int64_t version; /* of the list and all that the roster says; 0: it is within the limits, and the rest is empty */
    json_t *schools; /* loss_json */
    struct text lines;
    struct roster_changes changes; /* of the records, and what follows from them so far */
};
void import_loss_finish(struct import_loss *loss); /* frees what is in it and empties it */

struct roster_import {
    struct writer *writer;
    struct rooms *rooms;
    const struct config *config; /* for passwords: their cost, and the server's name */
    struct db *db;               /* a reader of the caller's: for passwords, and for what was there before */
    const struct roster *roster; /* NULL: the records stay; rooms are made equal to them again, as of today */
    const struct actor
        *actor;         /* policy/gate/school_gate.h: who imports, for the gate and the log; NULL: the command line */
    const char *source; /* which roster this is: it owns only its own records; NULL: "roster" */
    const char *mode;   /* for the list of imports: "bulk", "delta", "pull", "year"; NULL: "bulk" */
    int64_t confirmed;  /* the version of a list that somebody has seen and confirmed; 0: none */
    const char *older;  /* why an older roster is taken; NULL: it is refused */
    struct import_loss *loss; /* not NULL: out; import_loss_finish when done. Also of a dry run */
    struct text *difference;  /* not NULL: gets one line a change: "role + teacher p-123 school-1", "join + …" */
    struct roster_problems *remarks; /* not NULL: is told whom it brings together who are kept from each other (D9) */
    bool dry_run;                    /* does everything, then takes it back: only the counts remain */
    struct text *passwords; /* not NULL: new people get one, and this gets the CSV file that tells them: user_id,
                              * password, name, roles, sourcedId. Hashing takes some 50 ms a person at the usual cost,
                              * so that the import is tried first. NULL: they have no password
                               * until somebody sets one */
    void (*note)(void *self, const char *line); /* how far hashing has come, now and then; NULL: nobody asks */
    void *note_self;
    /* What belongs into the same transaction (the snapshot, source.h): called last. false: *e, all of it is refused. */
    bool (*also)(struct tx *tx, void *arg, struct error *e); /* NULL: nothing */
    void *also_arg;
};

/* false: refused (*e), nothing has changed; ERROR_HELD: it needs to be confirmed, ERROR_PRECONDITION: another list was.
 * Blocks (disk), long for a large roster. */
bool roster_import(const struct roster_import *how, struct roster_changes *changes, struct error *e);

#endif
