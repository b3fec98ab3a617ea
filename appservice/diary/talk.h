/* What people say to the bot, in the rooms that it has made: plain words by which each chooses for themselves
 * (notice_text.h), kept in the bridge's state. In a room of several the bot answers to nothing but such words.
 *
 * An event has its effect once, however often it comes: a choice is what it is, and an answer has a transaction id that
 * follows from the event. Bounded per person and hour. */
#ifndef PARTA_DIARY_TALK_H
#define PARTA_DIARY_TALK_H

#include <jansson.h>
#include <stdbool.h>

#include "appservice/diary/notice_text.h"
#include "appservice/diary/sink_matrix_private.h"
#include "homeserver/base/text.h"

#define TALK_WORDS_HOUR 30 /* of one person; more are not heard */

/* What somebody has said, where: borrowed from the event. */
struct talk_word {
    const char *room_id, *event_id, *sender, *body;
    const char *to;         /* the event that it answers; NULL: none that it names */
    bool reaction;          /* body is its key */
    char *child, *audience; /* of the room; heap; talk_hear's own */
};

/* Pure: what was said in words, or by a reaction. false: nothing that the bot hears. */
bool talk_word_of(const json_t *event, struct talk_word *word);

/* false: not now, it comes again. Blocks (network). */
bool talk_hear(struct sink_matrix *m, const json_t *event);

/* What cannot be read now comes again, but not for ever: a row that is broken holds nobody else up. true: it has come
 * for so long (logged), or with what was left a moment ago, that it is left. now_ms: clock_mono_ms. */
bool talk_gives_up(struct sink_matrix *m, const char *event_id, int64_t now_ms);

/* Pure: what somebody wrote themselves in the body of a message, without the quoted lines of what it answers. Heap. */
char *talk_own_words(const char *body);

/* Pure: what becomes of somebody's choices. */
void talk_choose(struct person *person, enum notice_choice choice, bool english);

#endif
