#include "policy/gate/report_gate.h"

bool report_may_read(struct db *db, bool school_mode, const struct actor *actor, const struct report_row *report,
                     struct error *e)
{
    /* A room has no accused: whose class it concerns is then the reporter's, and whom, whoever answers for it. */
    struct subject subject = {.school = report->school, .target = report->accused, .with = report->reporter};
    if (report->accused == 0) {
        subject.target = report->reporter;
        subject.room = report->room;
    }
    return school_gate(db, school_mode, actor, ACT_REPORTS, &subject, NULL, NULL, e);
}
