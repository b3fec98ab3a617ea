/* Reports of messages, rooms and people (F5): they go to the school's office, that is to administrators and, where the
 * school's policy says so, class teachers of the people concerned; never to the accused, and a room's never to whoever
 * answers for it. One about somebody of another school, with whom one shares a room (E8), goes to both offices. Who
 * reported stays between them and the office; what the audit log says of it is read by those who may read the report
 * (report_gate.h). */
#ifndef PARTA_POLICY_REPORTS_REPORTS_H
#define PARTA_POLICY_REPORTS_REPORTS_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/store/school/reports.h"
#include "policy/gate/report_gate.h"
#include "policy/records/change.h"

#define REPORT_REASON_MAX 4096 /* bytes */

/* Whether a report of that person would be anybody's to deal with: they share a school, or are in one room. */
bool report_is_kept(struct db *db, user_no reporter, user_no accused);

/* Inside a job. What the reporter may not see must have been refused before: an event is one that they could read.
 * report: kind, reporter, accused, room, event_id, evidence, reason. One row for each office. false: *e. */
bool report_make(struct tx *tx, bool school_mode, const char *reporter_id, struct report_row *report, struct error *e);

/* Inside a job: reconciles it, with a word on what was done. ERROR_NOT_FOUND also where the
 * actor may not know of it. */
bool report_close(struct changing_records *c, int64_t no, const char *resolution, int64_t seen);

/* The report as the office sees it: new reference. server_name for ids. */
json_t *report_json(struct db *db, const char *server_name, const struct report_row *report);

#endif
