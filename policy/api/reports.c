/* Reports, as the office reads and reconciles them (F5). */
#include <limits.h>
#include <string.h>

#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/api/signup_json.h"
#include "policy/reports/reports.h"

/* D9: without who dealt with it, if that is somebody from whom the caller is kept. */
static json_t *seen(struct request *r, const struct report_row *row)
{
    json_t *report = report_json(r->db, rooms_settings(r->server->rooms)->server_name, row);
    json_object_del(report, "handled_by");
    api_set_actor(r, r->db, report, "handled_by", row->handled_by);
    return report;
}

static void read_report(struct api_listing *l, struct api_row *out)
{
    const struct rooms_settings *settings = rooms_settings(l->r->server->rooms);
    struct report_row row;
    struct error ignored;
    if (!reports_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = row.reporter;
    out->about[1] = row.accused;
    if (report_may_read(l->r->db, settings->school_mode, &l->actor, &row, &ignored))
        out->item = seen(l->r, &row);
}

/* ?school=…&state=open. What the caller may not read is not there. */
static bool list_reports(struct request *r)
{
    struct api_listing l;
    const char *state = query_get(r, "state");
    if (!api_list_begin(&l, r, LIST_BY_SCHOOL))
        return false;
    if (state != NULL && strcmp(state, "open") != 0)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "state", "state is open, or not given.");
    if (!signup_json_list_known(r, &l.actor, &l.school))
        return api_list_reply(r, json_array());
    return api_list_end(&l, reports_list(r->db, l.school, state != NULL, l.after, INT_MAX), read_report);
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
        report = seen(r, &row);
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
    {HTTP_POST, "/_parta/v1/reports/{report}/close", close_report, ROUTE_CALLER | ROUTE_BODY | ROUTE_DECIDES,
     RATE_WRITE, NULL},
};
const struct routes API_REPORT_ROUTES = ROUTES(TABLE);
