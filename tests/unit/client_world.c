#include "tests/unit/client_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client-api/routes.h"
#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/profile.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/base/metrics.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/http.h"
#include "homeserver/http/uia.h"
#include "homeserver/outgoing/curl_library.h"
#include "homeserver/sync/fast_path.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/sync_service.h"

/* --- The server --- */

static bool profile_changed(void *self, struct tx *tx, user_no user, struct error *e)
{
    membership_profile_changed(self, tx, user, user);
    return true;
}

static void configure(struct client_world *w, const char *more)
{
    struct text yaml = TEXT_INIT, problem = TEXT_INIT;
    text_addf(&yaml, "server_name: school.example\npasswords: {ops: 1, memory_kib: 8}\n%s", more);
    if (!config_parse("test", yaml.data, yaml.len, &w->config, &problem))
        fail_msg("%s", problem.data);
    text_finish(&yaml);
}

static void start_sync(struct client_world *w)
{
    w->server.metrics = metrics_create();
    w->server.sync = sync_service_create(&(struct sync_service_settings){
        .writer = w->f.writer,
        .rooms = w->f.rooms,
        .names = w->f.names,
        .hub = w->server.hub,
        .key = &w->f.key,
        .server_name = "school.example",
    });
    sections_add(w->server.sync);
    fast_path_start(w->server.sync);
}

void client_world_start(struct client_world *w, const struct client_world_settings *settings)
{
    static const struct http_listen LISTEN[] = {{"127.0.0.1", 0, false}};
    static const struct limit NONE[RATE__COUNT] = {{0}};
    static const struct credential_kind *const CREDENTIALS[] = {&SESSION_CREDENTIAL, NULL};
    *w = (struct client_world){0};
    fixture_start(&w->f);
    configure(w, settings->yaml);
    w->server = (struct server){
        .credentials = CREDENTIALS,
        .config = w->config,
        .writer = w->f.writer,
        .names = w->f.names,
        .key = &w->f.key,
        .rooms = w->f.rooms,
        .accounts = accounts_create(w->config, w->f.writer, w->f.names),
        .sessions = sessions_create("school.example", 1000),
        .hub = hub_create(writer_pos(w->f.writer)),
        .limits = limits_create(settings->limits != NULL ? settings->limits : NONE, 1000),
        .uia = uia_create(100),
    };
    w->server.accounts->hooks = (struct accounts_hooks){.self = w->f.rooms, .profile_changed = profile_changed};
    if (settings->syncs)
        start_sync(w);
    sessions_set_writer(w->server.sessions, w->f.writer);
    writer_observe(w->f.writer, sessions_observe, w->server.sessions);
    writer_observe(w->f.writer, hub_observe, w->server.hub);
    const struct http_settings http = {
        .listen = LISTEN, .n_listen = 1, .loops = 1, .workers = settings->workers, .hashers = 1, .db_path = w->f.path};
    w->http = http_start(&http, &w->server, CLIENT_API_ROUTES, CLIENT_API_ROUTES_COUNT);
    assert_non_null(w->http);
    assert_true(curl_library_load());
    w->curl = curl_easy_init();
}

void client_world_stop(struct client_world *w)
{
    curl_easy_cleanup(w->curl);
    json_decref(w->reply);
    text_finish(&w->head);
    http_stop(w->http);
    http_destroy(w->http);
    if (w->server.sync != NULL)
        sync_service_stop(w->server.sync);
    accounts_destroy(w->server.accounts);
    limits_destroy(w->server.limits);
    uia_destroy(w->server.uia);
    fixture_stop(&w->f);
    if (w->server.sync != NULL) {
        sync_service_destroy(w->server.sync);
        metrics_destroy(w->server.metrics);
    }
    hub_destroy(w->server.hub);
    sessions_destroy(w->server.sessions);
    config_free(w->config);
}

/* --- A client --- */

long client_ask_by(const struct client_world *w, CURL *curl, const struct client_request *request, json_t **reply,
                   struct text *head)
{
    struct text bytes = TEXT_INIT;
    struct error e;
    long status = client_request_send(curl, http_port(w->http, 0), request, &bytes, head);
    *reply = json_parse(bytes.data != NULL ? bytes.data : "", bytes.len, &e);
    if (*reply == NULL)
        *reply = json_stringn(bytes.data != NULL ? bytes.data : "", bytes.len);
    text_finish(&bytes);
    return status;
}

long client_ask(struct client_world *w, const struct client_request *request)
{
    json_decref(w->reply);
    text_clear(&w->head);
    long status = client_ask_by(w, w->curl, request, &w->reply, &w->head);
    assert_non_null(w->reply);
    return status;
}

void client_expect(struct client_world *w, const struct client_request *request, long status, const char *errcode)
{
    long got = client_ask(w, request);
    const char *code = json_get_string(w->reply, "errcode");
    if (got != status || strcmp(code != NULL ? code : "", errcode) != 0)
        fail_msg("%s %s %.300s: wanted %ld %s, got %ld %s", request->method, request->path,
                 request->body != NULL ? request->body : "", status, errcode, got, json_dumps(w->reply, 0));
}
