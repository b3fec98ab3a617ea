#include "policy/oneroster/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"
#include "policy/gate/school_gate.h"
#include "policy/records/day_change.h"

#define MERGES_MAX 5 /* of one archive, while other imports overtake it */

bool source_name_valid(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= SOURCE_BYTES_MAX && strcmp(name, "school") != 0 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* What the job writes beside the records. */
struct keeping {
    const char *source;
    const struct text *archive;
    const char *modified;
    int64_t base_ms;  /* the snapshot that it was merged from; −1: from none, whatever there is is replaced */
    int64_t confirms; /* version of what is held and was confirmed, which must be there still; 0: nothing */
    school_day year_end;
    int64_t newest_ms;
    bool overtaken; /* out: that snapshot is not there any more */
};

static bool is_same(const struct roster_snapshot_row *row, const struct keeping *k)
{
    return row->len == k->archive->len && memcmp(row->archive, k->archive->data, row->len) == 0 &&
           strcmp(row->modified, k->modified) == 0;
}

/* What is held of the source ends with the import that goes through; confirmed, it must be there still. */
static bool end_held(struct tx *tx, const struct keeping *k, struct error *e)
{
    int64_t version;
    bool there = held_imports_of(tx->db, k->source, &version) != 0;
    if (k->confirms > 0 && version != k->confirms)
        return error_set(e, ERROR_PRECONDITION, NULL);
    return !there || held_imports_drop(tx->db, k->source) || error_set(e, ERROR_UNKNOWN, NULL);
}

/* In the import's job. A snapshot that says the same is not written again; one that does not say how old it is is as
 * old as the last. */
static bool keep_snapshot(struct tx *tx, void *arg, struct error *e)
{
    struct keeping *k = arg;
    struct roster_snapshot_row row, now = {.archive = k->archive->data, .len = k->archive->len};
    bool there = roster_snapshots_get(tx->db, k->source, &row);
    bool good = k->base_ms < 0 || row.updated_ms == k->base_ms;
    now.year_end = k->year_end != DAY_EVER ? k->year_end : row.year_end;
    now.newest_ms = k->newest_ms != 0 ? k->newest_ms : row.newest_ms;
    bool same = there && good && is_same(&row, k) && row.year_end == now.year_end && row.newest_ms == now.newest_ms;
    roster_snapshots_finish(&row);
    k->overtaken = !good;
    if (!good)
        return error_set(e, ERROR_CONFLICT, "Another import of this source came in between: try again.");
    snprintf(now.modified, sizeof now.modified, "%s", k->modified);
    return end_held(tx, k, e) &&
           (same || roster_snapshots_put(tx, k->source, &now) || error_set(e, ERROR_UNKNOWN, NULL));
}

static bool tell_error(struct text *problem, const struct error *e)
{
    text_clear(problem);
    text_adds(problem, error_sentence(e));
    if (*e->value != '\0')
        text_addf(problem, " (%s)", e->value);
    return false;
}

static bool tell_problems(struct text *problem, const struct roster_problems *found, struct error *e)
{
    text_clear(problem);
    roster_problems_add_refusals(problem, found);
    return error_set(e, ERROR_INVALID_PARAM, "The roster is refused.");
}

void source_note(const struct source_import *s, const char *fmt, ...)
{
    char line[256];
    va_list ap;
    if (s->note == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    s->note(s->note_self, line);
}

static void note(const struct source_import *s, int64_t since_ms, const struct roster *roster, const char *what)
{
    source_note(s, "%s: %zu schools, %zu classes and groups, %zu people; %.1f s", what, roster->n_schools,
                roster->n_classes, roster->n_people, (double)(clock_mono_ms() - since_ms) / 1000);
}

/* --- Held (G5) --- */

#define LINES_BYTES_MAX (1 << 20) /* of the list that is kept */

void source_outcome_finish(struct source_outcome *out)
{
    import_loss_finish(&out->loss);
    roster_problems_finish(&out->problems);
}

struct holding {
    struct source_import *s;
    const struct keeping *k;
    struct source_outcome *out;
};

/* Whole lines. */
static int64_t cut_lines(const struct text *lines, struct text *out)
{
    size_t len = lines->len;
    int64_t left_out = 0;
    while (len > LINES_BYTES_MAX || (len > 0 && len < lines->len && lines->data[len - 1] != '\n'))
        left_out += lines->data[--len] == '\n';
    text_add(out, lines->data != NULL ? lines->data : "", len);
    return left_out;
}

static bool note_held(struct tx *tx, const struct roster_import *how, const char *act, const char *source,
                      int64_t version, const json_t *schools)
{
    school_no *concerned;
    size_t n = loss_schools(schools, tx->db, &concerned);
    const struct audit_note note = {.actor = how->actor != NULL ? how->actor : &ACTOR_COMMAND_LINE,
                                    .act = act,
                                    .schools = concerned,
                                    .n_schools = n,
                                    .details = json_pack("{s:s, s:o, s:O*}", "source", source, "version",
                                                         json_sprintf("%lld", (long long)version), "schools", schools)};
    bool done = audit_append(tx, rooms_settings(how->rooms)->key, &note);
    free(concerned);
    return done;
}

/* A pull brings the same list again and again: it is held once, from the first time on. */
static bool job_hold(struct tx *tx, void *arg, struct error *e)
{
    struct holding *h = arg;
    const struct roster_import *how = &h->s->how;
    struct import_loss *loss = &h->out->loss;
    struct text lines = TEXT_INIT;
    int64_t version, left_out = cut_lines(&loss->lines, &lines);
    bool known = held_imports_of(tx->db, h->k->source, &version) != 0 && version == loss->version;
    json_t *counts = roster_changes_json(&loss->changes);
    char *schools = json_dumps(loss->schools, JSON_COMPACT), *changes = json_dumps(counts, JSON_COMPACT);
    struct held_import_row row = {
        .version = loss->version,
        .source = h->k->source,
        .mode = h->out->mode,
        .author = how->actor != NULL ? how->actor->name : ACTOR_COMMAND_LINE.name,
        .schools = schools,
        .changes = changes,
        .difference = lines.data != NULL ? lines.data : "",
        .left_out = left_out,
        .older = how->older != NULL ? how->older : "",
        .base_ms = h->k->base_ms,
        .created_ms = tx->now_ms,
        .archive = h->k->archive->data,
        .len = h->k->archive->len,
    };
    snprintf(row.modified, sizeof row.modified, "%s", h->k->modified);
    bool done = known || (held_imports_put(tx->db, &row) &&
                          note_held(tx, how, "roster.hold", row.source, row.version, loss->schools));
    h->out->held = held_imports_of(tx->db, h->k->source, &version);
    json_decref(counts);
    free(schools);
    free(changes);
    text_finish(&lines);
    return done || error_set(e, ERROR_UNKNOWN, NULL);
}

/* After an import that was refused for what it takes away: it waits. *e stays the refusal. */
static void hold(struct source_import *s, const struct keeping *keeping, struct source_outcome *out)
{
    struct error failed = {0};
    struct holding holding = {.s = s, .k = keeping, .out = out};
    if (!writer_run(s->how.writer, job_hold, &holding, &failed))
        log_warn("roster", "an import of %s could not be held: %s", keeping->source, error_sentence(&failed));
    else
        log_warn("roster", "an import of %s is held as %lld: it would take away or change much; parta roster held",
                 keeping->source, (long long)out->held);
}

static void tell_line(void *s, const char *line)
{
    source_note(s, "%s", line);
}

/* Before anything is done: what of the roster is left out, and what is understood otherwise than it is written. */
static void tell_remarks(struct source_import *s, const struct source_outcome *out)
{
    if (s->note != NULL)
        roster_problems_tell(&out->problems, tell_line, s);
}

/* Known when it is done, or has been tried. Without names to the log, for whoever runs pulls. */
static void tell_together(struct source_import *s, const struct source_outcome *out)
{
    char n[24];
    if (out->problems.counts[PROBLEM_KEPT_TOGETHER] == 0)
        return;
    snprintf(n, sizeof n, "%" PRId64, out->problems.counts[PROBLEM_KEPT_TOGETHER]);
    if (!s->how.dry_run)
        log_line(LOG_WARN, "roster", "brings people together who are kept from each other (D9)", "source", s->source,
                 "people", n, NULL);
    if (s->note != NULL)
        roster_problems_tell_kind(&out->problems, PROBLEM_KEPT_TOGETHER, tell_line, s);
}

static bool import_and_keep(struct source_import *s, const struct roster_update *update, struct keeping *keeping,
                            struct source_outcome *out, struct text *problem, struct error *e)
{
    int64_t began = clock_mono_ms();
    struct text *difference = s->how.difference;
    size_t said = difference != NULL ? difference->len : 0;
    s->how.roster = update->roster;
    s->how.source = s->source;
    s->how.mode = out->mode;
    s->how.also = keep_snapshot;
    s->how.also_arg = keeping;
    s->how.loss = &out->loss;
    s->how.note = s->note;
    s->how.note_self = s->note_self;
    keeping->confirms = s->how.confirmed;
    keeping->year_end = update->roster->year_end;
    keeping->newest_ms = update->roster->newest_ms;
    s->how.remarks = &out->problems;
    import_loss_finish(&out->loss);
    if (!roster_import(&s->how, &out->changes, e)) {
        out->overtaken = keeping->overtaken;
        if (out->loss.version != 0 && out->loss.version != s->how.confirmed)
            hold(s, keeping, out);
        if (difference != NULL && difference->len > said) { /* of something that was not done: it is told anew */
            difference->len = said;
            difference->data[said] = '\0';
        }
        return tell_error(problem, e);
    }
    tell_together(s, out);
    note(s, began, update->roster, s->how.dry_run ? "tried" : "imported");
    return true;
}

static bool pack(const struct snapshot *snapshot, struct text *archive, struct text *problem, struct error *e)
{
    return snapshot_pack(snapshot, archive) || (error_set(e, ERROR_UNKNOWN, NULL), tell_error(problem, e));
}

static void update_finish(struct roster_update *update)
{
    roster_destroy(update->roster);
    snapshot_destroy(update->snapshot);
}

static bool import_archive(struct source_import *s, const void *bytes, size_t len, struct source_outcome *out,
                           struct text *problem, struct error *e)
{
    int64_t began = clock_mono_ms();
    struct roster_update update;
    struct roster_snapshot_row base;
    struct text archive = TEXT_INIT;
    source_outcome_finish(out);
    *out = (struct source_outcome){.mode = "bulk"};
    *e = (struct error){0};
    roster_snapshots_get(s->how.db, s->source, &base);
    bool done = roster_read_update(bytes, len, base.archive, base.len, &update, &out->problems) ||
                tell_problems(problem, &out->problems, e);
    if (done) {
        out->mode = update.delta ? "delta" : "bulk";
        tell_remarks(s, out);
        note(s, began, update.roster, update.delta ? "read and merged" : "read");
        struct keeping keeping = {.source = s->source,
                                  .archive = &archive,
                                  .modified = update.delta ? base.modified : "",
                                  .base_ms = update.delta ? base.updated_ms : -1};
        done = pack(update.snapshot, &archive, problem, e) && import_and_keep(s, &update, &keeping, out, problem, e);
        update_finish(&update);
    }
    roster_snapshots_finish(&base);
    text_finish(&archive);
    return done;
}

bool source_import_archive(struct source_import *s, const void *bytes, size_t len, struct source_outcome *out,
                           struct text *problem, struct error *e)
{
    *out = (struct source_outcome){0};
    bool done = import_archive(s, bytes, len, out, problem, e);
    for (int i = 1; !done && out->overtaken && i < MERGES_MAX; ++i) {
        source_note(s, "another import of %s came in between: merged anew", s->source);
        text_clear(problem);
        source_outcome_finish(out);
        done = import_archive(s, bytes, len, out, problem, e);
    }
    return done;
}

/* base with the changes, as rows and as a roster. */
static bool merge(const struct roster_snapshot_row *base, struct roster_delta *changes, struct roster_update *out,
                  struct roster_problems *problems)
{
    struct roster_problem damaged;
    struct snapshot *before =
        base->archive != NULL ? snapshot_open(base->archive, base->len, &damaged) : snapshot_create();
    *out = (struct roster_update){.delta = base->archive != NULL};
    out->snapshot = before != NULL ? snapshot_merge(before, changes, &damaged) : NULL;
    snapshot_destroy(before);
    if (out->snapshot == NULL)
        roster_problems_say(problems, PROBLEM_REFUSED, damaged.file, "%s", damaged.message);
    else
        out->roster = roster_read_snapshot(out->snapshot, problems);
    if (out->roster != NULL)
        return true;
    snapshot_destroy(out->snapshot);
    return false;
}

bool source_import_changes(struct source_import *s, const struct roster_snapshot_row *base,
                           struct roster_delta *changes, const char *modified, struct source_outcome *out,
                           struct text *problem, struct error *e)
{
    int64_t began = clock_mono_ms();
    struct roster_update update;
    struct text archive = TEXT_INIT;
    source_outcome_finish(out);
    *out = (struct source_outcome){.mode = "pull"};
    *e = (struct error){0};
    if (!merge(base, changes, &update, &out->problems))
        return tell_problems(problem, &out->problems, e);
    if (update.roster->n_people == 0) {
        update_finish(&update);
        text_clear(problem);
        text_adds(problem, "The source has no people at all: that can't be meant.");
        return error_set(e, ERROR_INVALID_PARAM, "The roster is refused.");
    }
    note(s, began, update.roster, "merged");
    struct keeping keeping = {.source = s->source,
                              .archive = &archive,
                              .modified = modified,
                              .base_ms = update.delta ? base->updated_ms : -1};
    bool done = pack(update.snapshot, &archive, problem, e);
    out->same = done && update.delta && is_same(base, &keeping);
    if (!out->same)
        tell_remarks(s, out);
    if (done && !out->same)
        done = import_and_keep(s, &update, &keeping, out, problem, e);
    update_finish(&update);
    text_finish(&archive);
    return done;
}

/* --- Confirming --- */

static bool job_forget_day(struct tx *tx, void *arg, struct error *e)
{
    return held_imports_drop(tx->db, DAY_SOURCE) || error_set(e, ERROR_UNKNOWN, NULL);
}

/* A day's dates: no roster, the records as they are. Another list than was seen is made by the next run of the day's
 * job. */
static bool confirm_day(struct source_import *s, const struct held_import_row *row, struct source_outcome *out,
                        struct text *problem, struct error *e)
{
    s->how.roster = NULL;
    s->how.source = s->source = row->source;
    s->how.mode = row->mode;
    s->how.loss = &out->loss;
    s->how.confirmed = row->version;
    if (roster_import(&s->how, &out->changes, e))
        return true;
    if (e->code == ERROR_PRECONDITION)
        writer_run(s->how.writer, job_forget_day, NULL, &(struct error){0});
    return tell_error(problem, e);
}

bool source_import_held(struct source_import *s, const struct held_import_row *row, int64_t version,
                        struct source_outcome *out, struct text *problem, struct error *e)
{
    int64_t began = clock_mono_ms();
    struct roster_problem damaged;
    struct roster_update update = {.delta = row->base_ms >= 0};
    struct text archive = TEXT_INIT;
    *out = (struct source_outcome){.mode = row->mode};
    *e = (struct error){0};
    if (version != row->version) {
        error_set(e, ERROR_PRECONDITION, NULL);
        return tell_error(problem, e);
    }
    if (strcmp(row->mode, DAY_MODE) == 0)
        return confirm_day(s, row, out, problem, e);
    update.snapshot = snapshot_open(row->archive, row->len, &damaged);
    if (update.snapshot == NULL)
        roster_problems_say(&out->problems, PROBLEM_REFUSED, damaged.file, "%s", damaged.message);
    else
        update.roster = roster_read_snapshot(update.snapshot, &out->problems);
    bool done = update.roster != NULL || tell_problems(problem, &out->problems, e);
    text_add(&archive, row->archive, row->len);
    if (update.roster != NULL) {
        tell_remarks(s, out);
        note(s, began, update.roster, "read");
        struct keeping keeping = {
            .source = row->source, .archive = &archive, .modified = row->modified, .base_ms = row->base_ms};
        s->source = row->source;
        s->how.confirmed = version;
        s->how.older = *row->older != '\0' ? row->older : NULL;
        done = import_and_keep(s, &update, &keeping, out, problem, e);
    }
    roster_destroy(update.roster);
    snapshot_destroy(update.snapshot);
    text_finish(&archive);
    return done;
}

struct dropping {
    const struct roster_import *how;
    const struct held_import_row *row;
};

static bool job_drop(struct tx *tx, void *arg, struct error *e)
{
    const struct dropping *d = arg;
    const struct roster_import *how = d->how;
    int64_t version;
    if (!school_gate(tx->db, rooms_settings(how->rooms)->school_mode,
                     how->actor != NULL ? how->actor : &ACTOR_COMMAND_LINE, ACT_IMPORT, &(struct subject){0}, NULL,
                     NULL, e))
        return false;
    if (held_imports_of(tx->db, d->row->source, &version) != d->row->no || version != d->row->version)
        return error_set(e, ERROR_PRECONDITION, NULL);
    json_t *schools = json_loads(d->row->schools, 0, NULL);
    bool done = held_imports_drop(tx->db, d->row->source) &&
                note_held(tx, how, "roster.drop", d->row->source, version, schools);
    json_decref(schools);
    return done || error_set(e, ERROR_UNKNOWN, NULL);
}

bool source_drop_held(const struct roster_import *how, const struct held_import_row *row, struct error *e)
{
    return writer_run(how->writer, job_drop, &(struct dropping){how, row}, e);
}
