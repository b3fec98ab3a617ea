#include "policy/oneroster/import.h"

#include <csv.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "homeserver/accounts/new_account.h"
#include "homeserver/accounts/password.h"
#include "homeserver/base/config.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/days.h"
#include "homeserver/base/thread.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/imports.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roster_snapshots.h"
#include "homeserver/store/school/source.h"
#include "policy/gate/school_gate.h"
#include "policy/audit/audit.h"
#include "policy/oneroster/columns.h"
#include "policy/oneroster/import_private.h"
#include "policy/records/day_change.h"
#include "policy/records/people.h"
#include "policy/records/rollover.h"

#define BULK_PEOPLE 2000 /* from here on the writer's page cache is grown for the job */
#define HASHERS_MAX 16
#define PASSWORD_CHARS 10
#define NOTE_MS 3000

/* --- Passwords, before the job --- */

struct hashing {
    const struct roster_import *how;
    struct credential *credentials;
    size_t n;            /* credentials; not all have a password */
    size_t wanted;       /* those that have */
    _Atomic size_t next; /* to be looked at */
    _Atomic size_t done;
    _Atomic bool failed;
};

static void *hash_some(void *arg)
{
    struct hashing *h = arg;
    for (size_t i; !h->failed && (i = h->next++) < h->n;) {
        if (h->credentials[i].password == NULL)
            continue;
        h->credentials[i].hash = password_hash(h->how->config, h->credentials[i].password);
        if (h->credentials[i].hash == NULL)
            h->failed = true;
        ++h->done;
    }
    return NULL;
}

/* Waits, and tells how far they have come. */
static void tell_hashing(struct hashing *h)
{
    char line[64];
    for (int64_t told = clock_mono_ms(); h->done < h->wanted && !h->failed;) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        if (h->how->note == NULL || clock_mono_ms() - told < NOTE_MS)
            continue;
        told = clock_mono_ms();
        snprintf(line, sizeof line, "passwords: %zu of %zu", (size_t)h->done, h->wanted);
        h->how->note(h->how->note_self, line);
    }
}

static bool hash_all(const struct roster_import *how, struct credential *credentials, size_t n, size_t wanted)
{
    pthread_t threads[HASHERS_MAX];
    struct hashing h = {.how = how, .credentials = credentials, .n = n, .wanted = wanted};
    long cores = how->config->threads.hashers > 0 ? how->config->threads.hashers : sysconf(_SC_NPROCESSORS_ONLN);
    int started = 0;
    while (started < cores && started < HASHERS_MAX && thread_start(&threads[started], "hasher", 0, hash_some, &h))
        ++started;
    if (started == 0)
        hash_some(&h);
    tell_hashing(&h);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    return !h.failed;
}

/* A name and a password for everybody whom the store does not know yet. */
static bool credentials_make(struct importing *in, struct error *e)
{
    size_t n = in->roster->n_people, wanted = 0;
    bool *known = xcalloc(n + 1, sizeof *known);
    struct person_row row;
    struct stmt *q = people_all(in->how->db);
    while (people_next(q, &row)) {
        uint32_t i = id_map_find(&in->roster->person_ids, row.sourced_id);
        if (i != ID_NONE)
            known[i] = true;
    }
    stmt_end(q);
    in->credentials = xcalloc(n + 1, sizeof *in->credentials);
    for (size_t i = 0; i < n; ++i) {
        char localpart[LOCALPART_BYTES];
        if (known[i])
            continue;
        localpart_draw(localpart);
        char *password = xcalloc(PASSWORD_CHARS + 1, 1);
        random_letters(password, PASSWORD_CHARS, LEGIBLE_LETTERS);
        in->credentials[i] = (struct credential){xstrdup(localpart), password, NULL};
        ++wanted;
    }
    free(known);
    return hash_all(in->how, in->credentials, n, wanted) || error_set(e, ERROR_UNKNOWN, NULL);
}

static void credentials_free(struct importing *in)
{
    for (size_t i = 0; in->credentials != NULL && i < in->roster->n_people; ++i) {
        free(in->credentials[i].localpart);
        free(in->credentials[i].password);
        free(in->credentials[i].hash);
    }
    free(in->credentials);
}

static void add_cell(struct text *out, const char *value)
{
    size_t size = 2 * strlen(value) + 3;
    text_reserve(out, size);
    out->len += csv_write(out->data + out->len, size, value, strlen(value));
}

static void credentials_tell(const struct importing *in)
{
    struct text name = TEXT_INIT, *out = in->how->passwords;
    text_adds(out, "user_id,password,name,roles,sourcedId\n");
    for (size_t i = 0; i < in->roster->n_people; ++i) {
        const struct roster_person *p = &in->roster->people[i];
        if (in->credentials[i].password == NULL)
            continue;
        text_clear(&name);
        person_name_add(&name, p);
        text_addf(out, "@%s:%s,%s,", in->credentials[i].localpart, in->how->config->server_name,
                  in->credentials[i].password);
        add_cell(out, name.data);
        for (unsigned bit = ROLE_PUPIL, first = 1; bit <= ROLE_EXTERNAL; bit <<= 1)
            if ((p->roles & bit) != 0) {
                text_addf(out, "%s%s", first ? "," : " ", school_role_name((enum school_role)bit));
                first = 0;
            }
        text_adds(out, p->roles != 0 ? "," : ",,");
        add_cell(out, p->id);
        text_addc(out, '\n');
    }
    text_finish(&name);
}

/* --- What is remembered of it --- */

/* In the list of imports, and in the log (J2): after every change of a record, in as many entries as that took, comes
 * the one that sums them up. */
static bool record(struct importing *in)
{
    json_t *counts = roster_changes_json(in->changes);
    char *text = json_dumps(counts, JSON_COMPACT | JSON_SORT_KEYS);
    struct import_row row = {.source = in->source,
                             .mode = in->mode,
                             .author = in->actor->name,
                             .changes = text,
                             .started_ms = in->tx->now_ms,
                             .ended_ms = clock_wall_ms()};
    bool good = (text != NULL && imports_put(in->tx->db, &row)) || error_set(in->e, ERROR_UNKNOWN, NULL);
    json_t *details = json_pack("{s:s, s:s, s:o}", "source", in->source, "mode", in->mode, "changes", counts);
    if (in->how->confirmed > 0)
        json_object_set_new(details, "confirmed", json_sprintf("%lld", (long long)in->how->confirmed));
    if (in->older)
        json_object_set_new(details, "older", json_string(in->how->older));
    struct audit_note note = {.actor = in->actor,
                              .act = "roster.import",
                              .schools = in->schools,
                              .n_schools = in->roster != NULL && in->roster->n_schools == 1 ? 1 : 0,
                              .details = details,
                              .reason = in->overridden ? in->actor->override_ : NULL,
                              .names = &in->names};
    free(text);
    return audit_append(in->tx, rooms_settings(in->rooms)->key, &note) && good;
}

/* --- What may be too much, or too old (G5) --- */

void import_loss_finish(struct import_loss *loss)
{
    json_decref(loss->schools);
    text_finish(&loss->lines);
    *loss = (struct import_loss){0};
}

/* Of the year before the one that a school has rolled over to: the new one ends later than so many days after. */
#define YEAR_AT_LEAST_DAYS ROLLOVER_AGAIN_DAYS

static bool before_rollover(const struct importing *in)
{
    const struct roster *roster = in->roster;
    bool before = false;
    for (size_t i = 0; roster->year_end != DAY_EVER && !before && i < roster->n_schools; ++i) {
        struct text source = TEXT_INIT;
        text_addf(&source, "year:%s", roster->schools[i].id);
        int64_t rolled_ms = imports_last_ms(in->tx->db, source.data, "year");
        before = rolled_ms != 0 && roster->year_end < day_of_ms(rolled_ms + YEAR_AT_LEAST_DAYS * DAY_MS);
        text_finish(&source);
    }
    return before;
}

#define YEAR_AHEAD_DAYS 800 /* no school year ends later: one that does says nothing of which roster is newer */

/* What says that the roster is older than what there is; NULL: nothing. */
static const char *says_older(const struct importing *in)
{
    school_day year_end;
    int64_t newest_ms;
    const struct roster *roster = in->roster;
    roster_snapshots_age(in->tx->db, in->source, &year_end, &newest_ms);
    if (before_rollover(in))
        return "its school year is the one before the rollover";
    if (roster->year_end != DAY_EVER && roster->year_end < year_end &&
        year_end < day_of_ms(clock_wall_ms() + YEAR_AHEAD_DAYS * DAY_MS))
        return "its school year ends before that of the last roster";
    if (roster->newest_ms != 0 && roster->newest_ms < newest_ms && !moment_is_ahead(newest_ms))
        return "its latest dateLastModified is before that of the last roster";
    return NULL;
}

static bool check_age(struct importing *in)
{
    const char *says = in->roster != NULL ? says_older(in) : NULL;
    in->older = says != NULL;
    return says == NULL || in->how->older != NULL ||
           error_set_field(in->e, ERROR_CONFLICT,
                           "This roster is older than what is here: to take it nevertheless, say why.",
                           "org.parta.older", says);
}

/* The records' changes as lines, sorted: the order in which rows lie must not make another list of them. Who and what
 * is gone comes first. */
static int rank_of(const char *line)
{
    static const char *const FIRST[] = {"school - ", "class - ", "person - "};
    for (size_t i = 0; i < sizeof FIRST / sizeof *FIRST; ++i)
        if (strncmp(line, FIRST[i], strlen(FIRST[i])) == 0)
            return 0;
    return 1;
}

static int compare_lines(const void *left, const void *right)
{
    const char *x = json_string_value(*(json_t *const *)left), *y = json_string_value(*(json_t *const *)right);
    int by_rank = rank_of(x) - rank_of(y);
    return by_rank != 0 ? by_rank : strcmp(x, y);
}

static void write_lines(const struct importing *in, struct text *out)
{
    size_t i, n = 0;
    json_t *line;
    const json_t **lines = xcalloc(json_array_size(in->changelog.kept) + 1, sizeof(*lines));
    json_array_foreach(in->changelog.kept, i, line)
        lines[n++] = line;
    qsort(lines, n, sizeof(*lines), compare_lines);
    for (i = 0; i < n; ++i)
        text_addf(out, "%s\n", json_string_value(lines[i]));
    free(lines);
}

/* --- What the version of a list stands for: all that the roster says, also what no line shows --- */

struct sum {
    crypto_generichash_state state;
    uint64_t of_all; /* the order in which rows lie makes no difference */
};

static void sum_begin(struct sum *s, char kind)
{
    crypto_generichash_init(&s->state, NULL, 0, crypto_generichash_BYTES_MIN);
    crypto_generichash_update(&s->state, (const unsigned char *)&kind, 1);
}

static void sum_text(struct sum *s, const char *text)
{
    crypto_generichash_update(&s->state, (const unsigned char *)text, strlen(text) + 1);
}

static void sum_int(struct sum *s, int64_t n)
{
    crypto_generichash_update(&s->state, (const unsigned char *)&n, sizeof n);
}

static void sum_end(struct sum *s)
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    uint64_t n;
    crypto_generichash_final(&s->state, hash, sizeof hash);
    memcpy(&n, hash, sizeof n);
    s->of_all += n;
}

static void sum_facts(struct sum *s, const struct roster *r)
{
    for (size_t i = 0; i < r->n_roles; ++i, sum_end(s)) {
        const struct roster_role *row = &r->roles[i];
        sum_begin(s, 'r');
        sum_text(s, r->people[row->person].id);
        sum_text(s, r->schools[row->school].id);
        sum_int(s, row->role);
        sum_int(s, row->begin);
        sum_int(s, row->end);
    }
    for (size_t i = 0; i < r->n_enrollments; ++i, sum_end(s)) {
        const struct roster_enrollment *row = &r->enrollments[i];
        sum_begin(s, 'e');
        sum_text(s, r->people[row->person].id);
        sum_text(s, r->classes[row->class].id);
        sum_int(s, row->role);
        sum_int(s, row->begin);
        sum_int(s, row->end);
    }
    for (size_t i = 0; i < r->n_guardianships; ++i, sum_end(s)) {
        sum_begin(s, 'g');
        sum_text(s, r->people[r->guardianships[i].child].id);
        sum_text(s, r->people[r->guardianships[i].guardian].id);
    }
}

static uint64_t sum_of(const struct roster *r)
{
    struct sum s = {0};
    for (size_t i = 0; i < r->n_schools; ++i, sum_end(&s)) {
        sum_begin(&s, 's');
        sum_text(&s, r->schools[i].id);
        sum_text(&s, r->schools[i].name);
    }
    for (size_t i = 0; i < r->n_classes; ++i, sum_end(&s)) {
        const struct roster_class *row = &r->classes[i];
        sum_begin(&s, 'c');
        sum_text(&s, row->id);
        sum_text(&s, row->title);
        sum_text(&s, row->grade);
        sum_text(&s, r->schools[row->school].id);
        sum_int(&s, row->homeroom);
    }
    for (size_t i = 0; i < r->n_people; ++i, sum_end(&s)) {
        const struct roster_person *row = &r->people[i];
        sum_begin(&s, 'p');
        sum_text(&s, row->id);
        sum_text(&s, row->given);
        sum_text(&s, row->family);
        sum_text(&s, row->middle);
        sum_int(&s, row->birth);
        sum_int(&s, row->enabled);
    }
    sum_facts(&s, r);
    return s.of_all;
}

static int64_t version_of(const struct importing *in, const struct text *lines)
{
    struct text said = TEXT_INIT;
    text_add(&said, lines->data, lines->len);
    if (in->roster != NULL)
        text_add_int(&said, (int64_t)sum_of(in->roster));
    int64_t version = loss_version(said.data, said.len);
    text_finish(&said);
    return version;
}

/* Once the roles that follow are known: who is in a school is known by then. */
static bool judge_loss(struct importing *in)
{
    struct import_loss own = {0}, *out = in->how->loss != NULL ? in->how->loss : &own;
    const struct roster_import *how = in->how;
    const struct loss_days days = loss_days(in->tx->db, in->tx->now_ms);
    *out = (struct import_loss){.lines = TEXT_INIT};
    in->changelog.keeps = false; /* nobody asks for what follows */
    if (how->confirmed == CONFIRMED_ANY)
        return true;
    loss_due(&in->loss, in->tx->db, &days);
    if (!loss_judge(&in->loss, how->db, in->tx->db, &days, loss_limits(how->config)))
        return loss_keep(&in->loss, in->tx->db, in->tx->now_ms, false) || error_set(in->e, ERROR_UNKNOWN, NULL);
    out->schools = loss_json(&in->loss, in->tx->db);
    out->changes = *in->changes;
    loss_lines(&in->loss, in->tx->db, in->roster == NULL, &out->lines);
    write_lines(in, &out->lines);
    out->version = version_of(in, &out->lines);
    bool taken = how->dry_run || how->confirmed == out->version;
    if (out == &own)
        import_loss_finish(out);
    if (!taken)
        return error_set(in->e, how->confirmed != 0 ? ERROR_PRECONDITION : ERROR_HELD, NULL);
    return loss_keep(&in->loss, in->tx->db, in->tx->now_ms, true) || error_set(in->e, ERROR_UNKNOWN, NULL);
}

/* --- Whom it brings together (D9) --- */

static bool is_among(const struct meeting *list, size_t n, const struct meeting *one)
{
    size_t i = 0;
    while (i < n && memcmp(&list[i], one, sizeof *one) != 0)
        ++i;
    return i < n;
}

/* The roster is the truth, and is taken; who ran it is told, so that somebody asks the school. Custodies are few. */
static void tell_together(struct importing *in, const struct meeting *before, size_t n_before)
{
    size_t n;
    struct db *db = in->tx->db;
    struct meeting *now = school_meetings(db, 0, &n);
    for (size_t i = 0; i < n; ++i) {
        if (is_among(before, n_before, &now[i]))
            continue;
        char *guardian = people_sourced_id(db, now[i].guardian), *with = people_sourced_id(db, now[i].with),
             *class = classes_sourced_id(db, now[i].class);
        roster_problems_tell_of(in->how->remarks, PROBLEM_KEPT_TOGETHER, "enrollments.csv", 0, 0, guardian,
                                "%s is kept from %s, and both have to do with class %s", guardian, with, class);
        free(guardian);
        free(with);
        free(class);
    }
    free(now);
}

/* --- The job --- */

static bool apply(struct importing *in)
{
    static bool (*const STEPS[])(struct importing * in) = {import_apply_schools, import_apply_classes,
                                                           import_apply_people, import_apply_facts, import_return};
    bool good = true;
    for (size_t i = 0; in->roster != NULL && good && i < sizeof STEPS / sizeof *STEPS; ++i)
        good = STEPS[i](in);
    reconcile_all(in->reconciling);
    if (good && reconcile_roles(in->reconciling, in->e) && judge_loss(in))
        return reconcile_finish(in->reconciling, in->e);
    reconcile_abandon(in->reconciling);
    return false;
}

static bool job_import(struct tx *tx, void *arg, struct error *e)
{
    struct importing *in = arg;
    static const struct roster NONE;
    const struct roster_import *how = in->how;
    const struct roster *roster = in->roster != NULL ? in->roster : &NONE;
    bool school_mode = rooms_settings(how->rooms)->school_mode;
    *in->changes = (struct roster_changes){0};
    if (roster->n_people >= BULK_PEOPLE)
        tx_bulk(tx);
    if ((in->roster != NULL || how->confirmed > 0) &&
        !school_gate(tx->db, school_mode, in->actor, ACT_IMPORT, &(struct subject){0}, NULL, &in->overridden, e))
        return false;
    in->tx = tx;
    in->rooms = how->rooms;
    in->e = e;
    if (!check_age(in))
        return false;
    in->names = (struct audit_names){changelog_name, &in->changelog};
    in->lists = (struct audit_note){.actor = in->actor, .act = "roster.change", .names = &in->names};
    in->changelog = (struct changelog){.tx = tx,
                                       .changes = in->changes,
                                       .difference = how->difference,
                                       .note = how->dry_run ? NULL : &in->lists,
                                       .keeps = in->roster != NULL && people_any(tx->db)};
    if (in->roster == NULL)
        tx_acts(tx, in->actor->name, "records.reconcile");
    in->schools = xcalloc(roster->n_schools + 1, sizeof *in->schools);
    in->classes = xcalloc(roster->n_classes + 1, sizeof *in->classes);
    in->people = xcalloc(roster->n_people + 1, sizeof *in->people);
    in->reconciling = reconcile_begin_changelog(tx, in->rooms, &in->changelog);
    reconcile_keep(in->reconciling);
    size_t n_before = 0;
    bool tells = how->remarks != NULL && in->roster != NULL && !in->trial;
    struct meeting *before = tells ? school_meetings(tx->db, 0, &n_before) : NULL;
    bool done = apply(in);
    if (done && tells)
        tell_together(in, before, n_before);
    free(before);
    done = done && (day_settled(tx) || error_set(e, ERROR_UNKNOWN, NULL)) &&
           ((in->roster == NULL && how->confirmed <= 0) || how->dry_run || record(in)) &&
           (how->also == NULL || how->also(tx, how->also_arg, e));
    free(in->schools);
    free(in->classes);
    free(in->people);
    changelog_finish(&in->changelog);
    loss_finish(&in->loss);
    return done && !how->dry_run && !in->trial; /* such a job is refused without an error */
}

/* Whether the import is refused, before hashing takes its time; what is told of it stays as it was. */
static bool refused(const struct importing *in, struct error *e)
{
    struct roster_changes ignored = {0};
    struct roster_import how = *in->how;
    struct importing trial = *in;
    how.difference = NULL;
    trial.how = &how;
    trial.changes = &ignored;
    trial.trial = true;
    writer_run(how.writer, job_import, &trial, e);
    if (e->code == ERROR_NONE && how.loss != NULL)
        import_loss_finish(how.loss);
    return e->code != ERROR_NONE;
}

bool roster_import(const struct roster_import *how, struct roster_changes *changes, struct error *e)
{
    struct importing in = {.how = how,
                           .actor = how->actor != NULL ? how->actor : &ACTOR_COMMAND_LINE,
                           .source = how->source != NULL ? how->source : SOURCE_ROSTER,
                           .mode = how->mode != NULL ? how->mode : "bulk",
                           .roster = how->roster,
                           .changes = changes};
    bool passwords = how->passwords != NULL && how->roster != NULL && !how->dry_run;
    *e = (struct error){0};
    bool done = (!passwords || (!refused(&in, e) && credentials_make(&in, e))) &&
                (writer_run(how->writer, job_import, &in, e) || (how->dry_run && e->code == ERROR_NONE));
    if (done && passwords)
        credentials_tell(&in);
    credentials_free(&in);
    return done;
}
