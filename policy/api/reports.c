/* Reports, as the office reads and reconciles them (F5). */
#include <limits.h>

#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "policy/api/api.h"
#include "policy/api/routes.h"
#include "policy/api/signup_json.h"
#include "policy/reports/reports.h"

/* ?school=…&state=open. What the caller may not read is not there. */
static bool list_reports(struct request *r)
{
    const struct rooms_settings *settings = rooms_settings(r->server->rooms);
    const char *school_id = query_get(r, "school"), *state = query_get(r, "state");
    struct actor actor;
    struct api_page page;
    struct report_row row;
    struct error ignored;
    if (!api_caller(r, &actor) || !api_page(r, &page))
        return false;
    school_no school = school_id != NULL ? api_school(r, r->db, school_id, &r->error) : 0;
    if (school_id != NULL && school == 0)
        return false;
    json_t *items = json_array();
    int64_t last = 0;
    if (!signup_json_list_known(r, &actor, &school))
        return api_reply_list(r, items, 0);
    /* A page is full of what the caller may read: how many other reports there are is nobody's business (A1). */
    struct stmt *q = reports_list(r->db, school, state != NULL && *state == 'o', page.after, INT_MAX);
    while ((int)json_array_size(items) < page.limit && reports_next(q, &row))
        if (report_may_read(r->db, settings->school_mode, &actor, &row, &ignored)) {
            json_array_append_new(items, report_json(r->db, settings->server_name, &row));
            last = row.no;
        }
    stmt_end(q);
    return api_reply_list(r, items, (int)json_array_size(items) == page.limit ? last : 0);
}

static bool get_report(struct request *r)
{
    const struct rooms_settings *settings = rooms_settings(r->server->rooms);
    struct actor actor;
    struct report_row row;
    struct error ignored;
    json_t *report = NULL;
    int64_t version = 0;
    if (!api_caller(r, &actor))
        return false;
    struct stmt *q = reports_get(r->db, api_number(r->params[0]));
    if (reports_next(q, &row) && report_may_read(r->db, settings->school_mode, &actor, &row, &ignored)) {
        report = report_json(r->db, settings->server_name, &row);
        version = row.version;
    }
    stmt_end(q);
    return report != NULL ? api_reply_versioned(r, report, version)
                          : refuse(r, ERROR_NOT_FOUND, "There is no such report.");
}

static bool act_close(struct api_act *act, void *state)
{
    const char *resolution = state;
    return report_close(&act->records, api_number(act->r->params[0]), resolution, act->if_version);
}

static bool close_report(struct request *r)
{
    const char *resolution;
    return body_string(r, "resolution", &resolution) && api_write(r, act_close, (void *)resolution);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/reports", list_reports, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_GET, "/_parta/v1/reports/{report}", get_report, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/reports/{report}/close", close_report, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
};
const struct routes API_REPORT_ROUTES = ROUTES(TABLE);
