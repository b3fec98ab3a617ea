#include "policy/signup/provider_sign_in.h"

#include <string.h>

#include "homeserver/accounts/register.h"
#include "homeserver/base/config.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/schools.h"
#include "policy/records/office_act.h"

struct sign_in_job {
    const struct signing_up *s;
    const struct provider_arrival *who;
    struct sign_in in;
    enum arrival_kind kind;
    user_no user;
    bool wants_factor;
};

/* --- The record that the subject is said to be --- */

static bool speaks_for(struct db *db, const struct provider_arrival *who, school_no school)
{
    for (size_t i = 0; i < who->n_records; ++i)
        if (schools_by_sourced_id(db, who->records[i].school) == school)
            return true;
    return false;
}

/* A role in that school, and no post in one that the provider does not speak for: of another school's staff its own
 * office says who they are (policy/signup/links.h, link_hands_out). */
static bool named_by_own_schools(struct db *db, const struct provider_arrival *who, user_no user, school_no school)
{
    char day[DAY_TEXT_BYTES];
    struct role_row row;
    bool here = false, elsewhere = false;
    struct stmt *q = roles_now(db, user, day);
    while (roles_next(q, &row)) {
        here = here || row.school == school;
        elsewhere = elsewhere || (((unsigned)row.role & ROLES_FAMILY) == 0 && !speaks_for(db, who, row.school));
    }
    stmt_end(q);
    return here && !elsewhere;
}

/* 0: it is said of nobody here. */
static user_no named(struct db *db, const struct provider_arrival *who, school_no *school)
{
    for (size_t i = 0; i < who->n_records; ++i) {
        struct person_row row = {0};
        *school = who->records[i].person != NULL ? schools_by_sourced_id(db, who->records[i].school) : 0;
        user_no user = *school != 0 ? people_by_sourced_id(db, who->records[i].person) : 0;
        bool there = user != 0 && people_get(db, user, &row) && !row.ended && row.enabled;
        person_row_finish(&row);
        if (there && named_by_own_schools(db, who, user, *school))
            return user;
    }
    *school = 0;
    return 0;
}

/* C2: the records name the person, and nobody has taken the account yet. Unlike a personal link's (J4) this claim waits
 * for nobody: no one of the school has had in hand what makes them that person. */
static bool claim(struct sign_in_job *job, struct changing_records *c, school_no school)
{
    struct user_row row;
    bool fresh = users_get(c->tx->db, job->user, &row) && !identities_or_password(c->tx->db, &row) &&
                 account_state_may_act(row.state);
    user_row_finish(&row);
    job->kind = ARRIVAL_CLAIMED;
    return fresh ? office_act_note(c, "signup.claim", school,
                                   json_pack("{s:s, s:s}", "provider", job->who->provider, "user",
                                             office_act_user_id(c, job->user)),
                                   NULL, NULL)
                 : rule_refuse(c->e, RULE_C2_ACCOUNT_TAKEN);
}

/* --- An account of their own --- */

/* A3: in a school it waits for a link and the office; elsewhere an account is at once what registering makes. */
static bool make_account(struct sign_in_job *job, struct tx *tx, struct error *e)
{
    const struct config *config = job->s->accounts->config;
    bool school = config->policy.mode == POLICY_SCHOOL;
    if (!register_allowed(job->s->accounts, e))
        return false;
    if (!school && config->registration.mode != REGISTRATION_OPEN)
        return error_set(e, ERROR_FORBIDDEN, "Nobody here has this account of the provider: link it to yours first.");
    job->kind = ARRIVAL_NEW;
    job->user = account_insert(tx, &(struct new_account){.state = school ? ACCOUNT_PENDING : ACCOUNT_ACTIVE}, e);
    return job->user != 0;
}

static bool arrive(struct sign_in_job *job, struct tx *tx, struct error *e)
{
    school_no school = 0;
    job->user = named(tx->db, job->who, &school);
    if (job->user == 0 && !make_account(job, tx, e))
        return false;
    struct changing_records c = {.tx = tx, .rooms = job->s->rooms, .e = e};
    const struct actor self = {.user = job->user, .name = office_act_user_id(&c, job->user)};
    c.actor = &self;
    tx_own(tx, job->user);
    return (school == 0 || claim(job, &c, school)) &&
           (identities_insert(tx, job->user, &job->who->identity) || error_set(e, ERROR_UNKNOWN, NULL));
}

static bool job_sign_in(struct tx *tx, void *arg, struct error *e)
{
    struct sign_in_job *job = arg;
    job->user = identities_owner(tx->db, &job->who->identity);
    if (job->user == 0 && !arrive(job, tx, e))
        return false;
    tx_own(tx, job->user);
    job->wants_factor = second_factors_has(tx->db, job->user);
    return job->wants_factor || sign_in_finish(tx, &job->s->accounts->hooks, job->user, &job->in, e);
}

bool provider_sign_in(const struct signing_up *s, struct db *db, const struct provider_arrival *who,
                      const struct device_wish *wish, struct arrival *out, struct error *e)
{
    struct sign_in_job job = {.s = s, .who = who};
    *out = (struct arrival){0};
    sign_in_prepare(s->accounts, wish, &job.in);
    if (!writer_run(s->accounts->writer, job_sign_in, &job, e))
        return false;
    *out = (struct arrival){.kind = job.kind, .user = job.user, .wants_factor = job.wants_factor};
    if (!job.wants_factor)
        sign_in_result(&job.in, job.user, user_names_get(s->accounts->names, db, job.user), &out->login);
    return true;
}

/* --- By one's own act --- */

struct link_job {
    user_no user;
    const struct identity_of *identity;
};

static bool job_link(struct tx *tx, void *arg, struct error *e)
{
    const struct link_job *job = arg;
    user_no owner = identities_owner(tx->db, job->identity);
    if (owner == job->user)
        return true;
    if (owner != 0)
        return error_set(e, ERROR_CONFLICT, "Somebody else signs in by this.");
    tx_own(tx, job->user);
    return identities_insert(tx, job->user, job->identity) ? bound_kept(tx->db, BOUND_IDENTITIES, job->user, 0, e)
                                                           : error_set(e, ERROR_UNKNOWN, NULL);
}

bool provider_link(const struct accounts *accounts, user_no user, const struct identity_of *identity, struct error *e)
{
    return writer_run(accounts->writer, job_link, &(struct link_job){user, identity}, e);
}

static bool job_unlink(struct tx *tx, void *arg, struct error *e)
{
    const struct link_job *job = arg;
    struct user_row row;
    tx_own(tx, job->user);
    bool done = identities_delete(tx, job->user, job->identity->issuer);
    bool way_in = users_get(tx->db, job->user, &row) && identities_or_password(tx->db, &row);
    user_row_finish(&row);
    if (!done)
        return error_set(e, ERROR_UNKNOWN, NULL);
    return way_in || error_set(e, ERROR_CONFLICT, "Without it there would be no way to sign in: set a password first.");
}

bool provider_unlink(const struct accounts *accounts, user_no user, const char *issuer, struct error *e)
{
    const struct identity_of identity = {issuer, ""};
    return writer_run(accounts->writer, job_unlink, &(struct link_job){user, &identity}, e);
}
