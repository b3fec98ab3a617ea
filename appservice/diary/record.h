/* What a diary says, one thing at a time: a mark, a piece of homework, a lesson, an absence, a message.
 *
 * An adapter makes records, the core compares them (compare.h). A record lives in memory while its window is read and
 * told; on disk there are its id, its day and a keyed hash, never what it says (state.h, school.md I2). Its id is the
 * diary's own and stays when the record changes; it stands in logs and problems, its content never does. */
#ifndef PARTA_DIARY_RECORD_H
#define PARTA_DIARY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/days.h"

enum record_kind {
    RECORD_MARK,     /* value "5", weight "2", work "test on fractions"; of exactly one pupil */
    RECORD_HOMEWORK, /* day: due; comment: what to do */
    RECORD_LESSON,   /* value: the time "08:30–09:15", or RECORD_CANCELLED; comment: place or topic */
    RECORD_ABSENCE,  /* value: "absent", "late", "ill", or the diary's own word; of exactly one pupil */
    RECORD_MESSAGE,  /* comment: its words */
    RECORD__COUNT
};
#define RECORD_CANCELLED "cancelled"

#define RECORD_ID_BYTES_MAX 255 /* of the ids of records, pupils and groups */
#define RECORD_TEXT_BYTES_MAX 4000
#define RECORD_PUPILS_MAX 64
#define RECORD_HASH_BYTES 32
#define RECORD_KEY_BYTES 32

/* Strings are UTF-8, "" where the diary says nothing, and borrowed from the reading (reading.h). */
struct record {
    enum record_kind kind;
    const char *id;
    const char *const *pupils; /* the diary's ids; none: of the whole group */
    size_t n_pupils;
    const char *group, *subject; /* group: the diary's id of a class or study group */
    school_day day;
    const char *value, *weight, *work, *comment, *author;
    const char *link;   /* to the diary, https:// (I3) */
    int64_t updated_ms; /* 0: the diary does not say */
};

const char *record_kind_name(enum record_kind kind); /* "mark" */
int record_kind_from(const char *name);              /* −1: none is called so; NULL is accepted */

/* What is wrong with it, for behind "is": "without an id". NULL: nothing. */
const char *record_fault(const struct record *record);

/* Two marks of one lesson: of the same pupil, subject and day. They are told in one message. */
bool record_same_lesson(const struct record *a, const struct record *b);

/* All that people would see of it, and of whom it is. Not when it was updated: a diary that only touches a record tells
 * nothing new. */
void record_hash(const struct record *record, const unsigned char key[RECORD_KEY_BYTES],
                 unsigned char out[RECORD_HASH_BYTES]);
/* Of whom it was told to: Matrix ids in their order, or the sourcedId of a class; the other is none (0, NULL). */
void record_hash_whom(const char *const *pupils, size_t n, const char *class_id,
                      const unsigned char key[RECORD_KEY_BYTES], unsigned char out[RECORD_HASH_BYTES]);

/* The day at the beginning of "2026-09-01" or "2026-09-01T08:30:00+03:00": as it is written there, in the school's own
 * time. −1: none. NULL is accepted. */
school_day record_day(const char *text);

/* "2026-09-01T08:30:00.123Z" or with an offset, without one taken as UTC; in ms since 1970. 0: no moment. */
int64_t record_moment(const char *text);

#endif
