/* Applications: somebody who came by a link asks the school to be let in (school.md C1, C2), a guardian to be confirmed
 * where the school wants to see it first (D2), and a guardian to have a roster's record of the child corrected (D2).
 *
 * Nobody is in a school by applying. What one becomes is what the link says, never what one typed (B3): names and a
 * birth date are what the applicant says of themselves, and whoever approves sees them and may write them right. On a
 * birth date rules depend (D7): it stands in the record once somebody has approved it who may change records; when a
 * class teacher approves, and when nobody does, the office is asked for it besides (D10).
 * Approval makes the records (policy/records/change.h) and with them the account active, or restricted (D7), in one
 * job. Either order is good (C1): an account made by a link applies at once; one that is there already applies when its
 * owner opens the link.
 *
 * All functions run inside a job; false: *c->e. */
#ifndef PARTA_POLICY_SIGNUP_APPLICATIONS_H
#define PARTA_POLICY_SIGNUP_APPLICATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/store/school/applications.h"
#include "policy/records/change.h"

struct contacts;

#define APPLICANT_NOBODY ((struct applicant){"", "", "", DAY_EVER, ""})

/* Whether names, birth date and note may be kept: lengths, no control characters, a day between 1900 and today. */
bool applicant_valid(const struct applicant *person, struct error *e);

/* The part of it that says something, over what was said before; strings are borrowed from both. */
struct applicant applicant_over(const struct applicant *said, const struct applicant *before);

/* user applies by that link (used already: link_use), LINK_CLASS or LINK_SCHOOL. 0: *c->e; ERROR_CONFLICT: an
 * application for the same is open. */
application_no application_make(struct changing_records *c, user_no user, const struct link_row *link,
                                const struct applicant *person);

/* The actor, whose account is there, applies by a token. contacts: as contact_required.h. */
application_no application_apply(struct changing_records *c, const struct contacts *contacts, const char *token,
                                 const struct applicant *person);

/* The applicant writes their own data right, as long as nobody has decided. */
bool application_edit(struct changing_records *c, application_no no, const struct applicant *person,
                      int64_t if_version);
bool application_withdraw(struct changing_records *c, application_no no, int64_t if_version);

/* The version of all that who decides is shown: of a correction the record's too, which a roster
 * may change meanwhile. */
int64_t application_version(struct db *db, const struct application_row *row);

/* ACT_APPROVE: an administrator, or the class teacher where the school lets them; nobody for themselves (J4). seen: the
 * version that was shown, needed (change.h). */
struct approval {
    struct applicant person; /* what the approver knows better; APPLICANT_NOBODY: nothing */
    const user_no *children; /* a guardian who came by a class link: of whom; pupils of that class */
    size_t n_children;
    const struct contacts *contacts; /* NULL: addresses are not verified here */
};
bool application_approve(struct changing_records *c, application_no no, const struct approval *approval, int64_t seen);
/* reason: one line of at most APPLICATION_NOTE_MAX bytes, "" for none; it stays with the application and in the log. */
bool application_refuse(struct changing_records *c, application_no no, const char *reason, int64_t seen);

/* Whether the actor may see it: whoever could decide, be it with a reason (D9). The applicant's own are
 * theirs to see anyway. */
bool application_may_see(struct db *db, bool school_mode, const struct actor *actor, const struct application_row *row);

/* Whether it is the user's own to see and to change: D9, one about a child from whom they are
 * kept is as none. Reads. */
bool application_is_own(struct db *db, const struct application_row *row, user_no user);

/* For guardians.c: makes the account of that application, or user, a person of the records if it is none yet. The birth
 * date of p is the record's from then on: the caller has had it from the office (D10). */
bool application_person(struct changing_records *c, user_no user, const struct applicant *person, school_no school);
/* What a record should say: changes it, if the school keeps it itself; because as office_act_for. */
bool application_correct(struct changing_records *c, user_no child, const struct applicant *person, school_no school,
                         const char *because);
/* D10: user asks the office of the child's school, or of their own (child is user), to have the record corrected; takes
 * the place of what they have asked and nobody has decided. */
bool application_ask_correction(struct changing_records *c, user_no user, user_no child,
                                const struct applicant *person);

#endif
