/* Leaving a school, taking one's data along, being forgotten (G1, G4). */
#include <stdlib.h>
#include <string.h>

#include "homeserver/http/server.h"
#include "homeserver/jobs/jobs.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/privacy.h"
#include "policy/api/routes.h"
#include "policy/api/signup_json.h"
#include "policy/audit/audit.h"
#include "policy/privacy/erasure.h"
#include "policy/privacy/export.h"

/* --- Export --- */

struct exported {
    const struct actor *actor;
    user_no user;
    const char *user_id;
    const struct signing_key *key;
};

static bool note_job(struct tx *tx, void *arg, struct error *e)
{
    const struct exported *x = arg;
    return audit_append(tx, x->key,
                        &(struct audit_note){.actor = x->actor,
                                             .act = "person.export",
                                             .about = x->user,
                                             .subject = json_pack("{s:s}", "user", x->user_id)}) ||
           error_set(e, ERROR_UNKNOWN, NULL);
}

/* Who takes data out is in the log before the data go. */
static bool reply_export(struct request *r, const struct actor *actor, user_no user, const char *user_id)
{
    const struct rooms_settings *settings = rooms_settings(r->server->rooms);
    struct export_wanted wanted = {actor, user, user_id, settings->school_mode};
    struct exported exported = {actor, user, user_id, settings->key};
    struct text zip = TEXT_INIT;
    bool done = request_strict(r) && export_person(r->db, &wanted, &zip, &r->error) &&
                writer_run(r->server->writer, note_job, &exported, &r->error) && reply_text(r, &zip) &&
                reply_header(r, "content-disposition", "attachment; filename=\"parta.zip\"");
    if (done)
        r->reply.type = "application/zip";
    text_finish(&zip);
    return done;
}

bool reply_own_export(struct request *r)
{
    struct actor actor;
    if (!api_caller(r, &actor))
        return false;
    if (actor.user == 0)
        return refuse(r, ERROR_FORBIDDEN, "An operator's token is no person.");
    return reply_export(r, &actor, actor.user, actor.name);
}

static bool get_export(struct request *r)
{
    struct actor actor;
    if (!api_caller(r, &actor))
        return false;
    user_no user = api_user(r, r->db, r->params[0], &r->error);
    return user != 0 && reply_export(r, &actor, user, r->params[0]);
}

/* --- Erasure --- */

static bool act_erase(struct api_act *act, void *state)
{
    const char *user_id = state;
    user_no user =
        user_id != NULL ? api_user(act->r, act->records.tx->db, user_id, act->records.e) : act->records.actor->user;
    return user != 0 && erasure_begin(&act->records, user);
}

#define STEPS_MAX 100 /* at once; the server's own housekeeping does the rest */

bool begin_erasure(struct request *r, const char *user_id)
{
    if (!api_write(r, act_erase, (void *)user_id))
        return false;
    for (int i = 0; i < STEPS_MAX && erasure_step(r->server->writer, r->server->rooms); ++i)
        continue;
    jobs_poke(r->server->jobs, "erasures"); /* which does what is left */
    return true;
}

static bool erase_own(struct request *r)
{
    return caller_is_person(r, true) && api_proven(r) && begin_erasure(r, NULL);
}

/* Whoever may not hears so before a password is asked for. */
static bool erase(struct request *r)
{
    struct actor actor;
    if (!api_caller(r, &actor))
        return false;
    user_no user = api_user(r, r->db, r->params[0], &r->error);
    return user != 0 && erasure_may(r->db, rooms_settings(r->server->rooms)->school_mode, &actor, user, &r->error) &&
           api_proven(r) && begin_erasure(r, r->params[0]);
}

/* --- Leaving a school --- */

struct leaving {
    const char *school, *user; /* user NULL: oneself */
};

static bool act_leave(struct api_act *act, void *state)
{
    const struct leaving *l = state;
    struct db *db = act->records.tx->db;
    school_no school = api_school(act->r, db, l->school, act->records.e);
    user_no user = l->user != NULL ? api_user(act->r, db, l->user, act->records.e) : act->records.actor->user;
    return school != 0 && user != 0 && change_leave_school(&act->records, user, school);
}

static bool leave_school(struct request *r)
{
    struct leaving l = {0};
    return caller_is_person(r, false) && body_string(r, "school", &l.school) && api_proven(r) &&
           body_string(r, "school", &l.school) && api_write(r, act_leave, &l);
}

static bool take_out_of_school(struct request *r)
{
    struct leaving l = {.user = r->params[0]};
    return body_string(r, "school", &l.school) && api_write(r, act_leave, &l);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/me/export", reply_own_export, ROUTE_PERSON, RATE_REGISTER, NULL},
    {HTTP_POST, "/_parta/v1/me/erase", erase_own, ROUTE_PERSON | ROUTE_PROOF, RATE_WRITE, NULL},
    {HTTP_POST, "/_parta/v1/me/leave", leave_school, ROUTE_PERSON | ROUTE_PROOF, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/people/{userId}/export", get_export, ROUTE_CALLER, RATE_REGISTER, NULL},
    {HTTP_POST, "/_parta/v1/people/{userId}/erase", erase, ROUTE_CALLER | ROUTE_PROOF, RATE_WRITE, NULL},
    {HTTP_POST, "/_parta/v1/people/{userId}/leave", take_out_of_school, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
};
const struct routes API_LIFE_ROUTES = ROUTES(TABLE);
