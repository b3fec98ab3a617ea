#include "policy/records/rollover.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/rooms/rooms.h"
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
enum fate { FATE_STAYS, FATE_RISES, FATE_ENDS };

struct pupil_class {
    class_no no;
    int grade; /* 0: no number */
    bool homeroom;
    enum fate fate;
};

struct turning {
    struct changing_records *c;
    struct changing_records office; /* the same, for single changes: this turn is their reason */
    struct actor actor;
    school_no school;
    int last_grade;
    struct pupil_class *classes;
    size_t n;
    struct rollover_counts *counts;
    struct roster_changes changes;
    struct changelog changelog;
    char source[300]; /* in the list of imports: "year:<school>" */
};

static bool failed(struct turning *t)
{
    return error_set(t->c->e, ERROR_UNKNOWN, NULL);
}

/* --- What there is --- */

static enum fate fate_of(const struct pupil_class *class, int last_grade)
{
    if (!class->homeroom || class->grade >= last_grade)
        return FATE_ENDS;
    return class->grade > 0 ? FATE_RISES : FATE_STAYS;
}

static void read_classes(struct turning *t)
{
    struct class_row row;
    struct stmt *q = classes_all(t->c->tx->db);
    while (classes_next(q, &row)) {
        if (row.school != t->school || row.ended)
            continue;
        t->classes = xrealloc(t->classes, (t->n + 1) * sizeof *t->classes);
        struct pupil_class *class = &t->classes[t->n++];
        *class = (struct pupil_class){.no = row.no, .grade = class_grade(&row), .homeroom = row.homeroom};
        class->fate = fate_of(class, t->last_grade);
    }
    stmt_end(q);
}

/* --- Archiving --- */

static bool archive(struct turning *t, const struct pupil_class *class)
{
    static const enum room_kind KINDS[] = {ROOM_CLASS, ROOM_GUARDIANS, ROOM_SUBJECT};
    struct reconciling *s = reconcile_begin_changelog(t->c->tx, t->c->rooms, &t->changelog);
    bool good = true;
    for (size_t i = 0; good && i < sizeof KINDS / sizeof *KINDS; ++i) {
        room_no room = roster_rooms_find(t->c->tx->db, t->school, class->no, KINDS[i]);
        good = room == 0 || reconcile_archive(s, room, t->c->e);
    }
    if (!good) {
        reconcile_abandon(s);
        return false;
    }
    return reconcile_finish(s, t->c->e);
}

static bool archive_all(struct turning *t)
{
    for (size_t i = 0; i < t->n; ++i)
        if (t->classes[i].fate != FATE_STAYS && !archive(t, &t->classes[i]))
            return false;
    return true;
}

/* --- Rising --- */

/* "5А" of grade 5 becomes "6А"; a title that does not begin with its grade stays. The caller frees it. */
static char *risen_title(const struct class_row *class)
{
    struct text title = TEXT_INIT;
    char *rest;
    long number = strtol(class->title, &rest, 10);
    if (!isdigit((unsigned char)class->title[0]) || number != class_grade(class))
        return xstrdup(class->title);
    text_addf(&title, "%ld%s", number + 1, rest);
    return text_take(&title);
}

static bool rise(struct turning *t, struct reconciling *s, const struct pupil_class *class)
{
    struct class_row row;
    char grade[16];
    if (!classes_get(t->c->tx->db, class->no, &row))
        return failed(t);
    char *title = risen_title(&row);
    snprintf(grade, sizeof grade, "%d", class->grade + 1);
    row.grade = grade;
    row.title = title;
    bool done = classes_put(t->c->tx->db, &row) != 0 || failed(t);
    changelog_record(&t->changelog, "class", '~', title, CHANGELOG_CLASS, class->no, CHANGELOG_SCHOOL, t->school);
    reconcile_class(s, class->no);
    ++t->counts->promoted;
    class_row_finish(&row);
    free(title);
    return done;
}

static bool rise_all(struct turning *t)
{
    struct reconciling *s = reconcile_begin_changelog(t->c->tx, t->c->rooms, &t->changelog);
    for (size_t i = 0; i < t->n; ++i)
        if (t->classes[i].fate == FATE_RISES && !rise(t, s, &t->classes[i])) {
            reconcile_abandon(s);
            return false;
        }
    return reconcile_finish(s, t->c->e);
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

/* Who has left already by another row of the same class is not there any more. */
static bool graduate(struct turning *t, const struct pupil_class *class)
{
    size_t n;
    bool good = true;
    user_no *users = pupils_of(t->c->tx->db, class->no, &n);
    for (size_t i = 0; good && i < n; ++i) {
        if (i > 0 && users[i] == users[i - 1])
            continue;
        changelog_record(&t->changelog, "graduate", '-', NULL, CHANGELOG_PERSON, users[i], CHANGELOG_CLASS, class->no);
        good = change_leave_school(&t->office, users[i], t->school);
        ++t->counts->pupils_left;
    }
    free(users);
    return good;
}

static bool end_all(struct turning *t)
{
    for (size_t i = 0; i < t->n; ++i) {
        const struct pupil_class *class = &t->classes[i];
        t->counts->left_alone += class->fate == FATE_STAYS;
        if (class->fate != FATE_ENDS)
            continue;
        ++*(class->homeroom ? &t->counts->graduated : &t->counts->groups_ended);
        changelog_record(&t->changelog, "class", '-', NULL, CHANGELOG_CLASS, class->no, CHANGELOG_SCHOOL, t->school);
        if ((class->homeroom && !graduate(t, class)) || !change_class_end(&t->office, class->no))
            return false;
    }
    return true;
}

/* --- The whole --- */

static json_t *counts_json(const struct turning *t)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i}", "promoted", t->counts->promoted, "graduated", t->counts->graduated,
                     "groups_ended", t->counts->groups_ended, "pupils_left", t->counts->pupils_left, "left_alone",
                     t->counts->left_alone);
}

static bool record(struct turning *t)
{
    struct tx *tx = t->c->tx;
    json_t *counts = counts_json(t);
    char *text = json_dumps(counts, JSON_COMPACT | JSON_SORT_KEYS);
    struct import_row row = {.source = t->source,
                             .mode = "year",
                             .author = t->c->actor->name,
                             .changes = text,
                             .started_ms = tx->now_ms,
                             .ended_ms = tx->now_ms};
    struct audit_note note = {.actor = t->c->actor, .act = "year.turn", .school = t->school, .details = counts};
    bool done = imports_put(tx->db, &row) && audit_append(tx, rooms_settings(t->c->rooms)->key, &note);
    free(text);
    return done || failed(t);
}

/* Two clicks must not move everybody by two years. */
static bool turned_lately(struct turning *t)
{
    int64_t last_ms = imports_last_ms(t->c->tx->db, t->source, "year");
    return last_ms != 0 && t->c->tx->now_ms - last_ms < ROLLOVER_AGAIN_DAYS * DAY_MS;
}

static bool allowed(struct turning *t)
{
    bool school_mode = rooms_settings(t->c->rooms)->school_mode;
    if (!school_gate(t->c->tx->db, school_mode, t->c->actor, ACT_IMPORT, &(struct subject){.school = t->school}, NULL,
                     NULL, t->c->e))
        return false;
    if (t->last_grade < 1 || t->last_grade > 20)
        return error_set(t->c->e, ERROR_INVALID_PARAM, "The last grade is a number from 1 to 20.");
    if (!turned_lately(t) || t->c->actor->override_ != NULL)
        return true;
    error_set(t->c->e, ERROR_CONFLICT,
              "Учебный год этой школы уже переведён недавно. Чтобы перевести ещё раз, укажите причину.");
    t->c->e->translation = "The year of this school was turned lately. To turn it again, give a reason.";
    return false;
}

static bool turn(struct turning *t)
{
    if (!allowed(t))
        return false;
    read_classes(t);
    return archive_all(t) && end_all(t) && rise_all(t) && record(t);
}

static void finish(struct turning *t)
{
    free(t->classes);
    changelog_finish(&t->changelog);
}

bool rollover_run(struct changing_records *c, school_no school, int last_grade, struct rollover_counts *counts,
                  struct text *difference)
{
    struct turning t = {.c = c, .actor = *c->actor, .school = school, .last_grade = last_grade, .counts = counts};
    char *id = schools_sourced_id(c->tx->db, school);
    *counts = (struct rollover_counts){0};
    t.changelog = (struct changelog){.tx = c->tx, .changes = &t.changes, .difference = difference};
    if (t.actor.override_ == NULL)
        t.actor.override_ = "the rollover";
    t.office = (struct changing_records){c->tx, c->rooms, &t.actor, c->e};
    snprintf(t.source, sizeof t.source, "year:%s", id != NULL ? id : "");
    free(id);
    bool done = turn(&t);
    finish(&t);
    return done;
}
