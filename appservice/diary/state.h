/* What the bridge remembers, in an SQLite file of its own: ids, days and keyed hashes of what was told, who is who, and
 * what waits for a person to look at it. Never what a record says (school.md I2): a copy of the file tells nobody a
 * mark, nor can one be guessed from its hash without the key beside it.
 *
 * A change is told in three steps, so that a kill between any two loses nothing and repeats nothing: it is noted as
 * intended with the number of its revision, told under a transaction id that follows from both, and noted as told. A
 * revision that is intended when the program starts may have been told: it is told again under the same transaction id,
 * which the sink knows (sink.h).
 *
 * One connection; calls are serialized by the caller (bridge.h). A failing database fails the bracket. */
#ifndef PARTA_DIARY_STATE_H
#define PARTA_DIARY_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appservice/diary/adapter.h"
#include "appservice/diary/reading.h"
#include "homeserver/base/text.h"

#define STATE_PROBLEMS_MAX 10000 /* kept, of one source */
#define STATE_CLOCK_DAYS 2       /* a clock that was further ahead was wrong */

struct state;

/* Opens path, makes or brings up to date what is in it. NULL: *problem says why. Blocks. */
struct state *state_open(const char *path, struct text *problem);
void state_close(struct state *state); /* NULL is accepted */

/* Brackets what is to be on disk together. state_commit: false: it failed, and nothing of it is there. */
void state_begin(struct state *state);
bool state_commit(struct state *state);

/* Between these two what is begun and committed is one transaction, and on disk when state_release says so; whoever
 * needs it there before it goes on releases first. Nobody else may write meanwhile: not for long. false: nothing of it
 * is there, however each commit was answered. Without state_hold: true. */
void state_hold(struct state *state);
bool state_release(struct state *state);
/* Whether all that was read since this was asked, or a bracket began, could be read. false: the database has failed,
 * and what a look-up said is none may be there: nobody may be told, nothing be taken for settled, by it. */
bool state_sound(struct state *state);
void state_fail_after(struct state *state, int n); /* for fault tests: the n-th statement from now fails */

/* --- Sources --- */

struct source_state {
    bool known;         /* it was read before */
    school_day read_to; /* up to which day, the furthest */
    int64_t read_ms;    /* when it was last read well */
    bool confirmed;     /* somebody confirmed that much is gone; once */
    /* From where its changes are asked for, as its adapter has said (adapter.h). "": the window is to be read whole. */
    char cursor[SOURCE_CURSOR_BYTES];
    int64_t whole_ms;    /* when it was last read whole */
    struct window whole; /* and what of */
    int64_t asked;       /* how often somebody asked for a whole reading */
    bool adopts;         /* its records are called otherwise since it was read last: once, until it is read whole */
};
/* By value; all zero: it was not read before (known is false), or the database failed. */
struct source_state state_source(struct state *state, const char *source);
/* Of its changes, or whole. before: what was confirmed when its records were begun to be told, and how often a whole
 * one was asked for when it was begun; what came since stays. cursor NULL: the next reading is to be a whole one. */
void state_source_read(struct state *state, const char *source, const struct source_state *before,
                       const struct reading *reading, const char *cursor, int64_t now_ms);
void state_source_confirm(struct state *state, const char *source); /* reads it whole, too */
/* The next reading is a whole one: something odd was seen, or something waits that changes would not say again. */
void state_source_read_whole(struct state *state, const char *source);
void state_unmatched_read_whole(struct state *state); /* all those of which somebody is not found */

/* --- Records --- */

struct seen {
    int64_t revision; /* of what was told last; 0: nothing yet */
    bool told;        /* hash is of what was told last; false: nothing was, or that it was withdrawn */
    bool intended;    /* the next revision may have been told: intent is its hash */
    bool intent_gone; /* it says that the record is withdrawn */
    unsigned char hash[RECORD_HASH_BYTES], intent[RECORD_HASH_BYTES];
    bool knows_whom, intends_whom; /* false: it was told or begun before that was noted, or to nobody */
    unsigned char whom[RECORD_HASH_BYTES], intent_whom[RECORD_HASH_BYTES]; /* record_hash_whom of each */
    school_day day;
    enum record_kind kind;
    int64_t updated_ms;
};
bool state_seen(struct state *state, const char *source, const char *id, struct seen *seen); /* false: never */

/* The next revision of it is about to be told; _gone: that it is withdrawn. */
void state_intend(struct state *state, const char *source, const struct record *record,
                  const unsigned char hash[RECORD_HASH_BYTES], const unsigned char whom[RECORD_HASH_BYTES]);
void state_intend_gone(struct state *state, const char *source, const char *id);
void state_told(struct state *state, const char *source, const char *id); /* what was intended is told */
void state_not_told(struct state *state, const char *source, const char *id);

/* Known from now on without having been told: revision 0. */
void state_known(struct state *state, const char *source, const struct record *record,
                 const unsigned char hash[RECORD_HASH_BYTES]);

/* The diary's record is called now from now on, which nothing is called yet: with all that is kept of it. */
void state_rename(struct state *state, const char *source, const char *id, const char *now);

/* Ids of the source that were told or are known, or may be, of days in the window: heap, each too; *n. */
char **state_ids(struct state *state, const char *source, struct window window, size_t *n);
void state_ids_free(char **ids, size_t n);

void state_forget_before(struct state *state, school_day day); /* what is that old is of no diary's window any more */
/* The same of what is keep_days old, called once a day. What day it is it believes by steps: a clock that is years
 * ahead for an hour makes nothing forgotten, which would be news once it is right again. */
void state_forget_old(struct state *state, int64_t now_ms, int keep_days);

/* --- Who is who --- */

enum subject_kind { SUBJECT_PUPIL, SUBJECT_GROUP };

/* The diary's id is that sourcedId of the roster, whatever it was before. unmatch: false: it was none's. */
void state_match(struct state *state, const char *source, enum subject_kind kind, const char *id,
                 const char *sourced_id);
bool state_unmatch(struct state *state, const char *source, enum subject_kind kind, const char *id);
char *state_matched(struct state *state, const char *source, enum subject_kind kind, const char *id); /* heap, NULL */

/* --- Problems --- */

/* kind: "pupil", "group", "record", "source"; id: the diary's; why: a sentence of ours. */
void state_problem(struct state *state, const char *source, const char *kind, const char *id, const char *why,
                   int64_t now_ms);
void state_solved(struct state *state, const char *source, const char *kind, const char *id);
void state_solved_before(struct state *state, const char *source, const char *kind, int64_t ms); /* not seen since */
int64_t state_problem_count(struct state *state);
/* A line each: source, kind, id, since, times, why; with tabs. */
void state_print_problems(struct state *state, struct text *out);

/* --- The webhook's replays --- */

/* Whether that signature came before; note keeps it, and forgets those noted before forget_before_ms. */
bool state_signature_seen(struct state *state, const unsigned char hash[RECORD_HASH_BYTES]);
void state_signature_note(struct state *state, const unsigned char hash[RECORD_HASH_BYTES], int64_t now_ms,
                          int64_t forget_before_ms);

/* --- The encryption's: words by name, and rows of its own (crypto.h) --- */

struct db;
char *state_word(struct state *state, const char *name); /* heap; NULL: none */
/* Replaces; a failure is the bracket's. */
void state_word_put(struct state *state, const char *name, const char *value);
struct db *state_db(struct state *state); /* for crypto_store_open */

/* --- Rooms, and what was said there; of a sink that speaks in rooms --- */

char *state_room(struct state *state, const char *child, const char *audience); /* heap; NULL: none yet */
char *state_room_child(struct state *state, const char *room_id);               /* the same */
/* Both of it, heap; NULL: it is none of these. false: that cannot be read. */
bool state_room_whose(struct state *state, const char *room_id, char **child, char **audience);
bool state_room_is(struct state *state, const char *room_id); /* it is one of these */
/* A room that is noted already for them stays. */
void state_room_put(struct state *state, const char *child, const char *audience, const char *room_id);
void state_room_drop(struct state *state, const char *room_id); /* the bot is not in it any more */
/* Of whom there are rooms but those of one audience: heap, ended by state_ids_free; and all the rooms of a child. */
char **state_children(struct state *state, const char *but, size_t *n);
struct child_room {
    char *audience, *room_id;
};
struct child_room *state_child_rooms(struct state *state, const char *child, size_t *n); /* heap */
void state_child_rooms_free(struct child_room *list, size_t n);

/* --- People, by Matrix id: what they have chosen --- */

enum pace { PACE_NOW, PACE_DAILY, PACE_WEEKLY };
struct person {
    enum pace pace; /* of marks */
    bool off;       /* nothing at all */
    bool english;   /* the language in which they chose */
};
/* english: of whom nothing is known. false: it cannot be read, and nobody may act as if they had chosen nothing;
 * *person is then that they are told nothing. */
bool state_person(struct state *state, const char *user_id, bool english, struct person *person);
void state_person_put(struct state *state, const char *user_id, const struct person *person);
/* Counts a word of theirs in the hour, the event of which may come again: once. false: it is more than most. */
bool state_person_heard(struct state *state, const char *user_id, const struct person *known, const char *event_id,
                        int64_t hour, int most);

/* --- What is owed to people who want a digest: ids, never what a record says --- */

struct owed {
    const char *person, *child, *source, *id;
    school_day day;
    int64_t revision;
    bool corrected; /* of something that they were told before */
};
void state_owe(struct state *state, const struct owed *owed); /* a revision that was owed before changes nothing */
/* It is not that child's any more; _keep: only these children's, none where it is withdrawn, also
 * of what is due later. */
void state_owed_drop(struct state *state, const char *source, const char *id, const char *child);
void state_owed_keep(struct state *state, const char *source, const char *id, const char *const *children, size_t n);
void state_owed_put_off(struct state *state, const char *source, const char *id); /* it is of no digest yet */
void state_owed_drop_person(struct state *state, const char *person);             /* what is of no digest yet */

/* A person who is owed something that is of no digest yet, or a digest under way. */
struct owed_person {
    char *person;
    school_day first; /* the earliest day of it */
    int64_t digest;   /* its number; 0: none */
};
struct owed_person *state_owed_people(struct state *state, size_t *n); /* heap: who waits for a digest to be begun */
struct owed_person *state_digests(struct state *state, size_t *n);     /* heap: those under way */
void state_owed_people_free(struct owed_person *list, size_t n);

void state_digest_begin(struct state *state, const char *person, int64_t digest); /* all that is owed to them now */
/* What it told is of no digest any more, and owed no more. */
void state_digest_sent(struct state *state, const char *person, int64_t digest);

/* The rows of a digest by child, source and id; of all digests under way where person is NULL, of one source where
 * source is given. The caller ends it with state_owed_free. */
struct owed *state_digest_rows(struct state *state, const char *person, int64_t digest, const char *source, size_t *n);
void state_owed_free(struct owed *list, size_t n);

int64_t state_counter(struct state *state, const char *name); /* 0: never put */
/* Of counters of days and the like: the value is none that was put before. at_most: the highest that can have been by
 * now, unless the clock was ahead then; what was put by such a clock counts as never put. */
bool state_counter_due(struct state *state, const char *name, int64_t value, int64_t at_most);
void state_counter_put(struct state *state, const char *name, int64_t value); /* replaces */

/* --- What guardians are told later than the child (diary.pupil_first_hours): ids --- */

struct later {
    char *source, *id, *child;
};
/* The first time of it counts. */
void state_later(struct state *state, const char *source, const char *id, const char *child, school_day day,
                 int64_t due_ms);
/* true, too, when it cannot be read: nobody is told before their time. */
bool state_is_later(struct state *state, const char *source, const char *id, const char *child);
/* Of the source, due by then or of a day that early: heap. */
struct later *state_later_due(struct state *state, const char *source, int64_t due_ms, school_day edge, size_t *n);
void state_later_free(struct later *list, size_t n);
void state_later_drop(struct state *state, const char *source, const char *id, const char *child);

/* --- Absences that guardians are asked about --- */

struct absence {
    char *root, *child; /* root: of the message (below) */
    school_day day;
};
/* Somebody is asked about it in that room: root is the message. Noted once; the first stays. */
void state_absence_put(struct state *state, const char *root, const char *room_id, const char *child, school_day day,
                       int64_t now_ms);
/* What an answer in the room is to: to the message event_id, or, NULL, the last one there. false: to none. */
bool state_absence(struct state *state, const char *room_id, const char *event_id, struct absence *absence);
void state_absence_finish(struct absence *absence);

/* What a teacher was told of an absence: by which event it was answered, and the message. heap; false: nothing. */
struct told_answer {
    char *answer, *txn, *event_id; /* event_id "": it may be there */
};
bool state_answer(struct state *state, const char *root, const char *teacher, struct told_answer *told);
void state_answer_put(struct state *state, const struct absence *absence, const char *teacher,
                      const struct told_answer *told);
void state_answer_finish(struct told_answer *told);

/* Transactions of the homeserver that are done. */
bool state_transaction_done(struct state *state, const char *txn);
void state_transaction_note(struct state *state, const char *txn, int64_t now_ms, int64_t forget_before_ms);

/* Where a record stands: in a room, in the message that is known by root, the transaction id under which it was sent.
 * A message may hold several records; its edits are kept with it. put: in place of where it stood in that room. */
struct place {
    char *room_id, *root;
};
struct place *state_places(struct state *state, const char *source, const char *id, size_t *n); /* heap */
void state_places_free(struct place *list, size_t n);
void state_place_put(struct state *state, const char *source, const char *id, const char *room_id, const char *root);
void state_place_drop(struct state *state, const char *source, const char *id, const char *room_id);

/* Which records a message holds: heap, ended by the function behind it, like all lists here. */
struct record_name {
    char *source, *id;
};
struct record_name *state_message_records(struct state *state, const char *root, size_t *n);
void state_record_names_free(struct record_name *list, size_t n);
/* A message that turned out to be none is noted no more, nor what it was to hold. A commit of its own. */
void state_message_drop(struct state *state, const char *root, const char *room_id);

/* A message (txn is root) and its edits. Noted before it is sent, without an event_id (""), so that nothing is there of
 * which nobody knows. */
struct sent {
    char *txn, *event_id;
};
struct sent *state_sent_all(struct state *state, const char *root, size_t *n); /* heap; the message comes first */
void state_sent_free(struct sent *list, size_t n);
char *state_sent(struct state *state, const char *root, const char *txn); /* event_id: heap; NULL: not noted */
void state_sent_put(struct state *state, const char *root, const char *txn, const char *room_id, const char *event_id);
void state_sent_drop(struct state *state, const char *root, const char *txn);

#endif
