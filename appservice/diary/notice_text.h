/* What people read of the diary, in Russian or English: notices, digests, and the plain words by which they choose.
 * Pure: no room, no clock, no state.
 *
 * Calm words: what is, without praise, blame, averages, ranks or exclamation marks. Several marks of one lesson are one
 * line. A link stands there only if it is to a host that the configuration names (I3). */
#ifndef PARTA_DIARY_NOTICE_TEXT_H
#define PARTA_DIARY_NOTICE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "appservice/diary/record.h"
#include "appservice/diary/sink.h"
#include "homeserver/base/text.h"

/* Where notices may lead (I3). */
struct notice_links {
    const char *const *hosts; /* "dnevnik.ru": it and what lies below it */
    size_t n;
    const char *otherwise; /* for what has no link of its own that may be; NULL: none. Its host must be one of these */
};

enum notice_language { NOTICE_RUSSIAN, NOTICE_ENGLISH };

/* One change, of one child where it is a child's. */
struct notice_item {
    const char *child; /* given name; NULL: of a class */
    enum change_what what;
    const struct record *record; /* not of what was withdrawn: that is no text but a redaction. NULL: digests only */
};

/* A message about items of one child or class: a line for each subject and day, comments below it. */
void notice_add_message(struct text *out, enum notice_language language, const struct notice_item *items, size_t n,
                        const struct notice_links *links);

/* One digest over all children of a person, of whatever school: a heading, and a part for each child in the order in
 * which they come; an item begins a child where its child differs as a pointer. Items without a record are counted
 * only: what they say is in the diary alone. */
void notice_add_digest(struct text *out, enum notice_language language, bool weekly, const struct notice_item *items,
                       size_t n, const struct notice_links *links);

/* The lessons of a day of one class, in the order of their times. records: borrowed, put into order here. */
void notice_add_timetable(struct text *out, enum notice_language language, school_day day,
                          const struct record **records, size_t n);

enum notice_choice {
    CHOICE_NONE, /* something else was said: the answer is the help */
    CHOICE_MARKS_NOW,
    CHOICE_MARKS_DAILY,
    CHOICE_MARKS_WEEKLY,
    CHOICE_OFF,
    CHOICE_ON, /* as it was before CHOICE_OFF */
    CHOICE_HELP,
    CHOICE__COUNT
};

/* What somebody wrote to the bot, in either language, whatever the case, the spaces and a full stop at the end;
 * *language: in which it was said. words is valid UTF-8. */
enum notice_choice notice_choice_of(const char *words, enum notice_language *language);

/* --- Reasons of an absence: a guardian answers with a number, its reaction, or the words --- */

#define REASONS 5
#define REASON_NONE (-1)

void notice_add_reasons(struct text *out, enum notice_language language); /* a line: which there are */
int notice_reason_of(const char *words);   /* "2", "2.", "2️⃣", "У врача"; REASON_NONE: none of them */
const char *notice_reason_key(int reason); /* the reaction: "2️⃣" */

/* What the class teacher reads: child and guardian are full names. */
void notice_add_reason(struct text *out, enum notice_language language, const char *child, school_day day, int reason,
                       const char *guardian);
/* What the guardian reads. told: the class teacher has it; otherwise there is none. */
const char *notice_reason_answer(enum notice_language language, bool told);

/* What the bot answers to a choice. */
const char *notice_answer(enum notice_choice choice, enum notice_language language);

#endif
