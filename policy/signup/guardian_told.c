#include "policy/signup/guardian_told.h"

#include <stdlib.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/guardianships.h"
#include "policy/records/change.h"
#include "policy/school_rooms/notices.h"
#include "policy/signup/links.h"

#define HEARERS_MAX 8 /* guardians and class teachers: of two and, at a time, one */

/* Guardians also in summer, when the child is in no class. */
static int hearers_of(struct db *db, user_no child, user_no *out)
{
    struct enrollment_row row;
    school_no school;
    class_no class;
    int n = guardianships_guardians(db, child, out, GUARDIANS_MAX);
    school_day today = day_of_ms(clock_wall_ms());
    n = n < GUARDIANS_MAX ? n : GUARDIANS_MAX;
    if (!enrollments_place_of_pupil(db, child, &school, &class))
        return n;
    struct stmt *q = enrollments_of_class(db, class);
    while (n < HEARERS_MAX && enrollments_next(q, &row))
        if (row.role == ROLE_CLASS_TEACHER && row.begin <= today && row.end >= today)
            out[n++] = row.user;
    stmt_end(q);
    return n;
}

/* D9: whoever does not see the guardian hears that there is one, and not who. */
static bool tell_one(struct changing_records *c, user_no hearer, user_no child, user_no guardian)
{
    struct db *db = c->tx->db;
    struct text ru = TEXT_INIT, en = TEXT_INIT;
    bool unseen = custodies_part(db, child, hearer, guardian) || school_apart(db, hearer, guardian);
    char *of = profiles_get_string(db, child, "displayname");
    char *who = unseen ? NULL : profiles_get_string(db, guardian, "displayname");
    const char *sep = who != NULL ? ": " : "";
    text_addf(&ru, "Новый родитель (представитель) ученика %s%s%s. Если вы об этом не знали, скажите школе.",
              of != NULL ? of : "", sep, who != NULL ? who : "");
    text_addf(&en, "%s has a new guardian%s%s. If you did not know of it, tell the school.", of != NULL ? of : "", sep,
              who != NULL ? who : "");
    bool done = notice_tell(c, hearer, ru.data, en.data);
    text_finish(&ru);
    text_finish(&en);
    free(of);
    free(who);
    return done;
}

/* --- The job --- */

#define SHARE 16 /* of one run */

struct telling {
    struct rooms *rooms;
    struct guardianship_row of;
    bool found;
    user_no hearer;                /* who was told last, or could not be */
    user_no deaf[HEARERS_MAX + 1]; /* who cannot be told: the others are */
    int n_deaf;
};

static bool hears(const struct telling *t, struct db *db, user_no user)
{
    struct user_row row;
    for (int i = 0; i < t->n_deaf; ++i)
        if (t->deaf[i] == user)
            return false;
    bool active = users_get(db, user, &row) && row.state == ACCOUNT_ACTIVE;
    user_row_finish(&row);
    return active;
}

static bool tell(struct telling *t, struct changing_records *c)
{
    user_no hearers[HEARERS_MAX];
    int n = hearers_of(c->tx->db, t->of.child, hearers);
    bool done = true;
    for (int i = 0; i < n && done; ++i) {
        t->hearer = hearers[i];
        if (t->hearer != t->of.guardian && t->hearer != c->actor->user && hears(t, c->tx->db, t->hearer))
            done = tell_one(c, t->hearer, t->of.child, t->of.guardian);
    }
    return done;
}

static bool job_tell(struct tx *tx, void *arg, struct error *e)
{
    struct telling *t = arg;
    char source[SOURCE_BYTES];
    t->found = guardianships_untold(tx->db, &t->of);
    if (!t->found)
        return true;
    const struct actor whoever = {.name = "server", .user = t->of.by};
    struct changing_records c = {.tx = tx, .rooms = t->rooms, .actor = &whoever, .e = e};
    bool stands = guardianships_source(tx->db, t->of.child, t->of.guardian, source);
    return (!stands || tell(t, &c)) &&
           (guardianships_told(tx->db, t->of.child, t->of.guardian) || error_set(e, ERROR_UNKNOWN, NULL));
}

/* Whoever cannot be told is left out, and the others are: another try would say the same to that one. */
static bool tell_next(const struct guardians_told *told, bool *more)
{
    struct error e;
    struct telling t = {.rooms = told->rooms};
    bool done;
    do {
        e = (struct error){0};
        done = writer_run(told->writer, job_tell, &t, &e);
        if (!done && e.code != ERROR_UNKNOWN) {
            log_warn("guardians", "one could not be told that a child has a new guardian: %s", error_sentence(&e));
            t.deaf[t.n_deaf++] = t.hearer;
        }
    } while (!done && e.code != ERROR_UNKNOWN && t.n_deaf <= HEARERS_MAX);
    *more = done && t.found;
    return done;
}

enum job_outcome guardians_told_run(void *guardians_told, const _Atomic bool *stop)
{
    bool more = true, done = true;
    for (int i = 0; i < SHARE && more && !*stop; ++i)
        done = tell_next(guardians_told, &more);
    return !done ? JOB_FAILED : more ? JOB_MORE : JOB_DONE;
}
