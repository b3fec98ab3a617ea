/* Rosters, as the operator brings them in (I4), and what was brought in. */
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/store/school/held_imports.h"
#include "homeserver/store/school/imports.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/oneroster/source.h"

static bool readable(struct request *r, const struct actor *actor)
{
    return (actor->user == 0 || refuse(r, ERROR_FORBIDDEN, "Rosters are the operator's.")) &&
           api_may(r, actor, ACT_IMPORT, &(struct subject){0});
}

static void read_import(struct api_listing *l, struct api_row *out)
{
    struct import_row row;
    struct error ignored;
    if (!imports_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = ABOUT_NOBODY;
    json_t *changes = json_parse(row.changes, strlen(row.changes), &ignored);
    out->item =
        json_pack("{s:o, s:s, s:s, s:s, s:I, s:I, s:o}", "import", json_sprintf("%lld", (long long)row.no), "source",
                  row.source, "mode", row.mode, "author", row.author, "started_ts", (json_int_t)row.started_ms,
                  "ended_ts", (json_int_t)row.ended_ms, "changes", changes != NULL ? changes : json_object());
}

static bool list_imports(struct request *r)
{
    struct api_listing l;
    return api_list_begin(&l, r, 0) && readable(r, &l.actor) &&
           api_list_end(&l, imports_page(r->db, l.after, l.limit), read_import);
}

#define DIFFERENCE_BYTES_MAX (1 << 20) /* of it in a reply */

static void set_lines(json_t *reply, const struct text *lines, int64_t left_out_before)
{
    int64_t left_out;
    json_object_set_new(reply, "difference", api_lines(lines, DIFFERENCE_BYTES_MAX, &left_out));
    if (left_out + left_out_before != 0)
        json_object_set_new(reply, "left_out", json_integer(left_out + left_out_before));
}

static bool reply_outcome(struct request *r, const struct source_import *import, const struct source_outcome *out)
{
    json_t *reply = json_pack("{s:s, s:s, s:b, s:o, s:o}", "source", import->source, "mode", out->mode, "dry_run",
                              import->how.dry_run, "changes", roster_changes_json(&out->changes), "remarks",
                              roster_problems_remarks_json(&out->problems));
    if (out->loss.version != 0)
        json_object_set(reply, "loss", out->loss.schools);
    if (import->how.dry_run)
        set_lines(reply, import->how.difference, 0);
    return reply_json(r, reply);
}

/* G5: it waits. What would be lost, with the version that confirms it. */
static bool reply_held(struct request *r, const struct source_import *import, const struct source_outcome *out)
{
    json_t *reply = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:O}", "errcode", error_wire_name(r->error.code), "error",
                              error_sentence(&r->error), "held", "", "source", import->source, "mode", out->mode,
                              "changes", roster_changes_json(&out->loss.changes), "loss", out->loss.schools);
    json_object_set_new(reply, "remarks", roster_problems_remarks_json(&out->problems));
    int status = error_status(&r->error);
    json_object_set_new(reply, "held", json_sprintf("%lld", (long long)out->held));
    set_lines(reply, &out->loss.lines, 0);
    r->error = (struct error){0};
    return api_reply_versioned(r, reply, out->loss.version) && reply_status(r, status);
}

/* Every problem with its place, the first in the words of org.parta.problem, too. */
static bool reply_refused(struct request *r, const struct source_outcome *out)
{
    char text[512];
    const struct roster_problem *first = roster_problems_first(&out->problems);
    if (first == NULL)
        return false;
    reply_json(r,
               json_pack("{s:s, s:s, s:s, s:o, s:I}", "errcode", error_wire_name(ERROR_INVALID_PARAM), "error",
                         "The roster is refused.", "org.parta.problem", roster_problem_text(first, text, sizeof text),
                         "org.parta.problems", roster_problems_refusals_json(&out->problems), "org.parta.problem_count",
                         (json_int_t)roster_problems_count(&out->problems, PROBLEM_REFUSES)));
    reply_status(r, error_status(&r->error));
    r->error = (struct error){0}; /* it has been told */
    return true;
}

static bool reply_import(struct request *r, bool done, const struct source_import *import, struct source_outcome *out,
                         struct text *problem)
{
    bool held = !done && out->held != 0, told = held;
    if (done)
        reply_outcome(r, import, out);
    else if (held)
        reply_held(r, import, out);
    else if (r->error.code == ERROR_INVALID_PARAM && reply_refused(r, out))
        told = true;
    else if (problem->len != 0 && r->error.code == ERROR_INVALID_PARAM)
        error_set_field(&r->error, ERROR_INVALID_PARAM, "The roster is refused.", "org.parta.problem", problem->data);
    else if (r->error.code == ERROR_NONE)
        refuse(r, ERROR_UNKNOWN, NULL);
    source_outcome_finish(out);
    text_finish(problem);
    return done || told;
}

static struct source_import prepare(struct request *r, const struct actor *actor)
{
    return (struct source_import){.how = {.writer = r->server->writer,
                                          .rooms = r->server->rooms,
                                          .config = r->server->config,
                                          .db = r->db,
                                          .actor = actor}};
}

/* ?older=true: taken though it is older than what is here; the reason comes as an override's does. */
static bool take_older(struct request *r, const struct actor *actor, const char **older)
{
    bool wanted;
    if (!query_bool(r, "older", false, &wanted))
        return false;
    *older = wanted ? actor->override_ : NULL;
    return !wanted || *older != NULL ||
           refuse_parameter(r, ERROR_MISSING_PARAM, "Parta-Override-Reason",
                            "older needs a reason: Parta-Override-Reason says why.");
}

/* The body is the zip. An import is a transaction of its own, and a second one of the same file changes nothing: no
 * Idempotency-Key is needed. */
static bool post_import(struct request *r)
{
    struct actor actor;
    struct source_outcome out;
    struct text problem = TEXT_INIT, difference = TEXT_INIT;
    struct source_import import = prepare(r, &actor);
    const char *source = query_get(r, "source");
    import.source = source != NULL ? source : SOURCE_DEFAULT;
    if (!api_caller(r, &actor) || !readable(r, &actor) || !query_bool(r, "dry_run", false, &import.how.dry_run) ||
        !take_older(r, &actor, &import.how.older) || !request_strict(r))
        return false;
    if (!source_name_valid(import.source))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "source",
                                "A source is named by at most 64 letters, digits and . _ - (not school).");
    if (import.how.dry_run)
        import.how.difference = &difference;
    bool done = source_import_archive(&import, r->raw_body, r->raw_body_len, &out, &problem, &r->error);
    done = reply_import(r, done, &import, &out, &problem);
    text_finish(&difference);
    return done;
}

/* --- Held imports (G5) --- */

static json_t *json_or(const char *text, json_t *otherwise)
{
    struct error ignored;
    json_t *json = json_parse(text, strlen(text), &ignored);
    if (json != NULL)
        json_decref(otherwise);
    return json != NULL ? json : otherwise;
}

static json_t *held_json(const struct held_import_row *row)
{
    return json_pack("{s:o, s:o, s:s, s:s, s:s, s:I, s:o, s:o}", "held", json_sprintf("%lld", (long long)row->no),
                     "version", json_sprintf("%lld", (long long)row->version), "source", row->source, "mode", row->mode,
                     "author", row->author, "created_ts", (json_int_t)row->created_ms, "changes",
                     json_or(row->changes, json_object()), "loss", json_or(row->schools, json_array()));
}

static void read_held(struct api_listing *l, struct api_row *out)
{
    struct held_import_row row;
    if (!held_imports_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = ABOUT_NOBODY;
    out->item = held_json(&row);
}

static bool list_held(struct request *r)
{
    struct api_listing l;
    return api_list_begin(&l, r, LIST_WHOLE) && readable(r, &l.actor) &&
           api_list_end(&l, held_imports_all(r->db), read_held);
}

static bool find_held(struct request *r, struct actor *actor, struct held_import_row *row)
{
    return api_caller(r, actor) && readable(r, actor) &&
           (held_imports_get(r->db, api_number(r->params[0]), row) ||
            refuse(r, ERROR_NOT_FOUND, "No import is held under this number."));
}

static bool get_held(struct request *r)
{
    struct actor actor;
    struct held_import_row row;
    if (!find_held(r, &actor, &row))
        return false;
    json_t *reply = held_json(&row);
    set_lines(reply, &(struct text){.data = (char *)row.difference, .len = strlen(row.difference)}, row.left_out);
    api_reply_versioned(r, reply, row.version);
    held_import_row_finish(&row);
    return true;
}

static bool confirm_held(struct request *r)
{
    struct actor actor;
    struct held_import_row row;
    struct source_outcome out;
    struct text problem = TEXT_INIT;
    int64_t version;
    if (!api_caller(r, &actor) || !api_if_match(r, &version) || !request_strict(r) || !find_held(r, &actor, &row))
        return false;
    struct source_import import = prepare(r, &actor);
    bool done = source_import_held(&import, &row, version, &out, &problem, &r->error);
    done = reply_import(r, done, &import, &out, &problem);
    held_import_row_finish(&row);
    return done;
}

static bool delete_held(struct request *r)
{
    struct actor actor;
    struct held_import_row row;
    int64_t version;
    if (!api_caller(r, &actor) || !api_if_match(r, &version) || !request_strict(r) || !find_held(r, &actor, &row))
        return false;
    struct source_import import = prepare(r, &actor);
    bool done = (version == row.version || refuse(r, ERROR_PRECONDITION, NULL)) &&
                source_drop_held(&import.how, &row, &r->error);
    held_import_row_finish(&row);
    return done && reply_json(r, json_object());
}

static size_t archive_bytes_max(const struct server *server)
{
    return 50u << 20;
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/imports", list_imports, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/imports", post_import, ROUTE_CALLER, RATE_WRITE, .body_max = archive_bytes_max},
    {HTTP_GET, "/_parta/v1/imports/held", list_held, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_GET, "/_parta/v1/imports/held/{held}", get_held, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/imports/held/{held}/confirm", confirm_held, ROUTE_CALLER | ROUTE_DECIDES, RATE_WRITE, NULL},
    {HTTP_DELETE, "/_parta/v1/imports/held/{held}", delete_held, ROUTE_CALLER | ROUTE_DECIDES, RATE_WRITE, NULL},
};
const struct routes API_IMPORT_ROUTES = ROUTES(TABLE);
