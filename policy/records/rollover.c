#include "policy/records/rollover.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/imports.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"
#include "policy/records/changelog.h"
#include "policy/records/reconcile.h"

/* What becomes of a class. */
enum class_next { CLASS_STAYS, CLASS_PROMOTED, CLASS_ENDS };

struct class_step {
    class_no no;
    int grade; /* 0: no number */
    bool homeroom;
    enum class_next next;
};

struct rollover {
    struct changing_records *c;
    struct changing_records office; /* the same, for single changes: the rollover is their reason */
    struct actor actor;
    school_no school;
    int last_grade;
    struct class_step *classes; /* heap; of the school, as they were before: new classes are not gone through */
    size_t n;
    struct rollover_counts *counts;
    struct roster_changes changes;
    struct changelog changelog;
    char source[300]; /* in the list of imports: "year:<school>" */
};

static bool failed(struct rollover *ro)
{
    return error_set(ro->c->e, ERROR_UNKNOWN, NULL);
}

static void read_classes(struct rollover *ro)
{
    struct class_row row;
    struct stmt *q = classes_all(ro->c->tx->db);
    while (classes_next(q, &row)) {
        if (row.school != ro->school || row.ended)
            continue;
        ro->classes = xrealloc(ro->classes, (ro->n + 1) * sizeof *ro->classes);
        struct class_step *class = &ro->classes[ro->n++];
        *class = (struct class_step){.no = row.no, .grade = class_grade(&row), .homeroom = row.homeroom};
        class->next = !class->homeroom || class->grade >= ro->last_grade ? CLASS_ENDS
                      : class->grade > 0                                 ? CLASS_PROMOTED
                                                                         : CLASS_STAYS;
    }
    stmt_end(q);
}

/* --- Archiving --- */

/* Before the pupils of a last grade leave and before a class gets its new rooms: who is in a room now stays in the
 * archive. Each class is reconciled by itself, so that what a later step reads is true. */
static bool archive(struct rollover *ro, const struct class_step *class)
{
    static const enum room_kind KINDS[] = {ROOM_CLASS, ROOM_GUARDIANS, ROOM_SUBJECT};
    struct reconciling *s = reconcile_begin_changelog(ro->c->tx, ro->c->rooms, &ro->changelog);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; ++i) {
        room_no room = roster_rooms_find(ro->c->tx->db, ro->school, class->no, KINDS[i]);
        if (room != 0 && !reconcile_archive(s, room, ro->c->e)) {
            reconcile_abandon(s);
            return false;
        }
    }
    return reconcile_finish(s, ro->c->e);
}

/* --- Promoting --- */

/* "5А" of grade 5 becomes "6А"; a title that does not begin with its grade stays. The caller frees it. */
static char *next_title(const struct class_row *class)
{
    struct text title = TEXT_INIT;
    char *rest;
    long number = strtol(class->title, &rest, 10);
    if (!isdigit((unsigned char)class->title[0]) || number != class_grade(class))
        return xstrdup(class->title);
    text_addf(&title, "%ld%s", number + 1, rest);
    return text_take(&title);
}

static bool promote(struct rollover *ro, struct reconciling *s, const struct class_step *class)
{
    struct class_row row;
    char grade[16];
    if (!classes_get(ro->c->tx->db, class->no, &row))
        return failed(ro);
    char *title = next_title(&row);
    snprintf(grade, sizeof grade, "%d", class->grade + 1);
    row.grade = grade;
    row.title = title;
    bool done = classes_put(ro->c->tx->db, &row) != 0 || failed(ro);
    changelog_record(&ro->changelog, "class", '~', title, CHANGELOG_CLASS, class->no, CHANGELOG_SCHOOL, ro->school);
    reconcile_class(s, class->no);
    ++ro->counts->promoted;
    class_row_finish(&row);
    free(title);
    return done;
}

static bool promote_all(struct rollover *ro)
{
    struct reconciling *s = reconcile_begin_changelog(ro->c->tx, ro->c->rooms, &ro->changelog);
    for (size_t i = 0; i < ro->n; ++i)
        if (ro->classes[i].next == CLASS_PROMOTED && !promote(ro, s, &ro->classes[i])) {
            reconcile_abandon(s);
            return false;
        }
    return reconcile_finish(s, ro->c->e);
}

/* --- Ending --- */

static user_no *pupils_of(struct db *db, class_no class, size_t *n)
{
    user_no *users = NULL;
    struct enrollment_row row;
    struct stmt *q = enrollments_of_class(db, class);
    for (*n = 0; enrollments_next(q, &row);)
        if (row.role == ROLE_PUPIL) {
            users = xrealloc(users, (*n + 1) * sizeof *users);
            users[(*n)++] = row.user;
        }
    stmt_end(q);
    return users;
}

/* Whether the class is the last homeroom of the school that the person was a pupil of: who moved to another, repeats
 * the year or works here since does not leave with the class they once were in. The latest row counts, not today's:
 * the year turns in summer, and rosters end enrollments with the lessons. */
static bool leaves_with(const struct rollover *ro, user_no user, const struct class_step *class)
{
    struct enrollment_row row;
    school_day end = 0, elsewhere = 0; /* of the latest row here and in a homeroom that does not end */
    struct stmt *q = enrollments_of_person(ro->c->tx->db, user);
    while (enrollments_next(q, &row))
        for (size_t i = 0; row.role == ROLE_PUPIL && i < ro->n; ++i) {
            const struct class_step *in = &ro->classes[i];
            school_day *latest = in->no == class->no ? &end : &elsewhere;
            if (in->no == row.class && in->homeroom && (in->no == class->no || in->next != CLASS_ENDS) &&
                row.end > *latest)
                *latest = row.end;
        }
    stmt_end(q);
    return end > elsewhere &&
           !(school_roles(ro->c->tx->db, ro->school, user) & ~(unsigned)(ROLE_PUPIL | ROLE_GUARDIAN));
}

/* Who has left already by another row of the same class is not there any more. */
static bool graduate(struct rollover *ro, const struct class_step *class)
{
    size_t n;
    bool good = true;
    user_no *users = pupils_of(ro->c->tx->db, class->no, &n);
    for (size_t i = 0; good && i < n; ++i) {
        if ((i > 0 && users[i] == users[i - 1]) || !leaves_with(ro, users[i], class))
            continue;
        changelog_record(&ro->changelog, "graduate", '-', NULL, CHANGELOG_PERSON, users[i], CHANGELOG_CLASS, class->no);
        good = change_leave_school(&ro->office, users[i], ro->school);
        ++ro->counts->pupils_left;
    }
    free(users);
    return good;
}

static bool end_all(struct rollover *ro)
{
    for (size_t i = 0; i < ro->n; ++i) {
        const struct class_step *class = &ro->classes[i];
        ro->counts->left_alone += class->next == CLASS_STAYS;
        if (class->next != CLASS_ENDS)
            continue;
        ++*(class->homeroom ? &ro->counts->graduated : &ro->counts->groups_ended);
        changelog_record(&ro->changelog, "class", '-', NULL, CHANGELOG_CLASS, class->no, CHANGELOG_SCHOOL, ro->school);
        if ((class->homeroom && !graduate(ro, class)) || !change_class_end(&ro->office, class->no))
            return false;
    }
    return true;
}

/* --- The whole --- */

json_t *rollover_counts_json(const struct rollover_counts *n)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i}", "promoted", n->promoted, "graduated", n->graduated, "groups_ended",
                     n->groups_ended, "pupils_left", n->pupils_left, "left_alone", n->left_alone);
}

static bool record(struct rollover *ro)
{
    struct tx *tx = ro->c->tx;
    json_t *counts = rollover_counts_json(ro->counts);
    char *text = json_dumps(counts, JSON_COMPACT | JSON_SORT_KEYS);
    struct import_row row = {.source = ro->source,
                             .mode = "year",
                             .author = ro->c->actor->name,
                             .changes = text,
                             .started_ms = tx->now_ms,
                             .ended_ms = tx->now_ms};
    struct audit_note note = {.actor = ro->c->actor, .act = "year.turn", .school = ro->school, .details = counts};
    bool done = imports_put(tx->db, &row) && audit_append(tx, rooms_settings(ro->c->rooms)->key, &note);
    free(text);
    return done || failed(ro);
}

static bool allowed(struct rollover *ro)
{
    struct tx *tx = ro->c->tx;
    bool school_mode = rooms_settings(ro->c->rooms)->school_mode;
    if (!school_gate(tx->db, school_mode, ro->c->actor, ACT_IMPORT, &(struct subject){.school = ro->school}, NULL, NULL,
                     ro->c->e))
        return false;
    if (ro->last_grade < 1 || ro->last_grade > 20)
        return error_set_parameter(ro->c->e, ERROR_INVALID_PARAM, "last_grade",
                                   "The last grade is a number from 1 to 20.");
    /* Two clicks must not promote everybody twice. */
    int64_t last_ms = imports_last_ms(tx->db, ro->source, "year");
    bool lately = last_ms != 0 && tx->now_ms - last_ms < ROLLOVER_AGAIN_DAYS * DAY_MS;
    if (!lately || ro->c->actor->override_ != NULL)
        return true;
    error_set(ro->c->e, ERROR_CONFLICT,
              "Учебный год этой школы уже переведён недавно. Чтобы перевести ещё раз, укажите причину.");
    ro->c->e->translation = "The year of this school was turned lately. To turn it again, give a reason.";
    return false;
}

static bool run(struct rollover *ro)
{
    if (!allowed(ro))
        return false;
    read_classes(ro);
    for (size_t i = 0; i < ro->n; ++i)
        if (ro->classes[i].next != CLASS_STAYS && !archive(ro, &ro->classes[i]))
            return false;
    return end_all(ro) && promote_all(ro) && record(ro);
}

/* Once it is done, in the same job: whoever is not in the school any more. Promoted classes are no loss. */
static bool confirmed(struct rollover *ro, int64_t people, const struct text *difference, struct rollover_loss *loss)
{
    char version[24];
    struct tx *tx = ro->c->tx;
    int64_t gone = people - loss_people(tx->db, ro->school, day_of_ms(tx->now_ms));
    loss->version =
        loss_people_beyond(gone, people, loss->limits) ? loss_version(difference->data, difference->len) : 0;
    if (loss->version == 0 || loss->confirmed == CONFIRMED_ANY || loss->confirmed == loss->version)
        return true;
    snprintf(version, sizeof version, "%lld", (long long)loss->version);
    return error_set_field(ro->c->e, loss->confirmed != 0 ? ERROR_PRECONDITION : ERROR_HELD,
                           "This rollover takes many people away: try it (dry run), then confirm it by its version.",
                           "org.parta.version", version);
}

bool rollover_run(struct changing_records *c, school_no school, int last_grade, struct rollover_counts *counts,
                  struct text *difference, struct rollover_loss *loss)
{
    struct rollover ro = {.c = c, .actor = *c->actor, .school = school, .last_grade = last_grade, .counts = counts};
    char *id = schools_sourced_id(c->tx->db, school);
    int64_t people = loss_people(c->tx->db, school, day_of_ms(c->tx->now_ms));
    *counts = (struct rollover_counts){0};
    const struct audit_note lists = {.actor = c->actor, .act = "year.turn", .school = school};
    ro.changelog = (struct changelog){.tx = c->tx, .changes = &ro.changes, .difference = difference, .note = &lists};
    if (ro.actor.override_ == NULL)
        ro.actor.override_ = "the rollover";
    ro.office = (struct changing_records){c->tx, c->rooms, &ro.actor, c->e};
    snprintf(ro.source, sizeof ro.source, "year:%s", id != NULL ? id : "");
    free(id);
    bool done = run(&ro) && confirmed(&ro, people, difference, loss);
    free(ro.classes);
    changelog_finish(&ro.changelog);
    return done;
}
