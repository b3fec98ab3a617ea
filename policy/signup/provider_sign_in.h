/* Signing in by a provider (school.md C1a): what became of somebody whom a provider has just named, by a subject that
 * was verified (oidc/client.h). Nothing else that it says of them counts, no name and no address.
 *
 * A subject that is linked is its person. One that is not, and of whom the provider says which record of a school is
 * theirs (by the claim that its table has for that school), takes the account that the record holds, as long as
 * nobody has it: no password, no other identity, in the records now, and no post in a school that the provider does not
 * speak for (A1, B3). Any other makes a pending account (A3), which goes on by a link; a link that was opened first is
 * gone back to (C1, either order). registration.mode closed makes none; policy.mode open makes one where it is open.
 *
 * Whoever is signed in already is linked by their own act and proof alone (C5): provider_link. */
#ifndef PARTA_POLICY_SIGNUP_PROVIDER_SIGN_IN_H
#define PARTA_POLICY_SIGNUP_PROVIDER_SIGN_IN_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/accounts/login.h"
#include "homeserver/store/matrix/identities.h"
#include "policy/signup/signup.h"

/* A school that the provider speaks for, and whose record there the subject says it is. */
struct provider_record {
    const char *school; /* its sourcedId */
    const char *person; /* the person's; NULL: it does not say */
};

/* Borrowed. */
struct provider_arrival {
    struct identity_of identity;
    const char *provider; /* its id, for the log */
    const struct provider_record *records;
    size_t n_records;
};

enum arrival_kind { ARRIVAL_KNOWN, ARRIVAL_CLAIMED, ARRIVAL_NEW };

struct arrival {
    enum arrival_kind kind;
    user_no user;
    bool wants_factor;         /* H1: nobody is signed in yet: login_factor_issue_to */
    struct login_result login; /* login_result_finish */
};

/* One job. false: *e, nothing is done: the account may not sign in, RULE_C2_ACCOUNT_TAKEN where the record's account is
 * somebody's already, ERROR_FORBIDDEN where no account is made. Blocks. db: the caller's reader. */
bool provider_sign_in(const struct signing_up *s, struct db *db, const struct provider_arrival *who,
                      const struct device_wish *wish, struct arrival *out, struct error *e);

/* The person, who has proven that it is them, is the subject's from now on; also where they are so already. false: *e
 * is ERROR_CONFLICT where it is another's, ERROR_BOUND. Blocks. */
bool provider_link(const struct accounts *accounts, user_no user, const struct identity_of *identity, struct error *e);

/* No subject of that issuer is theirs any more. ERROR_CONFLICT: they would have no way in. Blocks. */
bool provider_unlink(const struct accounts *accounts, user_no user, const char *issuer, struct error *e);

#endif
