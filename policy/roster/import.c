#include "policy/roster/import.h"

#include <csv.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "homeserver/accounts/password.h"
#include "homeserver/base/config.h"
#include "homeserver/store/profiles.h"
#include "homeserver/store/users.h"
#include "policy/roster/importing.h"

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

static bool find_service(struct importing *in)
{
    struct user_row row;
    bool there = users_find(in->tx->db, SERVICE_LOCALPART, &row), good = !there || row.service;
    in->service = there ? row.no : 0;
    user_row_finish(&row);
    if (!good)
        return error_set(in->e, ERROR_USER_IN_USE,
                         "The server's own user name \"" SERVICE_LOCALPART "\" is a person's.");
    if (there)
        return true;
    in->service = users_insert_service(in->tx, SERVICE_LOCALPART);
    return (in->service != 0 && profiles_put(in->tx, in->service, "displayname", "\"Parta\"")) ||
           error_set(in->e, ERROR_UNKNOWN, NULL);
}

struct import_job {
    const struct roster_import *how;
    const struct credential *credentials;
    struct roster_changes *changes;
};

static bool import_steps(struct importing *in)
{
    static bool (*const STEPS[])(struct importing * in) = {
        find_service,   records_schools,  records_classes, records_people,  records_facts,
        pictures_rooms, pictures_members, pictures_powers, pictures_settle, pictures_farewell,
    };
    static bool (*const STEPS_WITHOUT[])(struct importing * in) = {find_service, pictures_members, pictures_powers,
                                                                   pictures_settle};
    bool whole = in->roster != NULL;
    size_t n = whole ? sizeof STEPS / sizeof *STEPS : sizeof STEPS_WITHOUT / sizeof *STEPS_WITHOUT;
    for (size_t i = 0; i < n; ++i)
        if (!(whole ? STEPS[i] : STEPS_WITHOUT[i])(in))
            return false;
    return true;
}

static bool job_import(struct tx *tx, void *arg, struct error *e)
{
    struct import_job *job = arg;
    static const struct roster NONE;
    const struct roster *roster = job->how->roster != NULL ? job->how->roster : &NONE;
    struct importing in = {
        .tx = tx,
        .rooms = job->how->rooms,
        .roster = job->how->roster,
        .credentials = job->credentials,
        .changes = job->changes,
        .e = e,
        .schools = xcalloc(roster->n_schools + 1, sizeof *in.schools),
        .classes = xcalloc(roster->n_classes + 1, sizeof *in.classes),
        .people = xcalloc(roster->n_people + 1, sizeof *in.people),
        .school_renamed = xcalloc(roster->n_schools + 1, 1),
        .class_renamed = xcalloc(roster->n_classes + 1, 1),
    };
    *job->changes = (struct roster_changes){0};
    bool done = import_steps(&in);
    free(in.schools);
    free(in.classes);
    free(in.people);
    free(in.school_renamed);
    free(in.class_renamed);
    facts_finish(&in.gone);
    facts_finish(&in.powers);
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
        struct import_job job = {how, credentials, changes};
        done = writer_run(how->writer, job_import, &job, e) || (how->dry_run && e->code == ERROR_NONE);
    }
    if (done && wanted)
        credentials_tell(how, credentials);
    credentials_free(credentials, how->roster != NULL ? how->roster->n_people : 0);
    return done;
}

bool roster_changes_any(const struct roster_changes *changes)
{
    for (int i = 0; i < ROSTER_CHANGE__COUNT; ++i)
        if (changes->n[i] != 0)
            return true;
    return false;
}

void roster_changes_add_text(struct text *out, const struct roster_changes *changes)
{
    static const char *const SAYS[] = {
#define X(name, says) says,
        ROSTER_CHANGES(X)
#undef X
    };
    if (!roster_changes_any(changes))
        text_adds(out, "nothing changed\n");
    for (int i = 0; i < ROSTER_CHANGE__COUNT; ++i)
        if (changes->n[i] != 0)
            text_addf(out, "%lld %s\n", (long long)changes->n[i], SAYS[i]);
}
