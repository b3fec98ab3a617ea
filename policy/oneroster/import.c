#include "policy/oneroster/import.h"

#include <csv.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "homeserver/accounts/new_account.h"
#include "homeserver/accounts/password.h"
#include "homeserver/base/config.h"
#include "homeserver/base/clock.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/imports.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/source.h"
#include "policy/gate/school_gate.h"
#include "policy/audit/audit.h"
#include "policy/oneroster/import_private.h"
#include "policy/records/people.h"

#define BULK_PEOPLE 2000 /* from here on the writer's page cache is grown for the job */
#define HASHERS_MAX 16
#define PASSWORD_CHARS 10

/* --- Passwords, before the job --- */

/* Letters and digits that look like no other: 31 of them, ten make 49 bits. */
static char *password_draw(void)
{
    static const char ALPHABET[] = "abcdefghjkmnpqrstuvwxyz23456789";
    char *password = xcalloc(PASSWORD_CHARS + 1, 1);
    for (int i = 0; i < PASSWORD_CHARS; ++i)
        password[i] = ALPHABET[randombytes_uniform(sizeof ALPHABET - 1)];
    return password;
}

struct hashing {
    const struct config *config;
    struct credential *credentials;
    size_t n;
    _Atomic size_t next;
    _Atomic bool failed;
};

static void *hash_some(void *arg)
{
    struct hashing *h = arg;
    for (size_t i; !h->failed && (i = h->next++) < h->n;) {
        if (h->credentials[i].password == NULL)
            continue;
        h->credentials[i].hash = password_hash(h->config, h->credentials[i].password);
        if (h->credentials[i].hash == NULL)
            h->failed = true;
    }
    return NULL;
}

static bool hash_all(const struct config *config, struct credential *credentials, size_t n)
{
    pthread_t threads[HASHERS_MAX];
    struct hashing h = {.config = config, .credentials = credentials, .n = n};
    long cores = config->threads.hashers > 0 ? config->threads.hashers : sysconf(_SC_NPROCESSORS_ONLN);
    int started = 0;
    while (started < cores - 1 && started < HASHERS_MAX && pthread_create(&threads[started], NULL, hash_some, &h) == 0)
        ++started;
    hash_some(&h);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    return !h.failed;
}

static void credentials_free(struct credential *credentials, size_t n)
{
    for (size_t i = 0; credentials != NULL && i < n; ++i) {
        free(credentials[i].localpart);
        free(credentials[i].password);
        free(credentials[i].hash);
    }
    free(credentials);
}

/* A name and a password for everybody whom the store does not know yet. */
static bool credentials_make(const struct roster_import *how, struct credential **out, struct error *e)
{
    size_t n = how->roster->n_people;
    bool *known = xcalloc(n + 1, sizeof *known);
    struct person_row row;
    struct stmt *q = people_all(how->db);
    while (people_next(q, &row)) {
        uint32_t i = roster_find(how->roster->person_ids, row.sourced_id);
        if (i != ID_NONE)
            known[i] = true;
    }
    stmt_end(q);
    *out = xcalloc(n + 1, sizeof **out);
    for (size_t i = 0; i < n; ++i) {
        char localpart[LOCALPART_BYTES];
        if (known[i])
            continue;
        localpart_draw(localpart);
        (*out)[i] = (struct credential){xstrdup(localpart), password_draw(), NULL};
    }
    free(known);
    return hash_all(how->config, *out, n) || error_set(e, ERROR_UNKNOWN, NULL);
}

static void add_cell(struct text *out, const char *value)
{
    size_t size = 2 * strlen(value) + 3;
    text_reserve(out, size);
    out->len += csv_write(out->data + out->len, size, value, strlen(value));
}

static void add_roles(struct text *out, unsigned roles)
{
    bool first = true;
    for (unsigned bit = ROLE_PUPIL; bit <= ROLE_EXTERNAL; bit <<= 1)
        if ((roles & bit) != 0) {
            text_addf(out, "%s%s", first ? "" : " ", school_role_name((enum school_role)bit));
            first = false;
        }
}

static void credentials_tell(const struct roster_import *how, const struct credential *credentials)
{
    struct text name = TEXT_INIT, *out = how->passwords;
    text_adds(out, "user_id,password,name,roles,sourcedId\n");
    for (size_t i = 0; i < how->roster->n_people; ++i) {
        const struct roster_person *p = &how->roster->people[i];
        if (credentials[i].password == NULL)
            continue;
        text_clear(&name);
        person_name_add(&name, p);
        text_addf(out, "@%s:%s,%s,", credentials[i].localpart, how->config->server_name, credentials[i].password);
        add_cell(out, name.data);
        text_addc(out, ',');
        add_roles(out, p->roles);
        text_addc(out, ',');
        add_cell(out, p->id);
        text_addc(out, '\n');
    }
    text_finish(&name);
}

/* --- The job --- */

struct import_job {
    const struct roster_import *how;
    const struct credential *credentials;
    struct roster_changes *changes;
    const struct actor *actor;
    bool overridden;
};

static bool import_records(struct importing *in)
{
    static bool (*const STEPS[])(struct importing * in) = {import_apply_schools, import_apply_classes,
                                                           import_apply_people, import_apply_facts};
    for (size_t i = 0; in->roster != NULL && i < sizeof STEPS / sizeof *STEPS; ++i)
        if (!STEPS[i](in)) {
            reconcile_abandon(in->reconciling);
            return false;
        }
    reconcile_all(in->reconciling);
    return reconcile_finish(in->reconciling, in->e);
}

/* --- What is remembered of it --- */

static bool audit(struct importing *in, const struct import_job *job, const char *act, json_t *details)
{
    struct audit_note note = {
        .actor = job->actor,
        .act = act,
        .details = details,
        .reason = job->overridden ? job->actor->override_ : NULL,
    };
    return audit_append(in->tx, rooms_settings(in->rooms)->key, &note) || error_set(in->e, ERROR_UNKNOWN, NULL);
}

static const char *mode_of(const struct import_job *job)
{
    return job->how->mode != NULL ? job->how->mode : "bulk";
}

static bool audit_all(struct importing *in, const struct import_job *job, const json_t *counts)
{
    json_t *lists = changelog_take_lists(&in->changelog), *list;
    size_t i;
    bool good = audit(in, job, "roster.import",
                      json_pack("{s:s, s:s, s:O}", "source", in->source, "mode", mode_of(job), "changes", counts));
    json_array_foreach(lists, i, list)
        good = good && audit(in, job, "roster.change", json_pack("{s:s, s:O}", "source", in->source, "changes", list));
    json_decref(lists);
    return good;
}

static bool remember(struct importing *in, const struct import_job *job)
{
    if (in->roster == NULL || job->how->dry_run)
        return true;
    json_t *counts = roster_changes_json(in->changes);
    char *text = json_dumps(counts, JSON_COMPACT | JSON_SORT_KEYS);
    struct import_row row = {.source = in->source,
                             .mode = mode_of(job),
                             .author = job->actor->name,
                             .changes = text,
                             .started_ms = in->tx->now_ms,
                             .ended_ms = clock_wall_ms()};
    bool good = (text != NULL && imports_put(in->tx->db, &row)) || error_set(in->e, ERROR_UNKNOWN, NULL);
    good = good && audit_all(in, job, counts);
    free(text);
    json_decref(counts);
    return good;
}

/* --- The job --- */

static bool allowed(struct import_job *job, struct tx *tx, struct error *e)
{
    bool school_mode = rooms_settings(job->how->rooms)->school_mode;
    struct verdict verdict;
    if (job->how->roster == NULL)
        return true;
    return school_gate(tx->db, school_mode, job->actor, ACT_IMPORT, &(struct subject){0}, &verdict, &job->overridden,
                       e);
}

static bool job_import(struct tx *tx, void *arg, struct error *e)
{
    struct import_job *job = arg;
    static const struct roster NONE;
    const struct roster *roster = job->how->roster != NULL ? job->how->roster : &NONE;
    *job->changes = (struct roster_changes){0};
    if (roster->n_people >= BULK_PEOPLE)
        tx_bulk(tx);
    if (!allowed(job, tx, e))
        return false;
    struct importing in = {
        .tx = tx,
        .rooms = job->how->rooms,
        .roster = job->how->roster,
        .source = job->how->source != NULL ? job->how->source : SOURCE_ROSTER,
        .credentials = job->credentials,
        .changes = job->changes,
        .changelog = {.tx = tx,
                      .changes = job->changes,
                      .difference = job->how->difference,
                      .audited = !job->how->dry_run},
        .e = e,
        .schools = xcalloc(roster->n_schools + 1, sizeof *in.schools),
        .classes = xcalloc(roster->n_classes + 1, sizeof *in.classes),
        .people = xcalloc(roster->n_people + 1, sizeof *in.people),
    };
    in.reconciling = reconcile_begin_changelog(tx, in.rooms, &in.changelog);
    bool done = import_records(&in) && remember(&in, job);
    if (done && job->how->also != NULL)
        done = job->how->also(tx, job->how->also_arg, e);
    free(in.schools);
    free(in.classes);
    free(in.people);
    changelog_finish(&in.changelog);
    return done && !job->how->dry_run; /* a dry run is a job that is refused without an error */
}

bool roster_import(const struct roster_import *how, struct roster_changes *changes, struct error *e)
{
    struct credential *credentials = NULL;
    bool wanted = how->passwords != NULL && how->roster != NULL && !how->dry_run, done = true;
    *e = (struct error){0};
    if (wanted)
        done = credentials_make(how, &credentials, e);
    if (done) {
        struct import_job job = {how, credentials, changes, how->actor != NULL ? how->actor : &ACTOR_COMMAND_LINE,
                                 false};
        done = writer_run(how->writer, job_import, &job, e) || (how->dry_run && e->code == ERROR_NONE);
    }
    if (done && wanted)
        credentials_tell(how, credentials);
    credentials_free(credentials, how->roster != NULL ? how->roster->n_people : 0);
    return done;
}
