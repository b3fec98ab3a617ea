/* Signing up by a link, in one job: the account and its application, or the account that the records hold for the
 * person (school.md C1–C5).
 *
 * A class or school link makes a pending account (A3) that applies for what the link says. A guardian link makes a
 * pending account that may go on to confirm (guardians.h). A personal link makes nothing: it sets the password of the
 * account that is already the person's. The link's use is counted in the same job; of two who come at the same moment
 * with its last use, one gets nothing at all.
 *
 * registration.mode: closed refuses all but personal links, which make no account; token and open let links work. The
 * caller, not this module, has made sure that nobody is signed in (C5): a link opened in a session never binds to it by
 * itself. */
#ifndef PARTA_POLICY_SIGNUP_SIGNUP_H
#define PARTA_POLICY_SIGNUP_SIGNUP_H

#include <stdbool.h>

#include "homeserver/accounts/new_account.h"
#include "homeserver/store/school/applications.h"
#include "homeserver/store/school/links.h"

struct accounts;
struct contacts;
struct rooms;

/* The services it needs; borrowed. */
struct signing_up {
    const struct accounts *accounts;
    struct rooms *rooms;
    const struct contacts *contacts; /* NULL: addresses cannot be verified here */
};

struct signup_result {
    struct login_result login; /* login_result_finish */
    enum link_kind kind;
    application_no application; /* 0: personal */
};

/* Whether the token is one of links at all, in whatever state; else it may be a registration token. Reads. */
bool signup_is_link(struct db *db, const char *token);

/* Whether somebody could sign up by it now: for the validity endpoint and the pages. false: *e. Reads. */
bool signup_open(const struct signing_up *s, struct db *db, const char *token, struct link_row *out, struct error *e);

/* registration: its token is the link's, sid a verified address whose secret was seen; a personal link does not look at
 * localpart. person: what is known so far, APPLICANT_NOBODY. false: *e, nothing is done. Hashes a password; blocks. db:
 * the caller's reader. */
bool signup_by_link(const struct signing_up *s, struct db *db, const struct registration *registration,
                    const struct applicant *person, struct signup_result *out, struct error *e);

/* A pending account, and no other (ERROR_CONFLICT), is closed: its applications are withdrawn, its addresses freed.
 * Blocks. */
bool signup_abandon(const struct signing_up *s, user_no user, struct error *e);

#endif
