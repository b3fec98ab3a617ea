/* Where one is signed in; ending one session, or all (school.md H1). */
#include "client-api/login_common.h"
#include "client-api/pages/cookies.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/pages/routes.h"
#include "client-api/pages/view_rows.h"
#include "homeserver/accounts/devices.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/page_sessions.h"

static void add_device(void *arg, const struct device_row *row)
{
    struct sessions_devices *device = view_rows_add(arg, sizeof *device);
    device->id = view_rows_text(arg, row->device_id);
    device->name = view_rows_text(arg, row->display_name != NULL ? row->display_name : row->device_id);
    device->seen = row->last_seen_ms;
}

static bool get_sessions(struct request *r)
{
    struct view_rows devices = {0};
    devices_each(r->db, r->identity.user, add_device, &devices);
    int64_t browsers = page_sessions_count(r->db, r->identity.user, clock_wall_ms());
    bool done = html_sessions(r, &(struct sessions_view){.devices = devices.all,
                                                         .devices_n = devices.n,
                                                         .devices_count = (int64_t)devices.n,
                                                         .browsers = browsers});
    view_rows_finish(&devices);
    return done;
}

static bool show_end(struct request *r, const char *device_id)
{
    struct device_row row;
    if (device_id == NULL || !devices_get(r->db, r->identity.user, device_id, &row))
        return page_go(r, "/parta/account/sessions");
    bool done = html_session_end(
        r, &(struct session_end_view){.password = has_password(r),
                                      .factor = page_wants_factor(r),
                                      .id = row.device_id,
                                      .name = row.display_name != NULL ? row.display_name : row.device_id,
                                      .seen = row.last_seen_ms});
    device_row_finish(&row);
    return done;
}

static bool get_end(struct request *r)
{
    return show_end(r, query_get(r, "device_id"));
}

static bool post_end(struct request *r)
{
    const char *device_id;
    if (!body_string(r, "device_id", &device_id))
        return false;
    if (!page_password_proven(r) || !device_delete(r->server->accounts, r->identity.user, device_id, &r->error))
        return show_end(r, device_id);
    return page_go(r, "/parta/account/sessions?done=ended");
}

static bool post_end_all(struct request *r)
{
    if (!device_delete_all(r->server->accounts, r->identity.user, &r->error))
        return false;
    page_set_cookie(r, COOKIE_SESSION, "", -1);
    return page_go(r, "/parta/sign-in?done=ended_all");
}

#define HERE "/parta/account/sessions"
static const struct route TABLE[] = {
    {HTTP_GET, HERE, get_sessions, ROUTE_PERSONS_PAGE, RATE_NONE, NULL},
    {HTTP_GET, HERE "/end", get_end, ROUTE_PERSONS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, HERE "/end", post_end, ROUTE_PERSONS_PAGE | ROUTE_POSTS | ROUTE_HASH, RATE_WRITE, NULL, NULL,
     page_body_max},
    {HTTP_POST, HERE "/end-all", post_end_all, ROUTE_PERSONS_PAGE | ROUTE_POSTS, RATE_WRITE, NULL, NULL, page_body_max},
};
const struct routes PAGE_SESSIONS_ROUTES = ROUTES(TABLE);
