/* The rollover (G3). */
#include <stdint.h>

#include "homeserver/http/server.h"
#include "policy/api/api.h"
#include "policy/api/routes.h"
#include "policy/records/rollover.h"

struct rollover_wish {
    int64_t last_grade;
    bool dry_run, done;
    struct rollover_counts counts;
    struct text difference;
    struct rollover_loss loss;
};

static json_t *outcome(const struct rollover_wish *w)
{
    int64_t left_out; /* a line a class and a graduate: none is */
    json_t *reply =
        json_pack("{s:b, s:o, s:o}", "dry_run", (int)w->dry_run, "changes", rollover_counts_json(&w->counts),
                  "difference", api_lines(&w->difference, SIZE_MAX, &left_out));
    if (w->loss.version != 0)
        json_object_set_new(reply, "version", json_sprintf("%lld", (long long)w->loss.version));
    return reply;
}

/* A dry run does it all, then the job is refused without an error, so that nothing has happened. */
static bool act_rollover(struct api_act *act, void *state)
{
    struct rollover_wish *w = state;
    struct changing_records *c = &act->records;
    school_no school = api_school(act->r, c->tx->db, act->r->params[0], c->e);
    w->loss = (struct rollover_loss){.limits = loss_limits(act->r->server->config),
                                     .confirmed = w->dry_run ? CONFIRMED_ANY : act->if_version};
    w->done = school != 0 && rollover_run(c, school, (int)w->last_grade, &w->counts, &w->difference, &w->loss);
    if (!w->done || w->dry_run)
        return false;
    act->reply = outcome(w);
    return true;
}

static bool post_year(struct request *r)
{
    struct rollover_wish w = {0};
    if (!body_int_or(r, "last_grade", ROLLOVER_LAST_GRADE, &w.last_grade) ||
        !body_bool_or(r, "dry_run", false, &w.dry_run))
        return false;
    if (w.last_grade < 1 || w.last_grade > 20)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "last_grade", "last_grade is a number from 1 to 20.");
    bool done = api_write(r, act_rollover, &w);
    if (!done && w.dry_run && w.done && r->error.code == ERROR_NONE)
        done = api_reply_versioned(r, outcome(&w), w.loss.version);
    text_finish(&w.difference);
    return done;
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_parta/v1/schools/{school}/year", post_year, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
};
const struct routes API_YEAR_ROUTES = ROUTES(TABLE);
