/* Guardians (school.md D1–D8): a child's link, a parent's confirmation, and what follows from it.
 *
 * The child makes the link (links.h, LINK_GUARDIAN) and sends it to the parent. The parent opens it in a session of
 * their own, sees the child's data, corrects it if need be, and confirms. The link is counted when it is confirmed, or
 * when an account is made by it (signup.h); in that case it stays good for that account alone until it confirms.
 * Confirming makes the guardianship in the same job (D5), unless they wait for the school (guardian_waits): then an
 * application does.
 *
 * D2, D4: whoever confirms is no pupil under age, is not the child, has no address of the child's, and, where the
 * server can verify addresses, has one of their own: otherwise a child with two browsers would be its own parent.
 *
 * D7 is the reconciling's (policy/records/reconcile.h): the guardianship lifts the restriction,
 * its end brings it back. */
#ifndef PARTA_POLICY_SIGNUP_GUARDIANS_H
#define PARTA_POLICY_SIGNUP_GUARDIANS_H

#include <stdbool.h>

#include "homeserver/store/school/applications.h"
#include "homeserver/store/school/links.h"
#include "policy/records/change.h"

struct contacts;

/* D2, D4: what somebody who has the token, signed in as actor, may see: the link, whose person is the child. An
 * account that was made by this link may go on with it: begun. contacts (may be NULL): whether the server can verify
 * addresses. false: *e is the refusal, D4's with what to do. Reads the database. */
struct guardian_view {
    struct link_row link; /* link.person: the child */
    application_no begun; /* the actor's, by which the account was made; 0: none */
};
bool guardian_look(struct db *db, bool school_mode, const struct actor *actor, const struct contacts *contacts,
                   const char *token, int64_t now_ms, struct guardian_view *out, struct error *e);

/* Whether user, who would become the child's guardian by its link, waits for the school's word: the school approves
 * guardians; or (D9) something stands that was settled of the child, or they would meet somebody from whom they are
 * kept. Then the office alone lets them in, with a reason. Reads the database. */
bool guardian_waits(struct db *db, user_no child, user_no user);

/* Which version of a child somebody is shown who is, or becomes, the guardian: names, birth date, school, class, and
 * whether whoever comes waits. 0: the child is not a pupil. Reads the database. */
int64_t guardian_child_version(struct db *db, user_no child);

enum guardian_outcome {
    GUARDIAN_CONFIRMED,
    GUARDIAN_WAITS, /* guardian_waits */
};
enum correction_outcome {
    CORRECTION_NONE, /* nothing to correct */
    CORRECTION_MADE,
    CORRECTION_WAITS,   /* an application waits for the office: a roster keeps the record, or a
                       * rule depends on it (D10) */
    CORRECTION_IN_PART, /* names are corrected, the birth date waits */
};

struct guardian_confirmation {
    const char *token;
    struct applicant self;  /* of the guardian, needed once: when no records know them; APPLICANT_NOBODY */
    struct applicant child; /* what is to be corrected; APPLICANT_NOBODY: nothing */
    const struct contacts *contacts;
    int64_t seen; /* the child's version that was shown, needed (change.h, change_decides_on) */
};

/* Inside a job; c->actor confirms. false: *c->e: as guardian_look, and D5 from the job itself. */
bool guardian_confirm(struct changing_records *c, const struct guardian_confirmation *confirmation,
                      enum guardian_outcome *outcome, enum correction_outcome *correction);

/* Inside a job: the actor withdraws (D7). ERROR_NOT_FOUND: is not the child's guardian. */
bool guardian_withdraw(struct changing_records *c, user_no child);

/* Inside a job: a guardian writes the child's data right (D2), or asks for it (D10). */
bool guardian_correct(struct changing_records *c, user_no child, const struct applicant *person, int64_t seen,
                      enum correction_outcome *outcome);

/* D8: whether the actor may look at the child. Reads the database. */
bool guardian_may_see(struct db *db, bool school_mode, const struct actor *actor, user_no child, struct error *e);

/* For signup.c, inside the job that makes the account: notes that user came by the child's link. 0: *c->e. */
application_no guardian_begin(struct changing_records *c, user_no user, const struct link_row *link,
                              const struct applicant *self);

#endif
