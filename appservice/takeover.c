#include "appservice/takeover.h"

#include <jansson.h>
#include <string.h>

#include "appservice/names.h"
#include "appservice/registration.h"
#include "appservice/registry.h"
#include "appservice/transactions.h"
#include "homeserver/base/error.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/consumers.h"
#include "homeserver/store/school/schools.h"
#include "policy/audit/audit.h"
#include "policy/gate/school_gate.h"

struct taking {
    const struct takeover *takeover;
    const struct appservices *before, *now; /* before NULL: the start */
};

static bool append(struct tx *tx, const struct taking *taking, const char *act, school_no school, const char *id,
                   json_t *details)
{
    return audit_append(tx, taking->takeover->key,
                        &(struct audit_note){.actor = &ACTOR_COMMAND_LINE,
                                             .act = act,
                                             .school = school,
                                             .subject = json_pack("{s:s}", "application_service", id),
                                             .details = details});
}

static bool names_school(const struct registration_file *file, const char *school)
{
    for (size_t i = 0; file != NULL && i < file->n_schools; ++i)
        if (strcmp(file->schools[i], school) == 0)
            return true;
    return false;
}

/* The schools that file names and other does not: each has an entry of its own. */
static bool tell_schools(struct tx *tx, const struct taking *taking, const char *act,
                         const struct registration_file *file, const struct registration_file *other)
{
    bool done = true;
    for (size_t i = 0; file != NULL && i < file->n_schools && done; ++i) {
        school_no school = names_school(other, file->schools[i]) ? 0 : schools_by_sourced_id(tx->db, file->schools[i]);
        done = school == 0 || append(tx, taking, act, school, file->id, NULL);
    }
    return done;
}

/* An entry for operators, and one for each school that the registration names, or did, of which others are no business
 * (A1). Of one that is gone at the start the id alone is known: both NULL. */
static bool note(struct tx *tx, const struct taking *taking, const char *act, const char *id,
                 const struct registration_file *file, const struct registration_file *old)
{
    json_t *named = json_array();
    for (size_t i = 0; file != NULL && i < file->n_schools; ++i)
        json_array_append_new(named, json_string(file->schools[i]));
    return append(tx, taking, act, 0, id, json_pack("{s:o}", "schools", named)) &&
           tell_schools(tx, taking, act, file, NULL) && tell_schools(tx, taking, act, old, file);
}

static bool note_now(struct tx *tx, const struct taking *taking, const struct registration_file *file)
{
    const struct registration_file *old = taking->before != NULL ? appservices_by_id(taking->before, file->id) : NULL;
    bool known = taking->before != NULL ? old != NULL : consumers_pos(tx->db, TRANSACTIONS_CONSUMER, file->id) >= 0;
    if (!known)
        return note(tx, taking, "appservice.add", file->id, file, NULL);
    return old == NULL || memcmp(old->digest, file->digest, sizeof old->digest) == 0 ||
           note(tx, taking, "appservice.change", file->id, file, old);
}

/* Those of the start are listed first: the log is not written while they are read. */
static bool note_gone_at_start(struct tx *tx, const struct taking *taking)
{
    json_t *gone = json_array(), *id;
    size_t i;
    bool done = true;
    struct consumer_row row;
    struct stmt *q = consumers_of(tx->db, TRANSACTIONS_CONSUMER);
    while (consumers_next(q, &row))
        if (appservices_by_id(taking->now, row.destination) == NULL)
            json_array_append_new(gone, json_string(row.destination));
    stmt_end(q);
    json_array_foreach(gone, i, id)
        done = done && note(tx, taking, "appservice.remove", json_string_value(id), NULL, NULL);
    json_decref(gone);
    return done;
}

static bool job_note(struct tx *tx, void *arg, struct error *e)
{
    const struct taking *taking = arg;
    bool done = taking->before != NULL || note_gone_at_start(tx, taking);
    for (size_t i = 0; done && taking->before != NULL && i < taking->before->n; ++i) {
        const struct registration_file *old = taking->before->all[i];
        done = appservices_by_id(taking->now, old->id) != NULL ||
               note(tx, taking, "appservice.remove", old->id, old, NULL);
    }
    for (size_t i = 0; done && i < taking->now->n; ++i)
        done = note_now(tx, taking, taking->now->all[i]);
    return done || error_set(e, ERROR_UNKNOWN, NULL);
}

/* Makes the services' own users, ends the sessions of those whose service is gone, and follows the stream. */
static void follow(struct takeover *t)
{
    names_make_senders(t->registry, t->accounts);
    names_sign_out_gone(t->registry, t->accounts);
    transactions_follow(t->transactions);
}

bool takeover_begin(struct takeover *t)
{
    struct error e = {0};
    struct appservices *now = registry_get(t->registry);
    struct taking taking = {.takeover = t, .now = now};
    pthread_mutex_init(&t->one_at_a_time, NULL);
    bool done = writer_run(t->writer, job_note, &taking, &e);
    appservices_unref(now);
    if (done)
        follow(t);
    return done;
}

bool takeover_run(struct takeover *t, struct text *problem)
{
    struct error e = {0};
    pthread_mutex_lock(&t->one_at_a_time);
    struct appservices *before = registry_get(t->registry), *now = appservices_load(t->config, problem);
    struct taking taking = {.takeover = t, .before = before, .now = now};
    bool done = now != NULL && writer_run(t->writer, job_note, &taking, &e);
    if (done) {
        registry_put(t->registry, now);
        follow(t);
    } else if (now != NULL) {
        text_adds(problem, error_sentence(&e));
        appservices_unref(now);
    }
    appservices_unref(before);
    pthread_mutex_unlock(&t->one_at_a_time);
    return done;
}
