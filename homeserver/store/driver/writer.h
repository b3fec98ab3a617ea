/* The writer: one thread owns the one write connection.
 *
 * A worker hands it a job and waits. The writer takes all jobs that wait, runs them one after the other in one
 * transaction, each as if behind its own savepoint, commits once (one sync of the disk), tells the observers what
 * changed, and wakes the workers. So: what writer_run answered true for is on disk; a job that returned false or met a
 * failing database has changed nothing; jobs see the world exactly as the jobs before them left it, which is why
 * everything that guards a write (event authorization, the school's rules, limits) is asked inside the job.
 *
 * Jobs are short: parse before, render after. A job must not call writer_run.
 *
 * Observers run on the writer's thread after the commit, with the changes of the group in order of position, before the
 * workers wake: who was answered finds the effect. They must not block or fail. */
#ifndef PARTA_STORE_DRIVER_WRITER_H
#define PARTA_STORE_DRIVER_WRITER_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct incarnations;
struct metrics;
struct row_changes;
struct writer;

/* What a job can touch. Valid inside the job only. */
struct tx {
    struct db *db;
    struct writer *writer;
    int64_t now_ms; /* wall clock when the group began; events of one group share it */
    int64_t serial; /* of this job, rising: tells memory kept across jobs what this one has touched */
};

/* What changed, as observers hear it: values alone, which could cross to another process. Who is concerned and what it
 * says in words, whoever needs it looks up: by position, in the memory of what was written lately (base/recent.h) or in
 * the database. */
enum change_kind {
    CHANGE_EVENT,        /* room, user = sender */
    CHANGE_MEMBERSHIP,   /* room, user = whose; right after the CHANGE_EVENT of the same pos */
    CHANGE_RECEIPT,      /* room, user = whose, event; private: only that user's own syncs */
    CHANGE_TYPING,       /* room; kept in memory */
    CHANGE_ACCOUNT_DATA, /* user; room 0: global */
    CHANGE_PROFILE,      /* user */
    CHANGE_SESSION,      /* user, device: signed out, its token replaced, what its account may changed; device 0: all */
    CHANGE_DEVICES,      /* user: its list of devices; device: which one, 0: several */
    CHANGE_PRESENCE,     /* user */
    CHANGE_TO_DEVICE,    /* user, device: a message waits for it */
    CHANGE_KEYS,         /* user: what others see of their devices' and cross-signing keys */
    CHANGE_KEY_COUNTS,   /* user, device, event = enum key_counts_bits
                        * (store/matrix/one_time_keys.h): what there is now */
    CHANGE_KEYS_LOW,     /* user, device: it should upload keys soon */
    CHANGE_ENCRYPTED,    /* room, user: a room where messages are encrypted has somebody new, or less, or is one now */
    CHANGE_THREAD_SUBSCRIPTION, /* user: only their own syncs */
    CHANGE_TAKEN, /* event: what it says was taken from it; no news by itself, nobody may be told it from memory */
    CHANGE__COUNT
};

struct change {
    enum change_kind kind;
    bool private_;
    stream_pos pos; /* 0 for CHANGE_SESSION, CHANGE_KEY_COUNTS and CHANGE_TAKEN, which no /sync tells */
    room_no room;
    user_no user;
    device_no device;
    stream_pos event; /* CHANGE_RECEIPT: where the event is that was read. CHANGE_TAKEN: where it is. CHANGE_KEY_COUNTS:
                       * see there */
};

/* The next position of the one stream. Positions rise in commit order; gaps mean nothing. */
stream_pos tx_next_pos(struct tx *tx);

/* Writes that this moment was seen, which also shows whether the disk takes anything. *back_ms: by how much the wall
 * clock has gone back since the latest that was seen, or a group of this run was stamped with; 0: not, or less than
 * CLOCK_SLACK_MS, which it does when it is set right. */
bool tx_note_time(struct tx *tx, int64_t *back_ms);

/* A number for a row that people of several schools see theirs of: above last, the highest in its table, and made of
 * the time and a draw, so that no gap tells how many others there are (A1). Fits into JSON's integers. */
int64_t tx_number_after(const struct tx *tx, int64_t last);

/* Queues a change for the observers; dropped if the job or the commit fails. For the function that writes what changed
 * (homeserver/store, the event recorder) and nobody else, so that no caller can forget it. */
void tx_change(struct tx *tx, struct change change);

/* Whether anybody observes. If not (the command line, without a server), nothing need be kept for them. */
bool tx_heard(const struct tx *tx);

/* This job will touch much of the database (an import): until its group ends the writer may use 128 MiB more. */
void tx_bulk(struct tx *tx);

/* Calls undo(arg) if this job or the group's commit fails: for what a job keeps in memory. */
void tx_on_rollback(struct tx *tx, void (*undo)(void *arg), void *arg);

/* J2: who acts in this job and what it is called in the audit log, for a job below policy/audit/audit.h, which cannot
 * write an entry itself: what it does to guarded rows (guarded.h) is told in one of this name. Both are copied. */
void tx_acts(struct tx *tx, const char *actor, const char *act);

/* The same for what a person does to their own account, as far as guarded.h says that it is
 * theirs: it needs no entry. */
void tx_own(struct tx *tx, user_no user);

/* What tx_acts and tx_own said; actor "" and user 0: nothing. */
struct tx_acting {
    char actor[ID_BYTES_MAX + 64], act[64];
    user_no own;
};
const struct tx_acting *tx_acting(const struct tx *tx);

/* What this job did to guarded rows that no entry has taken yet. NULL: the writer has no guard. */
struct row_changes *tx_row_changes(struct tx *tx);
void *tx_guard(struct tx *tx); /* the self of writer_guard; NULL: there is none */

typedef bool writer_job(struct tx *tx, void *arg, struct error *e);
typedef void writer_observer(void *self, const struct change *changes, size_t n);

/* Opens path, migrates it, starts the thread. NULL: logged. */
struct writer *writer_start(const char *path, const struct db_options *options);

/* A read connection on the same database, which notes how the disk fares where the writer does (storage.h): who reads
 * beside the workers opens one so. The caller closes it. NULL: logged. Any thread. */
struct db *writer_open_reader(const struct writer *writer);
void writer_stop(struct writer *writer); /* finishes what waits; NULL is accepted */

/* It hears from the next group on. Whoever must hear of everything is added before the first job. */
void writer_observe(struct writer *writer, writer_observer *fn, void *self);

/* J2: from now on a job that did something to guarded rows of which no entry tells is asked about at its end: fn writes
 * what is missing, or answers false, and the job has failed and changed nothing. Before the
 * first job. false: logged. */
typedef bool writer_guard_fn(void *self, struct tx *tx);
bool writer_guard(struct writer *writer, writer_guard_fn *fn, void *self);

/* Runs job in the next group and waits until it is durable. false: refused or failed, *e (never NULL) says how, nothing
 * changed. Blocks (disk): workers only, never a loop. */
bool writer_run(struct writer *writer, writer_job *job, void *arg, struct error *e);

/* The same without waiting: done(done_arg, ok) is called on the writer's thread once the job is durable or refused (or
 * at once, on this thread, when the writer has stopped). arg and e live until then; done must be short and must not
 * block. */
void writer_submit(struct writer *writer, writer_job *job, void *arg, struct error *e, void (*done)(void *arg, bool ok),
                   void *done_arg);

/* The same for a job that may be repeated: what it does follows from the database and arg alone, it changes nothing of
 * arg that its next run would read, and what it leaves in memory is undone by tx_on_rollback. It may then run a second
 * time after all that it did the first time is taken back, and shares a savepoint with its like, which costs less. */
void writer_submit_repeatable(struct writer *writer, writer_job *job, void *arg, struct error *e,
                              void (*done)(void *arg, bool ok), void *done_arg);

/* db_scrub, between two groups: jobs wait until it is done. false: *e; *whole is false then. */
bool writer_scrub(struct writer *writer, int64_t at_most_bytes, bool *whole, struct error *e);

/* The last committed position: everything up to it is visible to readers that begin after the call. Any thread. */
stream_pos writer_pos(const struct writer *writer);

/* The server, before it gives any token away: this run is one of its own (incarnations.h). false: *e. Blocks. */
bool writer_begin_incarnation(struct writer *writer, struct error *e);
struct incarnations *writer_incarnations(const struct writer *writer); /* borrowed; any thread */

/* How many groups and jobs were committed so far. */
void writer_counts(const struct writer *writer, int64_t *groups, int64_t *jobs);
void writer_metrics(struct writer *writer, struct metrics *metrics);

/* The write connection, to make it fail (db_fail_after) while no job runs. */
struct db *writer_db_for_tests(struct writer *writer);

#endif
