/* The rollover (G3). */
#include <string.h>

#include "policy/api/api.h"
#include "policy/api/routes.h"
#include "policy/records/rollover.h"

struct wanted {
    int64_t last_grade;
    bool dry_run, turned;
    struct rollover_counts counts;
    struct text difference;
};

static json_t *lines_json(const struct text *lines)
{
    json_t *array = json_array();
    const char *at = lines->data != NULL ? lines->data : "", *end = at + lines->len;
    for (const char *newline; at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL; at = newline + 1)
        json_array_append_new(array, json_stringn(at, (size_t)(newline - at)));
    return array;
}

static json_t *outcome(const struct wanted *w)
{
    const struct rollover_counts *n = &w->counts;
    return json_pack("{s:b, s:{s:i, s:i, s:i, s:i, s:i}, s:o}", "dry_run", (int)w->dry_run, "changes", "promoted",
                     n->promoted, "graduated", n->graduated, "groups_ended", n->groups_ended, "pupils_left",
                     n->pupils_left, "left_alone", n->left_alone, "difference", lines_json(&w->difference));
}

/* A dry run does it all, then the job is refused without an error, so that nothing has happened. */
static bool act_turn(struct api_act *act, void *state)
{
    struct wanted *w = state;
    struct changing_records *c = &act->records;
    school_no school = api_school(act->r, c->tx->db, act->r->params[0], c->e);
    w->turned = school != 0 && rollover_run(c, school, (int)w->last_grade, &w->counts, &w->difference);
    if (!w->turned || w->dry_run)
        return false;
    act->reply = outcome(w);
    return true;
}

static bool post_year(struct request *r)
{
    struct wanted w = {0};
    if (!body_int_or(r, "last_grade", ROLLOVER_LAST_GRADE, &w.last_grade) ||
        !body_bool_or(r, "dry_run", false, &w.dry_run))
        return false;
    if (w.last_grade < 1 || w.last_grade > 20)
        return refuse(r, ERROR_INVALID_PARAM, "last_grade is a number from 1 to 20.");
    bool done = api_write(r, act_turn, &w);
    if (!done && w.dry_run && w.turned && r->error.code == ERROR_NONE)
        done = reply_json(r, outcome(&w));
    text_finish(&w.difference);
    return done;
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_parta/v1/schools/{school}/year", post_year, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
};
const struct routes API_YEAR_ROUTES = ROUTES(TABLE);
