/* Where changes go: the one interface between what the diary said and who is told.
 *
 * A sink gets each change with everybody whom it concerns already found in the roster, and answers what became of it. A
 * change that is not told now comes again with the next reading of its source. The transaction id follows from source,
 * record and revision alone: a sink that is given one it has had tells nobody again and answers SINK_TOLD. */
#ifndef PARTA_DIARY_SINK_H
#define PARTA_DIARY_SINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appservice/diary/reading.h"
#include "appservice/diary/record.h"

#define TXN_BYTES 44 /* "d" and 42 hexadecimal digits, and a NUL */

enum change_what { CHANGE_NEW, CHANGE_CHANGED, CHANGE_WITHDRAWN };

struct matcher;

struct notice {
    enum change_what what;
    const char *source, *id;
    enum record_kind kind;
    school_day day;
    int64_t revision; /* 1: nothing was told of it before */
    char txn[TXN_BYTES];
    const struct record *record; /* NULL: withdrawn */
    const char *const *pupils;   /* Matrix ids in the order of the record's; of its own pupils, never of a group's */
    size_t n_pupils;
    const char *class_id; /* sourcedId of the group; NULL: the record names none */
    bool in_doubt;        /* it may have been told before a crash */
    /* The reading of which it is; NULL: it came by itself, and nothing else can be said again. */
    const struct reading *reading;
    const struct matcher *matcher; /* who is who in it; NULL with it */
    const struct notice *together; /* another new mark of the same lesson, in one message with it; NULL: no more */
};

enum sink_answer {
    SINK_TOLD,
    SINK_LATER,    /* not now: nobody was told; it comes again with the next reading */
    SINK_IN_DOUBT, /* the same, but somebody was told, or may have been: it comes again in_doubt */
    SINK_REFUSED,  /* never so: kept as a problem, and comes again when it has changed */
    SINK_BEGUN     /* struct sink's finish says what became of it */
};

/* A reading that has been compared. */
struct has_read {
    const char *source;
    const struct reading *reading; /* NULL: of a diary that comes by itself, now and then */
    const struct matcher *matcher; /* the same */
    int64_t now_ms;                /* the wall clock */
};

struct sink {
    enum sink_answer (*tell)(void *self, const struct notice *notice); /* may block */
    void *self;
    /* An event of the homeserver's, decrypted. false: not now, it comes again. NULL: the sink hears nothing. May block.
     * The same event twice has one effect. */
    bool (*hear)(void *self, const json_t *event);
    /* After all that is new of a reading was told: what waits for its time, or for values that are not kept, can be
     * said now. false: something is due that a whole reading would know, and this one of changes does not. NULL:
     * nothing waits. May block. */
    bool (*has_read)(void *self, const struct has_read *read);
    /* What became of a notice that has begun: never SINK_BEGUN. All of them are asked for before the batch is noted.
     * NULL: tell always says it itself. May block. */
    enum sink_answer (*finish)(void *self, const struct notice *notice);
    /* A reading is about to be told: what was learnt before it does not count. NULL: nothing was. */
    void (*begin)(void *self);
    /* The notice is of the batch that is told next: what is to be asked for it can be asked together. Keeps nothing of
     * it. NULL: each by itself. Does not block. */
    void (*expect)(void *self, const struct notice *notice);
};

const char *change_what_name(enum change_what what); /* "new" */
/* Pure: "d" and a hash of the three, so that the id tells nothing. The same three give the same id for ever: the
 * homeserver knows by it what it has had. */
void notice_txn(const char *source, const char *id, int64_t revision, char out[TXN_BYTES]);

/* A sink that writes a line of JSON for each notice: who would be told of which record, never what it says. For
 * rehearsals (diary.rehearsal_file) and tests. NULL: the file can't be opened or read (logged). */
struct sink_file;
struct sink_file *sink_file_open(const char *path);
void sink_file_close(struct sink_file *file); /* NULL is accepted */
enum sink_answer sink_file_tell(void *file, const struct notice *notice);
enum sink_answer sink_file_finish(void *file, const struct notice *notice); /* on disk, with all before it */

#endif
