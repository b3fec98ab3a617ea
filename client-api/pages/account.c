/* My account: who I am here, what I must know, what I have applied for, my family; from where the other pages lead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"
#include "client-api/pages/view_rows.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/oidc/providers.h"
#include "homeserver/store/matrix/identities.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/viewer.h"
#include "policy/api/api.h"
#include "policy/api/signup_json.h"

#define CLASSES_MAX 500

static size_t items(const json_t *me, const char *key, const json_t **out)
{
    *out = json_object_get(me, key);
    return json_array_size(*out);
}

static enum word named(const char *group, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%.40s", group, name != NULL ? name : "");
    return word_named(key);
}

/* Arrays of the view, from the lists that GET /_parta/v1/me tells. Heap, but for what they point to. */
static void fill_applications(const json_t *me, struct account_view *view)
{
    const json_t *list;
    size_t n = items(me, "applications", &list);
    struct account_applications *rows = xcalloc(n + 1, sizeof *rows);
    for (size_t i = 0; i < n; ++i) {
        const json_t *one = json_array_get(list, i);
        const char *state = json_get_string(one, "state"), *class_title = json_get_string(one, "class_title");
        rows[i] = (struct account_applications){.no = json_get_string(one, "application"),
                                                .kind = named("application", json_get_string(one, "kind")),
                                                .role = named("role", json_get_string(one, "role")),
                                                .place = class_title != NULL ? class_title
                                                                             : json_get_string(one, "school_name"),
                                                .state = named("application", state),
                                                .reason = json_get_string(one, "reason"),
                                                .open = strcmp(state, "waiting") == 0 || strcmp(state, "begun") == 0};
    }
    view->applications = rows;
    view->applications_n = n;
}

static void fill_notices(const json_t *me, struct account_view *view)
{
    const json_t *list;
    size_t n = items(me, "notices", &list);
    struct account_notices *rows = xcalloc(n + 1, sizeof *rows);
    for (size_t i = 0; i < n; ++i)
        rows[i] = (struct account_notices){.ru = json_get_string(json_array_get(list, i), "ru"),
                                           .en = json_get_string(json_array_get(list, i), "en")};
    view->notices = rows;
    view->notices_n = n;
}

static void fill_family(const json_t *me, struct account_view *view)
{
    const json_t *guardians, *children;
    view->guardians_n = items(me, "guardians", &guardians);
    view->children_n = items(me, "children", &children);
    struct account_guardians *g = xcalloc(view->guardians_n + 1, sizeof *g);
    struct account_children *c = xcalloc(view->children_n + 1, sizeof *c);
    for (size_t i = 0; i < view->guardians_n; ++i)
        g[i].name = json_get_string(json_array_get(guardians, i), "name");
    for (size_t i = 0; i < view->children_n; ++i)
        c[i] = (struct account_children){.id = json_get_string(json_array_get(children, i), "user_id"),
                                         .name = json_get_string(json_array_get(children, i), "name")};
    view->guardians = g;
    view->children = c;
}

static bool has_role(const json_t *me, unsigned roles)
{
    const json_t *list;
    bool has = false;
    for (size_t i = 0, n = items(me, "roles", &list); i < n; ++i)
        has = has || (school_role_from(json_get_string(json_array_get(list, i), "role")) & roles) != 0;
    return has;
}

/* Whose sheets they print. */
static void find_classes(struct request *r, const json_t *me, struct view_rows *classes)
{
    struct actor actor;
    struct class_row row;
    if (!has_role(me, ROLE_CLASS_TEACHER | ROLES_LEADING) || !api_caller(r, &actor))
        return;
    const struct viewer viewer = viewer_of(r->identity.user);
    struct stmt *q = classes_page(r->db, &viewer, 0, 0, CLASSES_MAX);
    while (classes_next(q, &row))
        if (!row.ended && row.homeroom &&
            api_shows(r, &actor, ACT_RECORDS_READ, &(struct subject){row.school, row.no})) {
            struct account_classes *class = view_rows_add(classes, sizeof *class);
            class->id = view_rows_text(classes, row.sourced_id);
            class->title = view_rows_text(classes, row.title);
        }
    stmt_end(q);
}

static bool get_account(struct request *r)
{
    json_t *me = caller_is_person(r, true) ? signup_json_me(r) : NULL;
    if (me == NULL)
        return false;
    const char *name = json_get_string(me, "name");
    struct view_rows classes = {0};
    struct account_view view = {.name = name,
                                .user_id = r->identity.user_id,
                                .server = r->server->config->server_name,
                                .pending = r->identity.state == ACCOUNT_PENDING, /* A3: of the rest, nothing */
                                .may_link = has_role(me, ROLE_PUPIL),            /* D1 */
                                .providers = (r->server->providers != NULL && r->server->providers->n > 0) ||
                                             identities_any(r->db, r->identity.user),
                                .russian = page_language(r) == LANGUAGE_RU};
    fill_notices(me, &view);
    fill_applications(me, &view);
    fill_family(me, &view);
    find_classes(r, me, &classes);
    view.classes = classes.all;
    view.classes_n = classes.n;
    bool done = html_account(r, &view);
    free((void *)view.notices);
    free((void *)view.applications);
    free((void *)view.guardians);
    free((void *)view.children);
    view_rows_finish(&classes);
    json_decref(me);
    return done;
}

static const struct route TABLE[] = {
    {HTTP_GET, "/parta/account", get_account, ROUTE_PENDING_TOO, RATE_READ, NULL},
};
const struct routes PAGE_ACCOUNT_ROUTES = ROUTES(TABLE);
