/* Which records a message of the sink's holds, and how it follows them. */
#include "appservice/diary/sink_matrix_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/fetch.h"
#include "appservice/diary/match.h"
#include "appservice/diary/notice_text.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"

static json_t *message_of(const struct sink_matrix *m, const struct notice_item *items, size_t n)
{
    struct text words = TEXT_INIT;
    notice_add_message(&words, m->settings->english ? NOTICE_ENGLISH : NOTICE_RUSSIAN, items, n, &m->links);
    if (n != 0 && items[0].record->kind == RECORD_ABSENCE)
        notice_add_reasons(&words, m->settings->english ? NOTICE_ENGLISH : NOTICE_RUSSIAN);
    while (words.len != 0 && words.data[words.len - 1] == '\n')
        words.data[--words.len] = '\0';
    json_t *content = json_pack("{s:s, s:s}", "msgtype", "m.text", "body", words.data);
    sodium_memzero(words.data, words.len);
    text_finish(&words);
    return content;
}

/* The records of a message as the diary has them now, in *items, heap, without that of the notice if it is withdrawn.
 * A record that is gone, or is not of the room's child any more (I2), is not said again. false: of one of them that is
 * not known now, or of the message. */
static bool items_of(const struct telling *t, const char *room_id, const char *root, const char *given_name,
                     struct notice_item **items, size_t *n)
{
    const struct notice *notice = t->notice;
    size_t n_names;
    bool known = true;
    char *child = state_room_child(t->m->state, room_id);
    struct record_name *names = state_message_records(t->m->state, root, &n_names);
    *items = xcalloc(n_names + 1, sizeof **items);
    *n = 0;
    for (size_t i = 0; i < n_names; ++i) {
        bool ours = strcmp(names[i].source, notice->source) == 0;
        bool it = ours && strcmp(names[i].id, notice->id) == 0;
        const struct record *record = it ? notice->record : NULL;
        if (!it) {
            known = known && ours && notice->reading != NULL &&
                    reading_look(notice->reading, names[i].id, &record) != READING_UNKNOWN;
            if (record != NULL && (child == NULL || !match_is_of(notice->matcher, record, child)))
                record = NULL;
        }
        if (record != NULL)
            (*items)[(*n)++] = (struct notice_item){given_name, it ? notice->what : CHANGE_NEW, record};
    }
    state_record_names_free(names, n_names);
    free(child);
    return state_sound(t->m->state) && known;
}

const struct place *sink_stays(struct telling *t, const char *room_id)
{
    for (size_t i = 0; i < t->n_places; ++i)
        if (strcmp(t->places[i].room_id, room_id) == 0) {
            t->stays[i] = true;
            return &t->places[i];
        }
    return NULL;
}

static bool stands_in(struct sink_matrix *m, const struct notice *notice, const char *room_id)
{
    size_t n;
    bool there = false;
    struct place *places = state_places(m->state, notice->source, notice->id, &n);
    for (size_t i = 0; i < n; ++i)
        there = there || strcmp(places[i].room_id, room_id) == 0;
    state_places_free(places, n);
    return there;
}

/* A new message is noted with the records that it is to hold: the notice's, and those that are
 * told together with it. */
static bool note_message(struct telling *t, const struct saying *s)
{
    struct sink_matrix *m = t->m;
    state_begin(m->state);
    state_place_put(m->state, t->notice->source, t->notice->id, s->room_id, s->root);
    for (const struct notice *next = t->notice->together; next != NULL; next = next->together)
        if (!stands_in(m, next, s->room_id))
            state_place_put(m->state, next->source, next->id, s->room_id, s->root);
    state_sent_put(m->state, s->root, s->txn, s->room_id, "");
    if (t->notice->kind == RECORD_ABSENCE && t->notice->n_pupils == 1)
        state_absence_put(m->state, s->root, s->room_id, t->notice->pupils[0], t->notice->day, clock_wall_ms());
    return state_commit(m->state);
}

/* The bot's own reactions to a message about an absence, so that one tap is an answer. A number in words does as well,
 * so that nothing is said again if they do not come. */
static void offer_reasons(struct sink_matrix *m, const struct saying *s)
{
    char txn[WIRE_TXN_BYTES], *event_id = state_sent(m->state, s->root, s->root);
    for (int i = 0; event_id != NULL && *event_id != '\0' && i < REASONS; ++i) {
        struct text rest = TEXT_INIT;
        sink_wire_txn("reason", s->root, txn);
        text_addf(&rest, "/send/m.reaction/%s-%d", txn, i);
        sink_room_call(m, "PUT", s->room_id, rest.data,
                       json_pack("{s:{s:s, s:s, s:s}}", "m.relates_to", "rel_type", "m.annotation", "event_id",
                                 event_id, "key", notice_reason_key(i)),
                       NULL);
        text_finish(&rest);
    }
    free(event_id);
}

static enum matrix_answer say_items(struct telling *t, const struct saying *s, const char *given_name)
{
    struct notice_item *items;
    size_t n;
    enum matrix_answer answer = MATRIX_NOT_NOW;
    if (items_of(t, s->room_id, s->root, given_name, &items, &n)) {
        json_t *content = message_of(t->m, items, n);
        if (s->txn != s->root) {
            answer = sink_say_edit(t->m, s, content);
        } else {
            answer = sink_say_noted(t->m, s, content);
            if (answer == MATRIX_REFUSED || answer == MATRIX_NOT_NOW)
                state_message_drop(t->m->state, s->root, s->room_id);
            if (answer == MATRIX_DONE && t->notice->kind == RECORD_ABSENCE)
                offer_reasons(t->m, s);
        }
    }
    free(items);
    return answer;
}

/* A new message, into the outbox. E9: it is said in clear where nobody speaks under a lock. The state of the room is
 * known. */
static void say_soon(struct telling *t, const struct saying *s, const char *given_name)
{
    struct notice_item *items = NULL;
    struct room_lock lock;
    size_t n;
    outbox_make_room(t->m->outbox);
    if (note_message(t, s) && items_of(t, s->room_id, s->root, given_name, &items, &n)) {
        bool locked = room_lock_of(t->m->room_state, t->m->room_state_ms, &lock);
        outbox_add(t->m->outbox, t->waits, &(struct outbox_message){s->room_id, s->root, locked ? &lock : NULL},
                   message_of(t->m, items, n));
    } else {
        outcome_note(&t->outcome, MATRIX_NOT_NOW);
    }
    free(items);
}

void sink_tell_room(struct telling *t, const char *room_id, const char *given_name)
{
    char txn[WIRE_TXN_BYTES];
    const struct place *place = sink_stays(t, room_id);
    if (place != NULL && t->waits != NULL && outbox_ride(t->m->outbox, t->waits, place->root))
        return;
    sink_wire_txn(t->notice->txn, room_id, txn);
    char *event_id = place != NULL ? state_sent(t->m->state, place->root, place->root) : NULL;
    struct saying s = {room_id, txn, txn};
    enum matrix_answer answer = MATRIX_DONE;
    if (place != NULL && event_id == NULL && !state_sound(t->m->state)) {
        answer = MATRIX_NOT_NOW;
    } else if (event_id != NULL) { /* it stands there */
        s.root = place->root;
        if ((t->notice->what == CHANGE_NEW && t->whom != TELL_LATE) || strcmp(txn, s.root) == 0)
            s.txn = s.root; /* what guardians are told late may have changed since it was begun */
        if (s.txn != s.root || *event_id == '\0')
            answer = say_items(t, &s, given_name);
        else if (t->notice->in_doubt && t->notice->kind == RECORD_ABSENCE)
            offer_reasons(t->m, &s); /* a kill may have come before they were there */
    } else if (t->waits != NULL && sink_secure(t->m, room_id) == MATRIX_DONE) {
        say_soon(t, &s, given_name);
        return;
    } else {
        outbox_send(t->m->outbox); /* what is noted is on disk before it is said */
        answer = note_message(t, &s) ? say_items(t, &s, given_name) : MATRIX_NOT_NOW;
    }
    free(event_id);
    outcome_note(&t->outcome, answer);
}

/* Whose room it is, as the school calls them: heap; NULL: no child's. Whoever may not be in it any more is put out
 * first: the other marks are said again. REFUSED: somebody stays, or the school knows the child no more. */
static enum matrix_answer given_name_of(struct sink_matrix *m, const char *room_id, char **given_name)
{
    struct family family = {0};
    struct audience guardians = {.n = 0};
    bool separate;
    char *child = state_room_child(m->state, room_id);
    *given_name = NULL;
    if (child == NULL)
        return state_sound(m->state) ? MATRIX_DONE : MATRIX_NOT_NOW;
    enum matrix_answer answer = families_ask(&m->families, &m->client, child, &family);
    if (answer == MATRIX_DONE) {
        const char *name = json_get_string(family.person, "given_name");
        *given_name = name != NULL ? xstrdup(name) : NULL;
        sink_take_guardians(family.guardianships, child, &guardians, &separate);
        answer = sink_keep_apart(m, child, &guardians, separate);
    }
    free(child);
    return answer;
}

/* Says the message again without what was withdrawn. */
static enum matrix_answer say_rest(struct telling *t, const struct place *place, struct notice_item *items, size_t n)
{
    char txn[WIRE_TXN_BYTES], *given_name;
    enum matrix_answer answer = given_name_of(t->m, place->room_id, &given_name);
    for (size_t i = 0; i < n; ++i)
        items[i].child = given_name;
    sink_wire_txn(t->notice->txn, place->room_id, txn);
    if (answer == MATRIX_DONE)
        answer = sink_say_edit(t->m, &(struct saying){place->room_id, place->root, txn}, message_of(t->m, items, n));
    free(given_name);
    return answer;
}

/* All that the message was said by. */
static enum matrix_answer redact_whole(struct telling *t, const struct place *place)
{
    size_t n;
    struct sent *sent = state_sent_all(t->m->state, place->root, &n);
    enum matrix_answer answer = state_sound(t->m->state) ? MATRIX_DONE : MATRIX_NOT_NOW;
    for (size_t i = 0; answer == MATRIX_DONE && i < n; ++i)
        answer = sink_redact(t, &(struct saying){place->room_id, place->root, sent[i].txn});
    state_sent_free(sent, n);
    return answer;
}

void sink_take_back(struct telling *t, const struct place *place)
{
    struct notice_item *items;
    size_t n;
    struct notice without = *t->notice;
    const struct telling gone = {.m = t->m, .notice = &without};
    without.record = NULL; /* also where it went into other rooms */
    enum matrix_answer answer =
        items_of(&gone, place->room_id, place->root, NULL, &items, &n) ? MATRIX_DONE : MATRIX_NOT_NOW;
    bool rest = answer == MATRIX_DONE && n != 0;
    if (rest)
        answer = say_rest(t, place, items, n);
    if (rest ? answer == MATRIX_REFUSED : answer == MATRIX_DONE)
        answer = redact_whole(t, place);
    if (answer == MATRIX_DONE) {
        state_begin(t->m->state);
        state_place_drop(t->m->state, t->notice->source, t->notice->id, place->room_id);
        answer = state_commit(t->m->state) ? MATRIX_DONE : MATRIX_UNKNOWN;
    }
    free(items);
    outcome_note(&t->outcome, answer);
}
