/* Rosters by the name of their source: a source's data is read, its snapshot kept (snapshot.h), its records imported.
 *
 * However a roster comes, as a bulk or delta export or by a pull, it is the whole roster of its source that is
 * imported, and the snapshot is written in the import's own transaction: an import that is refused, tried (dry_run) or
 * cut short leaves both as they were. Two imports of one source can't overtake each other: what a delta was merged into
 * must still be the snapshot when the job runs, otherwise nothing has changed, and it is merged anew into what is there
 * now.
 *
 * What is beyond the limits (school.md G5, policy/records/loss.h) is kept whole beside (store/school/held_imports.h),
 * in place of what was held of the source before, and imported when somebody confirms the version of the list that they
 * were shown. Every fact is asked again then: another list is shown and held anew. An import of the source that goes
 * through ends what is held of it. */
#ifndef PARTA_POLICY_ONEROSTER_SOURCE_H
#define PARTA_POLICY_ONEROSTER_SOURCE_H

#include "homeserver/store/school/held_imports.h"
#include "homeserver/store/school/roster_snapshots.h"
#include "policy/oneroster/import.h"
#include "policy/oneroster/snapshot.h"

#define SOURCE_DEFAULT "roster"
#define SOURCE_BYTES_MAX 64

/* A source's name: letters, digits, '.', '-', '_'; at most 64, and not "school", which is what people enter. */
bool source_name_valid(const char *name);

struct source_import {
    const char *source;
    struct roster_import how; /* roster, source, mode, loss, also, also_arg, note, note_self: filled in here */
    /* Told what was done so far, a line without its end, while the rest takes its time; NULL: nobody wants to know. */
    void (*note)(void *self, const char *line);
    void *note_self;
};

/* One line to s->note, if anybody wants it; cut at 255 bytes. On the thread that imports. */
void source_note(const struct source_import *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What was done, beside the counts. */
struct source_outcome {
    struct roster_changes changes;
    const char *mode;                /* "bulk", "delta", "pull" */
    bool same;                       /* a pull that brought nothing new: nothing was imported */
    bool overtaken;                  /* false was returned because another import of the source came in between */
    int64_t held;                    /* false was returned, and it waits to be confirmed under this number; 0: not */
    struct import_loss loss;         /* what is lost; version 0: not more than the limits say. Also of a dry run */
    struct roster_problems problems; /* why it is refused; or what was left out, and what is understood otherwise */
};

/* Frees the list of losses and the problems; also where false was returned. */
void source_outcome_finish(struct source_outcome *out);

/* An archive. *out is filled in either way, for the caller to finish. false: *problem says why (of a bad file: up to
 * 100 lines, each with its place), *e has a code (ERROR_INVALID_PARAM: the archive is to blame); nothing has changed.
 * What is left out is noted before anything is done. Blocks, long. */
bool source_import_archive(struct source_import *s, const void *bytes, size_t len, struct source_outcome *out,
                           struct text *problem, struct error *e);

/* What a pull brought; *out has been filled in before. Overtaken, it must be pulled anew: what it brought may be older
 * than what is there now. base: the row that changes is merged into (archive NULL: a full pull, everything is in
 * changes). modified: what the next pull begins from. An increment that changes nothing imports nothing. */
bool source_import_changes(struct source_import *s, const struct roster_snapshot_row *base,
                           struct roster_delta *changes, const char *modified, struct source_outcome *out,
                           struct text *problem, struct error *e);

/* Imports what is held under that number, which must have that version. false: as above; ERROR_NOT_FOUND;
 * ERROR_PRECONDITION: the list is another by now, and is held under out->held with out->loss's version. s: source is
 * filled in, *row (borrowed) has it. Blocks, long. */
bool source_import_held(struct source_import *s, const struct held_import_row *row, int64_t version,
                        struct source_outcome *out, struct text *problem, struct error *e);

/* Drops what is held, with an entry in the log. false: *e. Blocks. */
bool source_drop_held(const struct roster_import *how, const struct held_import_row *row, struct error *e);

#endif
