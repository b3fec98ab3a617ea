/* Every service of the process, wired in main. Handlers reach them as request->server. */
#ifndef PARTA_HTTP_SERVER_H
#define PARTA_HTTP_SERVER_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct config;
struct db;
struct json_t;
struct credential_kind;
struct metrics;
struct registry;
struct request;
struct contacts;
struct oidc_providers;
struct outgoing;
struct writer;
struct rooms;
struct search;
struct accounts;
struct sessions;
struct storage;
struct sliding_request_cache;
struct sync_hub;
struct sync_service;
struct jobs;
struct limits;
struct media;
struct page_hooks;
struct puller;
struct push_delivery;
struct uia;
struct user_names;
struct signing_key;

/* What the HTTP layer asks of pages (client-api/pages/page.h), of ROUTE_HTML routes. */
struct page_hooks {
    bool (*form_taken)(
        struct request *r);             /* on a worker, with r->body: a page of this server sent it. false: r->error */
    void (*refused)(struct request *r); /* fills in the reply that says r->error; any thread, must not block */
};

struct server {
    struct registry *appservices; /* appservice/registry.h */
    /* Has an application service make what it bridges, before somebody looks for it: "@user", "#alias"; blocks. NULL:
     * there are none (appservice/ask.h). */
    void (*ask_services)(struct request *r, const char *name);
    /* What the service may be told that made the user; NULL: nobody's, or there are none (appservice/explain.h). */
    struct json_t *(*explain_service)(const struct server *server, struct db *db, user_no user, room_no room);
    const struct config *config;
    struct metrics *metrics;                          /* homeserver/base/metrics.h; NULL: nobody asks */
    const struct credential_kind *const *credentials; /* homeserver/http/credentials.h; ended by NULL */
    struct writer *writer;
    struct storage *storage;  /* homeserver/store/driver/storage.h; NULL: nobody asks how the disk fares */
    struct user_names *names; /* homeserver/store/matrix/user_names.h: user number ↔ Matrix id */
    const struct signing_key *key;
    struct rooms *rooms;              /* homeserver/rooms/rooms.h */
    struct search *search;            /* homeserver/search/search.h; NULL: there is no index of words */
    struct accounts *accounts;        /* homeserver/accounts/accounts.h */
    struct contacts *contacts;        /* homeserver/accounts/contacts.h; NULL: no addresses are verified here */
    struct outgoing *outgoing;        /* homeserver/outgoing/outgoing.h */
    struct oidc_providers *providers; /* homeserver/oidc/providers.h; NULL: there are none */
    struct sessions *sessions;        /* homeserver/accounts/sessions.h */
    struct sync_hub *hub;             /* homeserver/sync/hub.h */
    struct sync_service *sync;        /* homeserver/sync/sync_service.h */
    struct push_delivery *push;       /* homeserver/push/delivery/delivery.h */
    struct limits *limits;            /* homeserver/http/limits.h */
    struct media *media;              /* homeserver/media/media.h */
    struct puller *puller;            /* policy/oneroster/puller.h */
    struct jobs *jobs;                /* homeserver/jobs/jobs.h */
    struct uia *uia;                  /* homeserver/http/uia.h */
    const struct page_hooks *pages;   /* NULL: there are no pages */

    /* homeserver/sync/sliding/request_cache.h; NULL: nothing is kept */
    struct sliding_request_cache *sliding;
};

#endif
