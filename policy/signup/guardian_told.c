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

static int hearers_of(struct db *db, user_no child, class_no class, user_no *out)
{
    struct enrollment_row row;
    int n = guardianships_guardians(db, child, out, GUARDIANS_MAX);
    school_day today = day_of_ms(clock_wall_ms());
    struct stmt *q = enrollments_of_class(db, class);
    n = n < GUARDIANS_MAX ? n : GUARDIANS_MAX;
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

static bool reads(struct db *db, user_no user)
{
    struct user_row row;
    bool active = users_get(db, user, &row) && row.state == ACCOUNT_ACTIVE;
    user_row_finish(&row);
    return active;
}

static bool tell(struct changing_records *c, user_no child, user_no guardian)
{
    user_no hearers[HEARERS_MAX];
    school_no school;
    class_no class;
    bool done = true;
    int n = enrollments_place_of_pupil(c->tx->db, child, &school, &class) ? hearers_of(c->tx->db, child, class, hearers)
                                                                          : 0;
    for (int i = 0; i < n && done; ++i)
        if (hearers[i] != guardian && hearers[i] != c->actor->user && reads(c->tx->db, hearers[i]))
            done = tell_one(c, hearers[i], child, guardian);
    return done;
}

/* --- The job --- */

#define SHARE 16 /* of one run */

struct telling {
    struct rooms *rooms;
    struct guardianship_row of;
    bool found, quiet; /* quiet: it cannot be told, and is not tried again */
};

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
    return (t->quiet || !stands || tell(&c, t->of.child, t->of.guardian)) &&
           (guardianships_told(tx->db, t->of.child, t->of.guardian) || error_set(e, ERROR_UNKNOWN, NULL));
}

static bool tell_next(const struct guardians_told *told, bool *more)
{
    struct error e = {0};
    struct telling t = {.rooms = told->rooms};
    bool done = writer_run(told->writer, job_tell, &t, &e);
    if (!done && e.code != ERROR_UNKNOWN) { /* no other try says anything else, and those behind it wait */
        log_warn("guardians", "that a child has a new guardian could not be told: %s", error_sentence(&e));
        t.quiet = true;
        done = writer_run(told->writer, job_tell, &t, &e);
    }
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
