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

static bool is_hearer(struct db *db, user_no user, user_no child)
{
    user_no hearers[HEARERS_MAX];
    for (int i = 0, n = hearers_of(db, child, hearers); i < n; ++i)
        if (hearers[i] == user)
            return true;
    return false;
}

/* --- What one of them reads --- */

#define LINES_MAX 16
#define ASK_RU "Если вы об этом не знали, скажите школе."
#define ASK_EN "If you did not know of it, tell the school."

struct news {
    struct guardianship_row of[LINES_MAX];
    int n;    /* rows of of */
    int said; /* the first ones, which ru and en tell, or which are none of the hearer's any more */
    struct text ru, en;
};

/* D9: whoever does not see the guardian hears that there is one, and not who. */
static void write_line(struct db *db, user_no hearer, const struct guardianship_row *of, struct text *ru,
                       struct text *en)
{
    bool unseen = custodies_part(db, of->child, hearer, of->guardian) || school_apart(db, hearer, of->guardian);
    char *child = profiles_get_string(db, of->child, "displayname");
    char *who = unseen ? NULL : profiles_get_string(db, of->guardian, "displayname");
    const char *sep = who != NULL ? ": " : "";
    text_addf(ru, "Новый родитель (представитель) ученика %s%s%s.", child != NULL ? child : "", sep,
              who != NULL ? who : "");
    text_addf(en, "%s has a new guardian%s%s.", child != NULL ? child : "", sep, who != NULL ? who : "");
    free(child);
    free(who);
}

/* false: no room for it behind the others. */
static bool add_line(struct news *news, const struct text *ru, const struct text *en)
{
    size_t len = news->ru.len + news->en.len + ru->len + en->len + sizeof ASK_RU + sizeof ASK_EN + 8;
    if (news->ru.len != 0 && len > NOTICE_BYTES_MAX)
        return false;
    text_addf(&news->ru, "%s%s", news->ru.len != 0 ? "\n" : "", ru->data);
    text_addf(&news->en, "%s%s", news->en.len != 0 ? "\n" : "", en->data);
    return true;
}

/* As many as one notice holds: a class that comes in one day is a few of them. */
static void write_news(struct db *db, user_no hearer, int64_t now_ms, struct news *news)
{
    bool room = true;
    news->n = guardianships_unheard(db, hearer, now_ms, news->of, LINES_MAX);
    while (news->said < news->n && room) {
        struct text ru = TEXT_INIT, en = TEXT_INIT;
        if (is_hearer(db, hearer, news->of[news->said].child)) {
            write_line(db, hearer, &news->of[news->said], &ru, &en);
            room = add_line(news, &ru, &en);
        }
        news->said += room;
        text_finish(&ru);
        text_finish(&en);
    }
    const char *sep = news->said > 1 ? "\n" : " ";
    if (news->ru.len != 0) {
        text_addf(&news->ru, "%s" ASK_RU, sep);
        text_addf(&news->en, "%s" ASK_EN, sep);
    }
}

/* --- The job --- */

#define SHARE 16         /* of one run */
#define AGAIN_MS HOUR_MS /* who has had as many as there may be in a day is asked again so often */
#define AWAY_MS DAY_MS   /* who cannot be told now: likewise */

struct telling {
    struct rooms *rooms;
    bool found;
    user_no hearer; /* who was told last, or could not be; 0: nobody yet */
};

/* Each hearer by themselves from here on: what keeps one from hearing keeps nobody else. */
static bool spread(struct changing_records *c, const struct guardianship_row *of)
{
    struct tx *tx = c->tx;
    char source[SOURCE_BYTES];
    user_no hearers[HEARERS_MAX];
    bool stands = guardianships_source(tx->db, of->child, of->guardian, source), done = true;
    int n = stands ? hearers_of(tx->db, of->child, hearers) : 0;
    for (int i = 0; i < n && done; ++i)
        if (hearers[i] != of->guardian && hearers[i] != of->by)
            done = guardianships_to_hear(tx, hearers[i], of->child, of->guardian);
    return done && guardianships_spread(tx->db, of->child, of->guardian);
}

/* Who has left hears nothing any more; of who is away for a while it waits. */
static bool tell(struct changing_records *c, user_no hearer)
{
    struct news news = {.ru = TEXT_INIT, .en = TEXT_INIT};
    struct user_row row;
    bool many = false, done = true;
    enum account_state state = users_get(c->tx->db, hearer, &row) ? row.state : ACCOUNT_LEFT;
    user_row_finish(&row);
    write_news(c->tx->db, hearer, c->tx->now_ms, &news);
    bool any = news.ru.len != 0 && state != ACCOUNT_LEFT, away = any && state != ACCOUNT_ACTIVE;
    if (any && !away)
        done = notice_tell(c, hearer, news.ru.data, news.en.data, &many);
    if (done && (many || away))
        done = guardianships_hear_later(c->tx->db, hearer, c->tx->now_ms + (many ? AGAIN_MS : AWAY_MS));
    for (int i = 0; i < news.said && done && !many && !away; ++i)
        done = guardianships_heard(c->tx->db, hearer, news.of[i].child, news.of[i].guardian);
    text_finish(&news.ru);
    text_finish(&news.en);
    return done;
}

static bool job_tell(struct tx *tx, void *arg, struct error *e)
{
    struct telling *t = arg;
    struct guardianship_row of;
    struct changing_records c = {.tx = tx, .rooms = t->rooms, .actor = &(struct actor){.name = "server"}, .e = e};
    t->hearer = 0;
    t->found = guardianships_untold(tx->db, &of);
    if (t->found)
        return spread(&c, &of) || error_set(e, ERROR_UNKNOWN, NULL);
    t->hearer = guardianships_next_hearer(tx->db, tx->now_ms);
    t->found = t->hearer != 0;
    return !t->found || tell(&c, t->hearer) || (e->code == ERROR_NONE && error_set(e, ERROR_UNKNOWN, NULL));
}

static bool job_later(struct tx *tx, void *arg, struct error *e)
{
    return guardianships_hear_later(tx->db, *(user_no *)arg, tx->now_ms + AWAY_MS) || error_set(e, ERROR_UNKNOWN, NULL);
}

/* Whoever cannot be told hears it another day: now another try would say the same. */
static bool tell_next(const struct guardians_told *told, bool *more)
{
    struct error e = {0};
    struct telling t = {.rooms = told->rooms};
    bool done = writer_run(told->writer, job_tell, &t, &e);
    if (!done && e.code != ERROR_UNKNOWN && t.hearer != 0) {
        log_warn("guardians", "one could not be told that a child has a new guardian: %s", error_sentence(&e));
        done = writer_run(told->writer, job_later, &t.hearer, &e);
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
