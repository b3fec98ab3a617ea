/* partad: the whole server. Reads the configuration, wires the services (docs/architecture.md), runs until SIGTERM. */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "appservice/ask.h"
#include "appservice/credential.h"
#include "appservice/explain.h"
#include "appservice/names.h"
#include "appservice/registry.h"
#include "appservice/routes.h"
#include "appservice/takeover.h"
#include "appservice/transactions.h"
#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"
#include "client-api/routes.h"
#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/contacts.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/keyfile.h"
#include "homeserver/base/lock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/cli/control.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/http.h"
#include "homeserver/http/server.h"
#include "homeserver/http/uia.h"
#include "homeserver/mail/post.h"
#include "homeserver/media/access.h"
#include "homeserver/media/files.h"
#include "homeserver/media/media.h"
#include "homeserver/media/previews.h"
#include "homeserver/media/thumbnails.h"
#include "homeserver/media/upkeep.h"
#include "homeserver/oidc/providers.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/rooms/acts/leave_all.h"
#include "homeserver/rooms/events/delayed_messages.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/jobs/idle_memory.h"
#include "homeserver/jobs/jobs.h"
#include "homeserver/jobs/prune.h"
#include "homeserver/jobs/storage_check.h"
#include "homeserver/store/driver/storage.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/push/delivery/delivery.h"
#include "homeserver/search/search.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/fast_path.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/sliding/request_cache.h"
#include "homeserver/sync/sync_service.h"
#include "policy/api/operator_credential.h"
#include "policy/api/routes.h"
#include "policy/audit/audit.h"
#include "policy/school_rooms/documents.h"
#include "policy/school_rooms/urgent.h"
#include "policy/privacy/erasure.h"
#include "policy/oneroster/puller.h"
#include "policy/records/day_change.h"
#include "policy/signup/guardian_told.h"
#include "policy/signup/link_letters.h"

#define FIRST_MS 100                     /* what need not be done before people are served is begun so much later */
#define ERASE_STEPS 100                  /* a run */
#define LINK_LETTERS_LOOK_MS (10 * 1000) /* what the command line has made */
#define SESSIONS_CACHED 50000
#define UIA_SESSIONS_MAX 10000
#define RATE_BUCKETS_MAX 100000
#define OUTGOING_GRACE_MS 3000 /* for what is on its way when the server stops */

/* Everything that lives as long as the process, in the order in which it starts; it stops in reverse. */
struct app {
    const char *config_path;
    struct config *config;
    int lock; /* on the data directory */
    struct signing_key key;
    struct server server;
    struct audit_log *audit_log;
    struct storage_check storage_check;
    struct media media;
    struct media_upkeep media_upkeep;
    struct post *post; /* mail and SMS */
    struct link_letters link_letters;
    struct guardians_told guardians_told;
    struct transactions *transactions; /* to application services */
    struct takeover takeover;          /* of their registrations */
    struct http *http;
    struct control *control; /* NULL: parta can't act while this runs */
    struct idle_memory idle_memory;
};

static bool complain(struct text *problem)
{
    log_error("start", "%s", problem->data);
    text_finish(problem);
    return false;
}

static bool start_crypto(struct app *app)
{
    return crypto_start();
}

static bool load_config(struct app *app)
{
    struct text problem = TEXT_INIT;
    if (!config_load(app->config_path, &app->config, &problem))
        return complain(&problem);
    log_set_level(app->config->log.level);
    app->server.config = app->config;
    app->server.metrics = metrics_create();
    if (app->config->policy.mode == POLICY_OPEN)
        log_warn("start", "policy.mode is open: a plain homeserver, the school's rules are OFF");
    if (app->config->oauth.enabled && config_oauth_obstacle(app->config) != NULL)
        log_warn("start", "sign-in by OAuth 2.0 is not offered, only by password: %s",
                 config_oauth_obstacle(app->config));
    return true;
}

static bool take_data_dir(struct app *app)
{
    if (mkdir(app->config->data_dir, 0700) != 0 && access(app->config->data_dir, W_OK) != 0) {
        log_error("start", "%s cannot be written", app->config->data_dir);
        return false;
    }
    struct text owner = TEXT_INIT;
    bool own = lock_folder_is_own(app->config->data_dir, &owner);
    if (!own)
        log_error("start", "%s belongs to the user %s: start this as that user, or by systemctl start parta",
                  app->config->data_dir, owner.data);
    text_finish(&owner);
    app->lock = own ? lock_take(app->config->lock_path) : -2;
    if (app->lock == -1)
        log_error("start", "%s is in use by another partad or parta", app->config->data_dir);
    return app->lock >= 0;
}

static bool load_key(struct app *app)
{
    struct text problem = TEXT_INIT;
    if (!keyfile_load(app->config->signing_key_path, app->config->database_path, &app->key, &problem))
        return complain(&problem);
    app->server.key = &app->key;
    return true;
}

static bool start_writer(struct app *app)
{
    app->server.storage = storage_create();
    struct db_options options = {.durable = app->config->storage.durable,
                                 .cache_kib = app->config->storage.cache_kib,
                                 .storage = app->server.storage};
    app->server.writer = writer_start(app->config->database_path, &options);
    app->audit_log =
        app->server.writer != NULL ? audit_log_start(app->server.writer, &app->key, app->config->server_name) : NULL;
    if (app->audit_log == NULL || !users_check_server(app->server.writer, app->config->server_name))
        return false;
    writer_metrics(app->server.writer, app->server.metrics);
    storage_metrics(app->server.storage, app->server.metrics);
    app->storage_check = (struct storage_check){.writer = app->server.writer,
                                                .storage = app->server.storage,
                                                .db_path = app->config->database_path,
                                                .copy_path = app->config->copy_path};
    struct error e;
    return writer_begin_incarnation(app->server.writer, &e);
}

static bool profile_changed(void *self, struct tx *tx, user_no user, struct error *e)
{
    membership_profile_changed(self, tx, user, user);
    return true;
}

static void make_limits(struct app *app)
{
    const struct config *c = app->config;
    const struct rate_limit *from[RATE__COUNT] = {[RATE_READ] = &c->rate_limits.read,
                                                  [RATE_WRITE] = &c->rate_limits.write,
                                                  [RATE_MESSAGE] = &c->rate_limits.message,
                                                  [RATE_ROOM] = &c->rate_limits.room,
                                                  [RATE_LOGIN] = &c->rate_limits.login,
                                                  [RATE_ACCOUNT] = &c->rate_limits.account,
                                                  [RATE_REGISTER] = &c->rate_limits.registration,
                                                  [RATE_CODES] = &c->rate_limits.codes,
                                                  [RATE_APPSERVICE] = &c->rate_limits.appservice,
                                                  [RATE_OPERATOR] = &c->rate_limits.operator, };
    struct limit classes[RATE__COUNT] = {0};
    for (int i = 0; i < RATE__COUNT; ++i)
        if (from[i] != NULL)
            classes[i] = (struct limit){from[i]->per_second, from[i]->burst};
    app->server.limits = limits_create(classes, RATE_BUCKETS_MAX);
}

static bool read_appservices(struct app *app)
{
    struct text problem = TEXT_INIT;
    struct appservices *set = appservices_load(app->config, &problem);
    if (set == NULL)
        return complain(&problem);
    app->server.appservices = registry_create(set);
    app->server.ask_services = ask_for_missing;
    app->server.explain_service = appservice_explain;
    return true;
}

static bool read_providers(struct app *app)
{
    struct text problem = TEXT_INIT;
    app->server.providers = oidc_providers_load(app->config->oidc.providers, &problem);
    return app->server.providers != NULL || complain(&problem);
}

static bool make_services(struct app *app)
{
    static const struct credential_kind *const CREDENTIALS[] = {&OPERATOR_CREDENTIAL, &APPSERVICE_CREDENTIAL,
                                                                &PAGE_CREDENTIAL, &SESSION_CREDENTIAL, NULL};
    struct server *s = &app->server;
    const struct config *c = app->config;
    s->names = user_names_create(c->server_name);
    s->credentials = CREDENTIALS;
    s->pages = &PAGE_HOOKS;
    s->sessions = sessions_create(c->server_name, SESSIONS_CACHED);
    sessions_set_writer(s->sessions, s->writer);
    s->hub = hub_create(writer_pos(s->writer));
    s->rooms = rooms_create(&(struct rooms_settings){
        .server_name = c->server_name,
        .key = s->key,
        .names = s->names,
        .default_version = c->rooms.default_version,
        .school_mode = c->policy.mode == POLICY_SCHOOL,
        .alias_taken = names_alias_taken,
        .of_services = s->appservices,
    });
    rooms_add_hook(s->rooms, urgent_note, s->rooms);
    rooms_add_hook(s->rooms, media_note, s->rooms);
    s->sync = sync_service_create(&(struct sync_service_settings){
        .writer = s->writer,
        .rooms = s->rooms,
        .names = s->names,
        .hub = s->hub,
        .key = s->key,
        .server_name = c->server_name,
        .presence = c->presence.enabled,
    });
    if (s->sync == NULL)
        return false;
    s->sliding = sliding_request_cache_create();
    sections_add(s->sync);
    fast_path_start(s->sync);
    s->accounts = accounts_create(c, s->writer, s->names);
    s->accounts->key = &app->key;
    s->accounts->hooks = (struct accounts_hooks){
        .self = s->rooms,
        .profile_changed = profile_changed,
        .leave_all = leave_all,
        .erase = erasure_of_deactivated,
        .signed_in = documents_ensure,
        .exclusive = names_exclusive,
        .in_namespace = names_in_namespace,
        .of_services = s->appservices,
    };
    s->uia = uia_create(UIA_SESSIONS_MAX);
    uia_metrics(s->uia, s->metrics);
    make_limits(app);
    writer_observe(s->writer, sessions_observe, s->sessions);
    if (s->sync->presence != NULL)
        writer_observe(s->writer, presence_observe, s->sync->presence);
    writer_observe(s->writer, hub_observe, s->hub);
    return true;
}

/* The path of a program in the folder of this one; heap, NULL: it is not known. */
static char *beside_us(const char *name)
{
    char path[4096];
    struct text out = TEXT_INIT;
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    while (len > 0 && path[len - 1] != '/')
        --len;
    if (len <= 0)
        return NULL;
    text_add(&out, path, (size_t)len);
    text_adds(&out, name);
    return text_take(&out);
}

static bool start_appservices(struct app *app)
{
    struct server *s = &app->server;
    app->transactions = transactions_start(&(struct transactions_settings){.config = app->config,
                                                                           .writer = s->writer,
                                                                           .outgoing = s->outgoing,
                                                                           .names = s->names,
                                                                           .sync = s->sync,
                                                                           .registry = s->appservices});
    if (app->transactions == NULL)
        return false;
    writer_observe(s->writer, transactions_observe, app->transactions);
    transactions_metrics(app->transactions, s->metrics);
    app->takeover = (struct takeover){.config = app->config,
                                      .registry = s->appservices,
                                      .accounts = s->accounts,
                                      .transactions = app->transactions,
                                      .writer = s->writer,
                                      .key = s->key};
    return takeover_begin(&app->takeover);
}

static bool open_media(struct app *app)
{
    const struct config *c = app->config;
    app->media = (struct media){.files = media_files_open(c->media_path),
                                .writer = app->server.writer,
                                .server_name = c->server_name,
                                .scanner = c->media.scanner,
                                .unscanned = c->media.unscanned,
                                .school_mode = c->policy.mode == POLICY_SCHOOL};
    char *program = beside_us("parta-thumbnail");
    if (app->media.files != NULL)
        app->media.thumbnails = thumbnails_create(app->media.files, program);
    free(program);
    app->media_upkeep = (struct media_upkeep){.media = &app->media};
    app->server.media = &app->media;
    return app->media.files != NULL;
}

static bool start_post(struct app *app)
{
    struct server *s = &app->server;
    struct text problem = TEXT_INIT;
    s->outgoing = outgoing_create(NULL);
    outgoing_metrics(s->outgoing, s->metrics);
    oidc_providers_start(s->providers, s->outgoing, &app->key, http_workers(app->config->threads.workers), NULL);
    if (app->config->media.previews)
        app->media.previews = previews_create(s->outgoing, OUTGOING_PUBLIC);
    app->post = post_create(app->config, s->outgoing, &problem);
    if (app->post == NULL)
        return complain(&problem);
    s->contacts = contacts_create(&(struct contacts_settings){
        .config = app->config,
        .writer = s->writer,
        .post = app->post,
        .offers = {[POST_MAIL] = post_offers(app->post, POST_MAIL), [POST_SMS] = post_offers(app->post, POST_SMS)},
        .send = post_send,
    });
    app->link_letters = (struct link_letters){
        .config = app->config, .writer = s->writer, .jobs = &s->jobs, .post = app->post, .send = post_send};
    return true;
}

static bool start_push(struct app *app)
{
    struct server *s = &app->server;
    s->push = push_delivery_start(
        &(struct push_delivery_settings){.config = app->config,
                                         .writer = s->writer,
                                         .outgoing = s->outgoing,
                                         .names = s->names,
                                         .unread = s->sync->unread,
                                         .send = post_offers(app->post, POST_MAIL) ? post_send : NULL,
                                         .post = app->post});
    if (s->push == NULL)
        return false;
    writer_observe(s->writer, push_delivery_observe, s->push);
    push_delivery_metrics(s->push, s->metrics);
    return true;
}

/* Without its index the server does everything but search. */
static bool start_search(struct app *app)
{
    struct server *s = &app->server;
    s->search = search_start(&(struct search_settings){
        .path = app->config->search_path, .writer = s->writer, .first_ms = clock_mono_ms() + FIRST_MS});
    if (s->search == NULL)
        return true;
    writer_observe(s->writer, search_observe, s->search);
    search_metrics(s->search, s->metrics);
    return true;
}

/* --- Jobs: what the server does by itself --- */

static enum job_outcome run_delayed_messages(void *arg, const _Atomic bool *stop)
{
    const struct server *s = arg;
    const struct held_dropped dropped = {s->rooms, documents_tell_dropped};
    delayed_messages_deliver(s->writer, s->rooms, &dropped, clock_wall_ms(), stop);
    return JOB_DONE;
}

static bool job_day(struct tx *tx, void *arg, struct error *e)
{
    const struct server *s = arg;
    return day_change(tx, s->rooms, s->config, NULL, e);
}

static enum job_outcome run_day(void *arg, const _Atomic bool *stop)
{
    const struct server *s = arg;
    struct error e;
    if (writer_run(s->writer, job_day, (void *)s, &e))
        return JOB_DONE;
    log_error("jobs", "what today's date changes could not be done: %s", error_sentence(&e));
    return JOB_FAILED;
}

static enum job_outcome run_erasures(void *arg, const _Atomic bool *stop)
{
    const struct server *s = arg;
    for (int i = 0; i < ERASE_STEPS && !*stop; ++i)
        if (!erasure_step(s->writer, s->rooms)) {
            erasure_scrub(s->writer, s->search,
                          clock_wall_ms()); /* what cannot be done now is tried again in a minute */
            return JOB_DONE;
        }
    return JOB_MORE;
}

static enum job_outcome run_prune(void *arg, const _Atomic bool *stop)
{
    const struct server *s = arg;
    bool more;
    prune_run(s->writer, &more);
    return more ? JOB_MORE : JOB_DONE;
}

static enum job_outcome run_contacts(void *arg, const _Atomic bool *stop)
{
    const struct server *s = arg;
    contacts_upkeep(s->contacts);
    return JOB_DONE;
}

static enum job_outcome run_storage(void *arg, const _Atomic bool *stop)
{
    struct app *app = arg;
    bool suspect;
    enum job_outcome outcome = storage_probe(&app->storage_check, &suspect);
    if (suspect)
        jobs_poke(app->server.jobs, "verify");
    return outcome;
}

static enum job_outcome run_verify(void *arg, const _Atomic bool *stop)
{
    return storage_verify(arg);
}

static enum job_outcome run_push(void *arg, const _Atomic bool *stop)
{
    const struct server *s = arg;
    return push_delivery_run(s->push) ? JOB_MORE : JOB_DONE;
}

static bool start_jobs(struct app *app)
{
    struct server *s = &app->server;
    app->guardians_told = (struct guardians_told){s->writer, s->rooms};
    const struct job_row rows[] = {
        /* name, first run after, period, thread of its own, function */
        {"delayed", FIRST_MS, MINUTE_MS, false, run_delayed_messages, s}, /* held in quiet hours (school.md F3) */
        {"day-change", FIRST_MS, MINUTE_MS, false, run_day, s},           /* dates that have come (E7) */
        {"storage", FIRST_MS, STORAGE_LOOK_MS, false, run_storage, app},
        {"verify", STORAGE_VERIFY_FIRST_MS, app->config->storage.verify_hours * HOUR_MS, true, run_verify,
         &app->storage_check},
        {"push", PUSH_LOOK_MS, PUSH_LOOK_MS, false, run_push, s}, /* held in quiet hours (school.md F3), and counts */
        {"seen", SEEN_WRITE_MS, SEEN_WRITE_MS, false, sessions_write_seen, s->sessions},
        {"prune", HOUR_MS, HOUR_MS, false, run_prune, s},
        {"contacts", HOUR_MS, HOUR_MS, false, run_contacts, s},
        {"erasures", FIRST_MS, MINUTE_MS, true, run_erasures,
         s}, /* that are under way (G4): all that somebody ever wrote */
        {LINK_LETTERS_JOB, FIRST_MS, LINK_LETTERS_LOOK_MS, false, link_letters_run, &app->link_letters},
        {"guardians-told", FIRST_MS, GUARDIANS_TOLD_LOOK_MS, false, guardians_told_run, &app->guardians_told},
        {"idle-memory", IDLE_MEMORY_PERIOD_MS, IDLE_MEMORY_PERIOD_MS, false, idle_memory_run, &app->idle_memory},
        {"media", FIRST_MS, MINUTE_MS, true, media_upkeep_run, &app->media_upkeep},
        {"roster-held", FIRST_MS, PULLER_LOOK_MS, false, puller_look, s->puller},
        {"roster-pull", PULLER_FIRST_MS, app->config->roster.interval_s * 1000, true, puller_run, s->puller},
    };
    size_t n = sizeof rows / sizeof *rows;
    s->jobs = jobs_start(rows, app->config->roster.interval_s != 0 ? n : n - 1);
    jobs_metrics(s->jobs, s->metrics);
    return s->jobs != NULL;
}

static bool make_puller(struct app *app)
{
    struct server *s = &app->server;
    s->puller = puller_create(app->config, s->writer, s->rooms, s->outgoing);
    puller_metrics(s->puller, s->metrics);
    return true;
}

static bool start_http(struct app *app)
{
    const struct config *c = app->config;
    struct http_listen listen[2], metrics = {c->metrics.address, c->metrics.port, false};
    size_t n = 0;
    if (c->listen.port != 0)
        listen[n++] = (struct http_listen){c->listen.address, c->listen.port, false};
    if (c->tls.port != 0)
        listen[n++] = (struct http_listen){c->tls.address, c->tls.port, true};
    struct http_settings settings = {
        .listen = listen,
        .n_listen = n,
        .tls_cert = c->tls.certificate,
        .tls_key = c->tls.key,
        .loops = c->threads.loops,
        .workers = c->threads.workers,
        .hashers = c->threads.hashers,
        .unread_max = (size_t)c->http.unread_max_kib << 10,
        .connections = (size_t)c->http.connections_max,
        .connections_of_address = (size_t)c->http.connections_per_address,
        .body_max = (size_t)c->http.body_max_bytes,
        .header_ms = (int)c->http.header_timeout_ms,
        .body_ms = (int)c->http.body_timeout_ms,
        .idle_ms = (int)c->http.idle_timeout_ms,
        .trusted_proxies = (const char *const *)c->http.trusted_proxies,
        .n_trusted_proxies = c->http.n_trusted_proxies,
        .spool_dir = media_files_incoming(app->media.files),
        .db_path = c->database_path,
        .db_options = {.durable = c->storage.durable, .storage = app->server.storage},
        .metrics = c->metrics.port != 0 ? &metrics : NULL,
    };
    size_t n_tables = CLIENT_API_ROUTES_COUNT + APPSERVICE_ROUTES_COUNT + SCHOOL_API_ROUTES_COUNT + PAGE_ROUTES_COUNT;
    const struct routes **tables = xcalloc(n_tables, sizeof *tables), **at = tables;
    memcpy(at, CLIENT_API_ROUTES, CLIENT_API_ROUTES_COUNT * sizeof *at);
    memcpy(at += CLIENT_API_ROUTES_COUNT, APPSERVICE_ROUTES, APPSERVICE_ROUTES_COUNT * sizeof *at);
    memcpy(at += APPSERVICE_ROUTES_COUNT, SCHOOL_API_ROUTES, SCHOOL_API_ROUTES_COUNT * sizeof *at);
    memcpy(at + SCHOOL_API_ROUTES_COUNT, PAGE_ROUTES, PAGE_ROUTES_COUNT * sizeof *at);
    app->http = http_start(&settings, &app->server, tables, n_tables);
    free(tables);
    return app->http != NULL;
}

static bool start_control(struct app *app)
{
    const struct server *s = &app->server;
    app->control = control_start(&(struct services){.config = app->config,
                                                    .writer = s->writer,
                                                    .names = s->names,
                                                    .accounts = s->accounts,
                                                    .rooms = s->rooms,
                                                    .search = s->search,
                                                    .puller = s->puller,
                                                    .takeover = &app->takeover,
                                                    .lock = -1});
    return true;
}

static void stop(struct app *app)
{
    struct server *s = &app->server;
    control_stop(app->control);
    if (app->http != NULL)
        http_stop(app->http);
    jobs_stop(s->jobs);
    if (s->sessions != NULL) /* made after the writer */
        sessions_write_seen(s->sessions, NULL);
    sync_service_stop(s->sync);
    link_letters_stop(&app->link_letters);
    contacts_stop(s->contacts);
    outgoing_stop(s->outgoing, OUTGOING_GRACE_MS);
    push_delivery_stop(s->push);
    search_stop(s->search);
    transactions_stop(app->transactions);
    writer_stop(s->writer);
    audit_log_stop(app->audit_log);
    jobs_destroy(s->jobs);
    push_delivery_destroy(s->push);
    search_destroy(s->search);
    transactions_destroy(app->transactions);
    puller_destroy(s->puller);
    contacts_destroy(s->contacts);
    oidc_providers_free(s->providers);
    outgoing_destroy(s->outgoing);
    post_destroy(app->post);
    sync_service_destroy(s->sync);
    sliding_request_cache_destroy(s->sliding);
    rooms_destroy(s->rooms);
    accounts_destroy(s->accounts);
    sessions_destroy(s->sessions);
    hub_destroy(s->hub);
    http_destroy(app->http);
    uia_destroy(s->uia);
    limits_destroy(s->limits);
    previews_destroy(app->media.previews);
    thumbnails_destroy(app->media.thumbnails);
    media_files_close(app->media.files);
    storage_destroy(s->storage);
    metrics_destroy(s->metrics);
    user_names_destroy(s->names);
    lock_release(app->lock);
    registry_destroy(s->appservices);
    config_free(app->config);
}

/* Whoever changed more than SIGHUP takes over learns that it is not in force. */
static void warn_of_others(struct app *app, const struct config *fresh)
{
    struct text before = TEXT_INIT, after = TEXT_INIT;
    app->config->log.level = fresh->log.level; /* taken over; only this thread looks at it */
    config_print(app->config, &before);
    config_print(fresh, &after);
    if (strcmp(before.data, after.data) != 0)
        log_warn("start", "other settings have changed too: they need a restart (parta config show)");
    text_finish(&before);
    text_finish(&after);
}

/* SIGHUP: the log level, the certificates, the application services; the rest needs a restart. */
static void reload(struct app *app)
{
    struct config *fresh;
    struct text problem = TEXT_INIT, wrong = TEXT_INIT;
    if (!config_load(app->config_path, &fresh, &problem)) {
        complain(&problem);
        return;
    }
    log_set_level(fresh->log.level);
    warn_of_others(app, fresh);
    config_free(fresh);
    if (!takeover_run(&app->takeover, &wrong)) /* the folder itself is a setting, and needs a restart */
        complain(&wrong);
    if (app->config->tls.port == 0 || http_reload(app->http))
        log_info("start", "reloaded");
}

static void run(struct app *app, const sigset_t *signals)
{
    int signal_no;
    const struct config *c = app->config;
    struct text where = TEXT_INIT;
    if (c->listen.port != 0)
        text_addf(&where, " at %s port %d", c->listen.address, (int)c->listen.port);
    if (c->tls.port != 0)
        text_addf(&where, "%s %s port %d (TLS)", where.len != 0 ? " and" : " at", c->tls.address, (int)c->tls.port);
    log_info("start", "partad %s serves %s%s", PARTA_VERSION, c->server_name, where.len != 0 ? where.data : "");
    text_finish(&where);
    while ((signal_no = sigwaitinfo(signals, NULL)) < 0 || signal_no == SIGHUP)
        if (signal_no == SIGHUP)
            reload(app);
    log_info("start", "stopping");
}

static int usage(FILE *to, int code)
{
    fputs("usage: partad [--config FILE] [--help] [--version]\n"
          "The Parta homeserver. FILE: its configuration (/etc/parta/parta.yaml).\n"
          "SIGTERM stops it gracefully, SIGHUP re-reads certificates, application services and log level.\n",
          to);
    return code;
}

static bool read_arguments(struct app *app, int argc, char **argv, int *code)
{
    static const struct option OPTIONS[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {0}};
    for (int option; (option = getopt_long(argc, argv, "c:hv", OPTIONS, NULL)) != -1;)
        switch (option) {
        case 'c': app->config_path = optarg; break;
        case 'h': *code = usage(stdout, 0); return false;
        case 'v': *code = puts("partad " PARTA_VERSION) < 0; return false;
        default: *code = usage(stderr, 2); return false;
        }
    if (optind != argc)
        *code = usage(stderr, 2);
    return optind == argc;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *what; /* what is said to have failed, after whatever was said of why */
        bool (*run)(struct app *app);
    } STEPS[] = {
        {"the cryptography", start_crypto},
        {"the configuration", load_config},
        {"the data directory", take_data_dir},
        {"the signing key", load_key},
        {"the database", start_writer},
        {"the application services", read_appservices},
        {"the providers to sign in at", read_providers},
        {"the services", make_services},
        {"the media", open_media},
        {"mail and SMS", start_post},
        {"push", start_push},
        {"search", start_search},
        {"telling application services", start_appservices},
        {"the roster's pull", make_puller},
        {"the jobs", start_jobs},
        {"the commands", start_control},
        {"HTTP", start_http},
    };
    struct app app = {.config_path = "/etc/parta/parta.yaml", .lock = -1};
    int code = 1;
    sigset_t signals;
    if (!read_arguments(&app, argc, argv, &code))
        return code;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread starts: main alone hears them */
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    bool started = true;
    for (size_t i = 0; started && i < sizeof STEPS / sizeof *STEPS; ++i) {
        started = STEPS[i].run(&app);
        if (!started)
            log_error("start", "not started: %s failed", STEPS[i].what);
    }
    if (started)
        run(&app, &signals);
    stop(&app);
    return started ? 0 : 1;
}
