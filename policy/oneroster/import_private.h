/* Inside the import: what import.c (the job) and import_apply.c (the roster into the store) share. What follows for
 * rooms and accounts is reconcile.h's. */
#ifndef PARTA_POLICY_ONEROSTER_IMPORT_PRIVATE_H
#define PARTA_POLICY_ONEROSTER_IMPORT_PRIVATE_H

#include "homeserver/store/driver/writer.h"
#include "policy/records/set_diff.h"
#include "policy/oneroster/import.h"
#include "policy/records/changelog.h"
#include "policy/records/reconcile.h"

/* What a new person is given before the job runs, because hashing is slow. */
struct credential {
    char *localpart, *password, *hash; /* NULL: none */
};

struct importing {
    const struct roster_import *how;
    const struct actor *actor;
    const char *source, *mode;      /* how's, or the usual */
    const struct roster *roster;    /* how's; NULL: rooms only */
    struct credential *credentials; /* per person of the roster; NULL: none */
    struct roster_changes *changes;
    bool overridden;
    bool trial; /* all of it is done and taken back, to hear whether it is refused */
    struct loss loss;
    struct diff_set adopted; /* facts of the school's own, of the kind at hand: the roster may say them too */
    bool kept_before;        /* there are records that an earlier import took (store/school/taken.h) */
    bool older;              /* than what there is, and taken nevertheless */
    /* In the job: */
    struct tx *tx;
    struct rooms *rooms;
    struct changelog changelog;
    struct audit_note lists; /* of its changes in the log */
    struct audit_names names;
    struct reconciling *reconciling;
    struct error *e;
    school_no *schools; /* per school, class and person of the roster: its number in the store */
    class_no *classes;
    user_no *people;
};

/* Each step: false: *e is set, the job must answer false. */
bool import_apply_schools(struct importing *in);
bool import_apply_classes(struct importing *in);
bool import_apply_people(struct importing *in);
bool import_apply_facts(struct importing *in); /* roles, enrollments, guardianships */
bool import_return(struct importing *in);      /* import_return.c: what this roster, or another, took wrongly */

/* A person's name as others see it: policy/records/people.h. Appends. */
void person_name_add(struct text *out, const struct roster_person *person);

#endif
