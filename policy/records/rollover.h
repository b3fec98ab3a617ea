/* G3: the rollover to a new school year, in one job: all of it or nothing.
 *
 * Each class with a grade goes up by one ("5А" becomes "6А"): its class room and its guardians' room are archived,
 * read-only, with the people who were in them; new ones are made, with powers by post. Classes of the last grade end,
 * and their pupils leave the school (G1); their guardians with them, unless another child stays. Subject groups end,
 * their rooms are archived: the new year's roster brings new ones. Classes whose grade is no number stay as they are.
 *
 * The roster remains the truth: roll over, then import the new year's roster, or it says at the next import what it
 * has said before. */
#ifndef PARTA_POLICY_RECORDS_ROLLOVER_H
#define PARTA_POLICY_RECORDS_ROLLOVER_H

#include <stdbool.h>

#include "homeserver/base/text.h"
#include "policy/records/change.h"
#include "policy/records/loss.h"

#define ROLLOVER_LAST_GRADE 11
#define ROLLOVER_AGAIN_DAYS 180 /* a second one within these is a mistake, but for an override */

struct rollover_counts {
    int promoted, graduated, groups_ended, pupils_left, left_alone;
};

/* G5: who leaves is counted, and beyond the limits it needs to be confirmed like an import (loss.h). */
struct rollover_loss {
    struct loss_limits limits;
    int64_t confirmed; /* the version of the difference that was shown; CONFIRMED_ANY: it is not refused */
    int64_t version;   /* out: what confirms it; 0: it is within the limits */
};

/* Inside a job. last_grade: whose classes end (11). difference: gets a line for each change. A dry run is a job that
 * then answers false without an error. false: *c->e; ERROR_HELD, ERROR_PRECONDITION: as an import. */
bool rollover_run(struct changing_records *c, school_no school, int last_grade, struct rollover_counts *counts,
                  struct text *difference, struct rollover_loss *loss);

/* {"promoted", "graduated", "groups_ended", "pupils_left", "left_alone"}: a new reference. */
json_t *rollover_counts_json(const struct rollover_counts *counts);

#endif
