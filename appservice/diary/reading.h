/* What one asking of a diary gave: the records of a window of days, and what it says of the people in them.
 *
 * Adapters add to it as pages come; what they add is checked and bounded here, so that no adapter need repeat it. A
 * record that is not good is left out and noted by its id; one id with two contents is noted, too, and stays as it was
 * before. What is said of a record that a reading does not have follows from its extent, and reading_look knows it. */
#ifndef PARTA_DIARY_READING_H
#define PARTA_DIARY_READING_H

#include <stdbool.h>
#include <stddef.h>

#include "appservice/diary/record.h"

#define READING_RECORDS_MAX 200000
#define READING_BYTES_MAX (64u << 20)
#define READING_FAULTS_MAX 100 /* of one reading are problems, and in the log; all are kept */

/* Both days included. */
struct window {
    school_day from, to;
};

/* A pupil as the diary knows them, to be found in the roster (match.h). "" or 0: not said. */
struct diary_person {
    const char *id, *sourced_id;
    const char *family_name, *given_name, *middle_name, *class_title;
    school_day birth_date;
    bool doubt; /* after reading_end: the diary gives the id to several persons */
};

struct reading_fault {
    const char *id;  /* of the record; "" if it has none */
    const char *why; /* static storage: never what the diary said */
};

/* How much of its window a reading knows. */
enum reading_extent {
    READING_PIECES,  /* what a diary has sent by itself: nothing else is known, nor can it be asked for */
    READING_CHANGES, /* what has changed since a reading before it: whatever it does not name is as it was */
    READING_WHOLE,   /* all of it: what is not in it is gone */
};

struct reading {
    struct window window;
    enum reading_extent extent;
    struct record *records; /* after reading_end by id, each once */
    size_t n, cap;
    struct diary_person *people; /* after reading_end by id, each once */
    size_t n_people, people_cap;
    const char **withdrawn; /* ids that a diary says itself are gone; after reading_end in order */
    size_t n_withdrawn, withdrawn_cap;
    struct reading_fault *faults; /* after reading_end by id */
    size_t n_faults, faults_cap;
    bool too_many; /* a bound was met: it is none, whatever its adapter says */
    struct reading_chunk *chunks;
    size_t bytes;
};

void reading_init(struct reading *reading, struct window window); /* empty, of READING_PIECES until extent is set */
void reading_finish(struct reading *reading);                     /* wipes what was read */
void reading_restart(struct reading *reading);                    /* the same, and begins anew with its window */

/* Copies it. NULL strings count as "", texts that are too long are cut. What lies outside the window is left out: among
 * changes it is withdrawn, because it may have been in it. */
void reading_add(struct reading *reading, const struct record *record);
void reading_add_person(struct reading *reading, const struct diary_person *person);
void reading_withdraw(struct reading *reading, const char *id);
/* What is there and is no record (not graded yet, to be deleted): a whole reading just lacks it. */
void reading_leave_out(struct reading *reading, const char *id);
void reading_fault(struct reading *reading, const char *id, const char *why); /* id may be NULL */

/* Puts everything into order; what came twice is once. */
void reading_end(struct reading *reading);

/* After reading_end. NULL: not there. */
const struct record *reading_find(const struct reading *reading, const char *id);
const struct diary_person *reading_person(const struct reading *reading, const char *id);

/* What the diary says of a record that was in its window before. */
enum reading_answer {
    READING_HAS,     /* *record */
    READING_GONE,    /* it is withdrawn */
    READING_UNKNOWN, /* a fault names it, or nothing does: a whole reading would know */
};
enum reading_answer reading_look(const struct reading *reading, const char *id, const struct record **record);

#endif
