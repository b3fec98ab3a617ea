/* Rosters, as the operator brings them in (I4), and what was brought in. */
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
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

static int64_t read_import(struct api_listing *l, json_t **item)
{
    struct import_row row;
    struct error ignored;
    if (!imports_next(l->rows, &row))
        return 0;
    json_t *changes = json_parse(row.changes, strlen(row.changes), &ignored);
    *item =
        json_pack("{s:o, s:s, s:s, s:s, s:I, s:I, s:o}", "import", json_sprintf("%lld", (long long)row.no), "source",
                  row.source, "mode", row.mode, "author", row.author, "started_ts", (json_int_t)row.started_ms,
                  "ended_ts", (json_int_t)row.ended_ms, "changes", changes != NULL ? changes : json_object());
    return row.no;
}

static bool list_imports(struct request *r)
{
    struct api_listing l;
    return api_list_begin(&l, r, 0) && readable(r, &l.actor) &&
           api_list_end(&l, imports_page(r->db, l.after, l.limit), read_import);
}

#define DIFFERENCE_BYTES_MAX (1 << 20) /* of it in a reply */

static bool reply_outcome(struct request *r, const struct source_import *import, const struct source_outcome *out)
{
    int64_t left_out;
    json_t *reply = json_pack("{s:s, s:s, s:b, s:o}", "source", import->source, "mode", out->mode, "dry_run",
                              import->how.dry_run, "changes", roster_changes_json(&out->changes));
    if (!import->how.dry_run)
        return reply_json(r, reply);
    json_object_set_new(reply, "difference", api_lines(import->how.difference, DIFFERENCE_BYTES_MAX, &left_out));
    if (left_out != 0)
        json_object_set_new(reply, "left_out", json_integer(left_out));
    return reply_json(r, reply);
}

/* The body is the zip. An import is a transaction of its own, and a second one of the same file changes nothing: no
 * Idempotency-Key is needed. */
static bool post_import(struct request *r)
{
    struct actor actor;
    struct source_outcome out;
    struct text problem = TEXT_INIT, difference = TEXT_INIT;
    const char *source = query_get(r, "source");
    struct source_import import = {.source = source != NULL ? source : SOURCE_DEFAULT,
                                   .how = {.writer = r->server->writer,
                                           .rooms = r->server->rooms,
                                           .config = r->server->config,
                                           .db = r->db,
                                           .actor = &actor,
                                           .difference = &difference}};
    if (!api_caller(r, &actor) || !readable(r, &actor) || !query_bool(r, "dry_run", false, &import.how.dry_run))
        return false;
    if (!source_name_valid(import.source))
        return refuse(r, ERROR_INVALID_PARAM,
                      "A source is named by at most 64 letters, digits and . _ - (not school).");
    if (!import.how.dry_run)
        import.how.difference = NULL;
    bool done = source_import_archive(&import, r->raw_body, r->raw_body_len, &out, &problem, &r->error);
    if (done)
        reply_outcome(r, &import, &out);
    else if (problem.len != 0 && r->error.code == ERROR_INVALID_PARAM)
        error_set_field(&r->error, ERROR_INVALID_PARAM, "The roster is refused.", "org.parta.problem", problem.data);
    else if (r->error.code == ERROR_NONE)
        refuse(r, ERROR_UNKNOWN, NULL);
    text_finish(&problem);
    text_finish(&difference);
    return done;
}

static size_t archive_bytes_max(const struct server *server)
{
    return 50u << 20;
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/imports", list_imports, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/imports", post_import, ROUTE_CALLER, RATE_WRITE, .body_max = archive_bytes_max},
};
const struct routes API_IMPORT_ROUTES = ROUTES(TABLE);
