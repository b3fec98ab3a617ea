#include "policy/oneroster/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/store/driver/writer.h"

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
    int64_t base_ms; /* the snapshot that it was merged from; −1: from none, whatever there is is replaced */
    bool overtaken;  /* out: that snapshot is not there any more */
};

static bool is_same(const struct roster_snapshot_row *row, const struct keeping *k)
{
    return row->len == k->archive->len && memcmp(row->archive, k->archive->data, row->len) == 0 &&
           strcmp(row->modified, k->modified) == 0;
}

/* In the import's job. A snapshot that says the same is not written again. */
static bool keep_snapshot(struct tx *tx, void *arg, struct error *e)
{
    struct keeping *k = arg;
    struct roster_snapshot_row row, now = {.archive = k->archive->data, .len = k->archive->len};
    bool there = roster_snapshots_get(tx->db, k->source, &row);
    bool good = k->base_ms < 0 || row.updated_ms == k->base_ms;
    bool same = there && good && is_same(&row, k);
    roster_snapshots_finish(&row);
    k->overtaken = !good;
    if (!good)
        return error_set(e, ERROR_CONFLICT, "Another import of this source came in between: try again.");
    snprintf(now.modified, sizeof now.modified, "%s", k->modified);
    return same || roster_snapshots_put(tx, k->source, &now) || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool tell_error(struct text *problem, const struct error *e)
{
    text_clear(problem);
    text_adds(problem, error_sentence(e));
    if (*e->value != '\0')
        text_addf(problem, " (%s)", e->value);
    return false;
}

static bool tell_problem(struct text *problem, const struct roster_problem *found, struct error *e)
{
    char where[512];
    text_clear(problem);
    text_adds(problem, roster_problem_text(found, where, sizeof where));
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
    if (!roster_import(&s->how, &out->changes, e)) {
        out->overtaken = keeping->overtaken;
        if (difference != NULL && difference->len > said) { /* of something that was not done: it is told anew */
            difference->len = said;
            difference->data[said] = '\0';
        }
        return tell_error(problem, e);
    }
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
    struct roster_problem found;
    struct roster_snapshot_row base;
    struct text archive = TEXT_INIT;
    *out = (struct source_outcome){.mode = "bulk"};
    *e = (struct error){0};
    roster_snapshots_get(s->how.db, s->source, &base);
    bool done =
        roster_read_update(bytes, len, base.archive, base.len, &update, &found) || tell_problem(problem, &found, e);
    if (done) {
        out->mode = update.delta ? "delta" : "bulk";
        note(s, began, update.roster, update.delta ? "read and merged" : "read");
        struct keeping keeping = {s->source, &archive, update.delta ? base.modified : "",
                                  update.delta ? base.updated_ms : -1};
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
    bool done = import_archive(s, bytes, len, out, problem, e);
    for (int i = 1; !done && out->overtaken && i < MERGES_MAX; ++i) {
        source_note(s, "another import of %s came in between: merged anew", s->source);
        text_clear(problem);
        done = import_archive(s, bytes, len, out, problem, e);
    }
    return done;
}

/* base with the changes, as rows and as a roster. */
static bool merge(const struct roster_snapshot_row *base, struct roster_delta *changes, struct roster_update *out,
                  struct roster_problem *found)
{
    struct snapshot *before =
        base->archive != NULL ? snapshot_open(base->archive, base->len, found) : snapshot_create();
    *out = (struct roster_update){.delta = base->archive != NULL};
    out->snapshot = before != NULL ? snapshot_merge(before, changes, found) : NULL;
    snapshot_destroy(before);
    out->roster = out->snapshot != NULL ? roster_read_snapshot(out->snapshot, found) : NULL;
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
    struct roster_problem found;
    struct text archive = TEXT_INIT;
    *out = (struct source_outcome){.mode = "pull"};
    *e = (struct error){0};
    if (!merge(base, changes, &update, &found))
        return tell_problem(problem, &found, e);
    if (update.roster->n_people == 0) {
        update_finish(&update);
        text_clear(problem);
        text_adds(problem, "The source has no people at all: that can't be meant.");
        return error_set(e, ERROR_INVALID_PARAM, "The roster is refused.");
    }
    note(s, began, update.roster, "merged");
    struct keeping keeping = {s->source, &archive, modified, update.delta ? base->updated_ms : -1};
    bool done = pack(update.snapshot, &archive, problem, e);
    out->same = done && update.delta && is_same(base, &keeping);
    if (done && !out->same)
        done = import_and_keep(s, &update, &keeping, out, problem, e);
    update_finish(&update);
    text_finish(&archive);
    return done;
}
