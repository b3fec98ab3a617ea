#include "appservice/diary/talk.h"

#include <stdlib.h>
#include <string.h>

#include "appservice/diary/answers.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"

#define UNREAD_TRIES 240 /* two hours, at the pace that an answer of 503 asks for */
#define LEFT_MS                                                                                                        \
    60000 /* so long after that, what cannot be read is left, too: it came with it, and has waited as long */

char *talk_own_words(const char *body)
{
    bool quoted = *body == '>';
    while (*body == '>') {
        body += strcspn(body, "\n");
        body += *body == '\n';
    }
    return xstrdup(quoted && *body == '\n' ? body + 1 : body);
}

void talk_choose(struct person *person, enum notice_choice choice, bool english)
{
    static const enum pace PACES[CHOICE__COUNT] = {
        [CHOICE_MARKS_NOW] = PACE_NOW, [CHOICE_MARKS_DAILY] = PACE_DAILY, [CHOICE_MARKS_WEEKLY] = PACE_WEEKLY};
    if (choice == CHOICE_NONE)
        return;
    person->english = english;
    if (choice == CHOICE_MARKS_NOW || choice == CHOICE_MARKS_DAILY || choice == CHOICE_MARKS_WEEKLY)
        person->pace = PACES[choice];
    if (choice != CHOICE_HELP)
        person->off = choice == CHOICE_OFF;
}

/* In the room where it was said; but who takes themselves out of a room is answered in one of their own. */
static enum matrix_answer answer_word(struct sink_matrix *m, const struct talk_word *w, const struct person *person,
                                      enum notice_choice choice)
{
    const struct audience own = {PERSON, w->sender, "", {w->sender}, 1};
    char txn[WIRE_TXN_BYTES], *room_id = NULL;
    bool elsewhere = (person->off || person->pace != PACE_NOW) && strcmp(w->audience, PERSON) != 0;
    enum matrix_answer answer = elsewhere ? sink_room(m, &own, &room_id) : MATRIX_DONE;
    json_t *content = json_pack("{s:s, s:s}", "msgtype", "m.text", "body",
                                notice_answer(choice, person->english ? NOTICE_ENGLISH : NOTICE_RUSSIAN));
    if (!elsewhere)
        json_object_set_new(content, "m.relates_to", json_pack("{s:{s:s}}", "m.in_reply_to", "event_id", w->event_id));
    sink_wire_txn("answer", w->event_id, txn);
    if (answer == MATRIX_DONE)
        answer = sink_say(m, elsewhere ? room_id : w->room_id, txn, content, NULL);
    else
        json_decref(content);
    free(room_id);
    return answer;
}

/* Bounded per person; a word counts once, however often it comes until it can be dealt with. false: it could not be
 * noted. */
static bool count_word(struct sink_matrix *m, const struct talk_word *w, struct person *person,
                       enum notice_choice choice, bool english, bool *heard)
{
    state_begin(m->state);
    *heard = state_person_heard(m->state, w->sender, person, w->event_id, clock_wall_ms() / HOUR_MS, TALK_WORDS_HOUR);
    talk_choose(person, choice, english);
    if (*heard && choice != CHOICE_NONE)
        state_person_put(m->state, w->sender, person);
    return state_commit(m->state);
}

/* The reason of an absence. false: it is none, or nothing was asked there. */
static bool hear_reason(struct sink_matrix *m, const struct talk_word *w, struct person person, const char *own,
                        bool *done)
{
    const struct answer answer = {w->room_id, w->event_id, w->sender, w->to, notice_reason_of(own), person.english};
    struct absence absence;
    bool heard;
    if (answer.reason == REASON_NONE || strcmp(w->audience, PERSON) == 0 ||
        !state_absence(m->state, w->room_id, w->to, &absence))
        return false;
    state_absence_finish(&absence);
    *done = count_word(m, w, &person, CHOICE_NONE, false, &heard);
    return !*done || !heard || answers_hear(m, &answer, done);
}

static bool hear_word(struct sink_matrix *m, const struct talk_word *w)
{
    enum notice_language language;
    struct person person;
    bool heard, done = true;
    if (!state_person(m->state, w->sender, m->settings->english, &person))
        return false; /* what they chose before would be written over */
    char *own = talk_own_words(w->body);
    enum notice_choice choice = w->reaction ? CHOICE_NONE : notice_choice_of(own, &language);
    bool reason = choice == CHOICE_NONE && hear_reason(m, w, person, own, &done);
    free(own);
    if (reason || w->reaction || (choice == CHOICE_NONE && strcmp(w->audience, PERSON) != 0))
        return done; /* people talk among themselves */
    if (!count_word(m, w, &person, choice, language == NOTICE_ENGLISH, &heard))
        return false;
    /* What the rules refuse, or quiet hours, is not answered; the choice is made all the same. */
    return !heard || answer_word(m, w, &person, choice) != MATRIX_UNKNOWN;
}

bool talk_word_of(const json_t *event, struct talk_word *w)
{
    const json_t *content = json_get_object(event, "content"), *relation = json_get_object(content, "m.relates_to");
    const char *type = json_get_string(event, "type"), *kind = json_get_string(content, "msgtype");
    const char *how = json_get_string(relation, "rel_type");
    *w = (struct talk_word){.room_id = json_get_string(event, "room_id"),
                            .event_id = json_get_string(event, "event_id"),
                            .sender = json_get_string(event, "sender"),
                            .body = json_get_string(content, "body"),
                            .to = json_get_string(json_get_object(relation, "m.in_reply_to"), "event_id")};
    w->reaction = type != NULL && how != NULL && strcmp(type, "m.reaction") == 0 && strcmp(how, "m.annotation") == 0;
    if (w->reaction) {
        w->body = json_get_string(relation, "key");
        w->to = json_get_string(relation, "event_id");
    }
    if (type == NULL || w->room_id == NULL || w->event_id == NULL || w->sender == NULL || w->body == NULL)
        return false;
    return w->reaction ? w->to != NULL
                       : strcmp(type, "m.room.message") == 0 && kind != NULL && strcmp(kind, "m.text") == 0 &&
                             (how == NULL || strcmp(how, "m.replace") != 0);
}

/* Of a room of the bot's own, in clear. */
static bool hear_in(struct sink_matrix *m, const json_t *event, char *child, char *audience)
{
    struct talk_word w;
    if (!talk_word_of(event, &w) || strcmp(w.sender, m->bot) == 0)
        return true;
    w.child = child;
    w.audience = audience;
    return hear_word(m, &w);
}

bool talk_gives_up(struct sink_matrix *m, const char *event_id, int64_t now_ms)
{
    bool left = now_ms < m->unread_left_ms;
    if (!left && (m->unread == NULL || strcmp(m->unread, event_id) != 0)) {
        free(m->unread);
        m->unread = xstrdup(event_id);
        m->unread_tries = 0;
    }
    if (!left && ++m->unread_tries < UNREAD_TRIES)
        return false;
    if (!left)
        m->unread_left_ms = now_ms + LEFT_MS;
    log_warn("diary", "the event %s could not be read for so long that it is left", event_id);
    return true;
}

/* What is said elsewhere is not looked into: the bot is in the classes' rooms, too, where everybody talks. */
bool talk_hear(struct sink_matrix *m, const json_t *event)
{
    const char *sender = json_get_string(event, "sender"), *room_id = json_get_string(event, "room_id");
    json_t *said;
    if (!sink_know_oneself(m))
        return false;
    if (room_id == NULL || sender == NULL || strcmp(sender, m->bot) == 0)
        return true;
    char *child, *audience;
    bool done = state_room_whose(m->state, room_id, &child, &audience);
    if (done && child != NULL && audience != NULL) {
        enum matrix_answer read = sink_decrypt(&m->crypto, event, &said);
        const char *event_id = json_get_string(event, "event_id");
        if (read == MATRIX_DONE)
            done = hear_in(m, said, child, audience);
        else
            done = read == MATRIX_REFUSED || event_id == NULL || talk_gives_up(m, event_id, clock_mono_ms());
        json_decref(said);
    }
    free(child);
    free(audience);
    return done;
}

bool sink_matrix_hear(void *m, const json_t *event)
{
    return talk_hear(m, event);
}
