/* Who may read a report (F5), and whatever tells of it, the audit log included: the school's
 * office, never the accused. */
#ifndef PARTA_POLICY_GATE_REPORT_GATE_H
#define PARTA_POLICY_GATE_REPORT_GATE_H

#include "homeserver/store/school/reports.h"
#include "policy/gate/school_gate.h"

/* Whether the actor may read this report, and reconcile it. false: *e. Reads the database. */
bool report_may_read(struct db *db, bool school_mode, const struct actor *actor, const struct report_row *report,
                     struct error *e);

#endif
