#include "tests/fuzz/whole_services.h"

#include <stdlib.h>
#include <string.h>

#include "appservice/credential.h"
#include "appservice/names.h"
#include "appservice/registry.h"
#include "appservice/routes.h"
#include "client-api/pages/page.h"
#include "client-api/routes.h"
#include "homeserver/http/credentials.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/push/delivery/delivery.h"
#include "homeserver/rooms/acts/leave_all.h"
#include "homeserver/sync/fast_path.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/sliding/request_cache.h"
#include "homeserver/sync/sync_service.h"
#include "policy/api/operator_credential.h"
#include "policy/api/routes.h"
#include "policy/privacy/erasure.h"
#include "policy/school_rooms/documents.h"
#include "tests/fuzz/whole_request.h"

static struct appservices *read_registrations(const char *const *registrations, size_t n)
{
    static const struct registration_place PLACE = {"school.example", true};
    struct appservices *set = xcalloc(1, sizeof *set);
    struct text problem = TEXT_INIT;
    set->refs = 1;
    set->n = n;
    set->all = xcalloc(n + 1, sizeof *set->all);
    set->files = xcalloc(n + 1, sizeof *set->files);
    for (size_t i = 0; i < n; ++i) {
        set->all[i] = registration_parse("f", registrations[i], strlen(registrations[i]), &PLACE, &problem);
        set->files[i] = xstrdup("f");
        must_hold(set->all[i] != NULL, problem.data);
    }
    text_finish(&problem);
    return set;
}

static void stop(void)
{
    sync_service_stop(whole_server.sync);
    push_delivery_stop(whole_server.push);
    outgoing_destroy(whole_server.outgoing);
}

/* As main has it. */
static void start_sync(struct server *s)
{
    s->hub = hub_create(writer_pos(s->writer));
    s->sync = sync_service_create(&(struct sync_service_settings){.writer = s->writer,
                                                                  .rooms = s->rooms,
                                                                  .names = s->names,
                                                                  .hub = s->hub,
                                                                  .key = s->key,
                                                                  .server_name = s->config->server_name,
                                                                  .presence = true});
    must(s->sync != NULL);
    sections_add(s->sync);
    fast_path_start(s->sync);
    s->sliding = sliding_request_cache_create();
}

void whole_serve(const char *const *registrations, size_t n)
{
    static const struct credential_kind *const CREDENTIALS[] = {&OPERATOR_CREDENTIAL, &APPSERVICE_CREDENTIAL,
                                                                &PAGE_CREDENTIAL, &SESSION_CREDENTIAL, NULL};
    struct server *s = &whole_server;
    s->credentials = CREDENTIALS;
    s->appservices = registry_create(read_registrations(registrations, n));
    s->accounts->hooks = (struct accounts_hooks){.self = s->rooms,
                                                 .leave_all = leave_all,
                                                 .erase = erasure_of_deactivated,
                                                 .signed_in = documents_ensure,
                                                 .exclusive = names_exclusive,
                                                 .in_namespace = names_in_namespace,
                                                 .of_services = s->appservices};
    names_make_senders(s->appservices, s->accounts);
    start_sync(s);
    s->outgoing = outgoing_create(NULL);
    s->push = push_delivery_start(&(struct push_delivery_settings){.config = s->config,
                                                                   .writer = s->writer,
                                                                   .outgoing = s->outgoing,
                                                                   .names = s->names,
                                                                   .unread = s->sync->unread});
    must(s->push != NULL);
    atexit(stop); /* before what whole_start stops */
}

/* --- Routes --- */

static void add_all(struct whole_tables *out, const struct routes *const *all, size_t n, const struct routes *but)
{
    static const struct routes *kept[256];
    static size_t n_kept;
    size_t first = n_kept;
    for (size_t i = 0; i < n; ++i)
        if (all[i] != but)
            kept[n_kept++] = all[i];
    *out = (struct whole_tables){&kept[first], n_kept - first};
}

void whole_client_tables(struct whole_tables *out)
{
    add_all(out, CLIENT_API_ROUTES, CLIENT_API_ROUTES_COUNT, &MEDIA_ROUTES);
}

void whole_school_tables(struct whole_tables *out)
{
    add_all(out, SCHOOL_API_ROUTES, SCHOOL_API_ROUTES_COUNT, &API_IMPORT_ROUTES);
}

void whole_service_tables(struct whole_tables *out)
{
    add_all(out, APPSERVICE_ROUTES, APPSERVICE_ROUTES_COUNT, NULL);
}
