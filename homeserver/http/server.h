/* Every service of the process, wired in main. Handlers reach them as request->server. */
#ifndef PARTA_HTTP_SERVER_H
#define PARTA_HTTP_SERVER_H

struct config;
struct credential_kind;
struct metrics;
struct contacts;
struct outgoing;
struct writer;
struct rooms;
struct accounts;
struct sessions;
struct storage;
struct sync_hub;
struct sync_service;
struct jobs;
struct limits;
struct puller;
struct uia;
struct user_names;
struct signing_key;

struct server {
    const struct config *config;
    struct metrics *metrics;                          /* homeserver/base/metrics.h; NULL: nobody asks */
    const struct credential_kind *const *credentials; /* homeserver/http/credentials.h; ended by NULL */
    struct writer *writer;
    struct storage *storage;  /* homeserver/store/driver/storage.h; NULL: nobody asks how the disk fares */
    struct user_names *names; /* homeserver/store/matrix/user_names.h: user number ↔ Matrix id */
    const struct signing_key *key;
    struct rooms *rooms;       /* homeserver/rooms/rooms.h */
    struct accounts *accounts; /* homeserver/accounts/accounts.h */
    struct contacts *contacts; /* homeserver/accounts/contacts.h; NULL: no addresses are verified here */
    struct outgoing *outgoing; /* homeserver/outgoing/outgoing.h */
    struct sessions *sessions; /* homeserver/accounts/sessions.h */
    struct sync_hub *hub;      /* homeserver/sync/hub.h */
    struct sync_service *sync; /* homeserver/sync/sync_service.h */
    struct limits *limits;     /* homeserver/http/limits.h */
    struct puller *puller;     /* policy/oneroster/puller.h */
    struct jobs *jobs;         /* homeserver/jobs/jobs.h */
    struct uia *uia;           /* homeserver/http/uia.h */
};

#endif
