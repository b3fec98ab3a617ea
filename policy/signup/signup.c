#include "policy/signup/signup.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/accounts.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/clock.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/matrix/identities.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/records/people.h"
#include "policy/signup/applications.h"
#include "policy/signup/claims.h"
#include "policy/signup/guardians.h"
#include "policy/signup/links.h"
#include "policy/records/office_act.h"
#include "policy/signup/contact_required.h"

bool signup_is_link(struct db *db, const char *token)
{
    struct link_row link;
    return links_find(db, token, &link);
}

/* Closed still closes: only what makes no account passes. */
static bool door_open(const struct signing_up *s, const struct link_row *link, struct error *e)
{
    return link->kind == LINK_PERSONAL || register_allowed(s->accounts, e);
}

bool signup_open(const struct signing_up *s, struct db *db, const char *token, struct link_row *out, struct error *e)
{
    return link_find(db, token, clock_wall_ms(), out, e) && door_open(s, out, e);
}

struct signup_job {
    const struct signing_up *s;
    const struct applicant *person;
    struct account_making making;
    struct actor actor; /* whoever signs up */
    struct link_row link;
    application_no application;
};

/* C2: the records name the person, and nobody has taken the account yet. */
static bool claim(struct signup_job *job, struct changing_records *c)
{
    struct user_row row;
    user_no user = job->link.person;
    bool found = users_get(c->tx->db, user, &row);
    bool fresh = found && !identities_or_password(c->tx->db, &row);
    bool stands = found && account_state_may_act(row.state);
    user_row_finish(&row);
    if (!fresh || !stands)
        return rule_refuse(c->e, RULE_C2_ACCOUNT_TAKEN);
    job->making.user = user;
    return link_issuer_stands(c->tx->db, rooms_settings(c->rooms)->school_mode, &job->link, c->e) &&
           (users_set_password(c->tx, user, job->making.hash) || error_set(c->e, ERROR_UNKNOWN, NULL));
}

/* C3, C4, D4: the address that was proven becomes the account's. */
static bool bind_address(const struct signup_job *job, struct changing_records *c)
{
    struct contact_address address;
    int64_t verified_ms;
    const char *sid = job->making.wanted->sid;
    if (sid != NULL && !contacts_take(c->tx, sid, CODE_REGISTER, &address, &verified_ms, c->e))
        return false;
    if (!contact_required_met(c->tx->db, job->s->contacts, &job->link, sid != NULL ? &address : NULL, c->e))
        return false;
    if (sid == NULL)
        return true;
    return contacts_bind(c->tx, job->making.user, &address, job->link.role, verified_ms, c->e);
}

static bool apply(struct signup_job *job, struct changing_records *c)
{
    switch (job->link.kind) {
    case LINK_PERSONAL:
        return claim_begin(c, &job->link) && office_act_note(c, "signup.claim", job->link.school,
                                                             json_pack("{s:I, s:s}", "link", (json_int_t)job->link.no,
                                                                       "user", office_act_user_id(c, job->making.user)),
                                                             NULL, NULL);
    case LINK_GUARDIAN: job->application = guardian_begin(c, job->making.user, &job->link, job->person); break;
    default: job->application = application_make(c, job->making.user, &job->link, job->person); break;
    }
    return job->application != 0;
}

/* D5: no account for somebody who could not be confirmed. */
static bool place_left(const struct signup_job *job, struct changing_records *c)
{
    if (job->link.kind != LINK_GUARDIAN ||
        guardianships_guardians(c->tx->db, job->link.person, NULL, 0) < GUARDIANS_MAX)
        return true;
    return rule_refuse(c->e, RULE_D5_TWO_GUARDIANS_ALREADY);
}

static bool job_signup(struct tx *tx, void *arg, struct error *e)
{
    struct signup_job *job = arg;
    struct account_making *m = &job->making;
    struct changing_records c = {.tx = tx, .rooms = job->s->rooms, .actor = &job->actor, .e = e};
    if (!link_use(tx, m->wanted->token, &job->link, e) || !door_open(job->s, &job->link, e) || !place_left(job, &c))
        return false;
    if (!(job->link.kind == LINK_PERSONAL ? claim(job, &c) : account_making_insert(tx, m, ACCOUNT_PENDING, e))) /* A3 */
        return false;
    tx_own(tx, m->user); /* the account, and what it asks for */
    job->actor = (struct actor){.user = m->user, .name = office_act_user_id(&c, m->user)};
    if (!bind_address(job, &c) || !apply(job, &c) || !account_making_sign_in(tx, m, e))
        return false;
    /* A personal link's holder is of a school already, and given what comes with the first signing in (E6). */
    bool welcomed =
        m->wanted->device != NULL && job->link.kind == LINK_PERSONAL && m->accounts->hooks.signed_in != NULL;
    return !welcomed || m->accounts->hooks.signed_in(m->accounts->hooks.self, tx, m->user, e);
}

bool signup_by_link(const struct signing_up *s, struct db *db, const struct registration *registration,
                    const struct applicant *person, struct signup_result *out, struct error *e)
{
    struct link_row link;
    struct registration wanted = *registration;
    struct signup_job job = {.s = s, .person = person};
    *out = (struct signup_result){0};
    if (!signup_open(s, db, wanted.token, &link, e) || !applicant_valid(person, e))
        return false;
    if (link.kind == LINK_PERSONAL)
        wanted.localpart = NULL; /* the account has its name */
    if (wanted.localpart != NULL && !register_name_free(s->accounts, db, wanted.localpart, e))
        return false;
    if (!account_making_begin(&job.making, s->accounts, &wanted, e))
        return false;
    bool done = writer_run(s->accounts->writer, job_signup, &job, e);
    const char *user_id = done ? user_names_get(s->accounts->names, db, job.making.user) : NULL;
    out->kind = job.link.kind;
    out->application = job.application;
    return account_making_end(&job.making, done, user_id, &out->login);
}

/* --- Going away again --- */

struct abandon_job {
    const struct signing_up *s;
    user_no user;
};

/* With no application open, nobody can make the account active any more. */
static bool job_abandon(struct tx *tx, void *arg, struct error *e)
{
    struct abandon_job *job = arg;
    struct user_row row;
    const struct actor actor = {.user = job->user, .name = user_names_get(job->s->accounts->names, tx->db, job->user)};
    struct changing_records c = {.tx = tx, .rooms = job->s->rooms, .actor = &actor, .e = e};
    bool pending = users_get(tx->db, job->user, &row) && row.state == ACCOUNT_PENDING;
    user_row_finish(&row);
    if (!pending)
        return error_set(e, ERROR_CONFLICT, "Only an account that waits to be confirmed goes away so.");
    return (applications_withdraw_all(tx, job->user, actor.name) || error_set(e, ERROR_UNKNOWN, NULL)) &&
           office_act_note(&c, "signup.abandon", 0, json_pack("{s:s}", "user", actor.name), NULL, NULL);
}

bool signup_abandon(const struct signing_up *s, user_no user, struct error *e)
{
    struct abandon_job job = {s, user};
    return writer_run(s->accounts->writer, job_abandon, &job, e) && account_deactivate(s->accounts, user, true, e);
}
