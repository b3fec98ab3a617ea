#include "appservice/diary/sink_outbox.h"

#include <stdlib.h>
#include <string.h>

#include "appservice/diary/fetch.h"
#include "appservice/diary/state.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"

#define RIDERS_MAX (2 * OUTBOX_MAX)

struct message {
    struct outcome *outcome;
    char *room_id, *txn;
    bool locked;
    struct room_lock lock;
    struct sealing sealing;
    struct matrix_put put;
    bool sent;
};

struct outbox {
    struct state *state;
    const struct matrix_client *client;
    const struct sink_crypto *crypto;
    struct message messages[OUTBOX_MAX];
    size_t n;
    struct rider {
        size_t message;
        struct outcome *outcome;
    } riders[RIDERS_MAX];
    size_t n_riders;
    struct begun {
        const struct notice *notice;
        struct outcome outcome;
    } begun[OUTBOX_MAX];
    size_t n_begun, n_finished;
    bool holds, lost;
    bool unkept;     /* of what is in here something was not kept: nothing of it is sent */
    int64_t held_ms; /* clock_mono_ms: since when */
};

void outcome_note(struct outcome *outcome, enum matrix_answer answer)
{
    outcome->told = outcome->told || answer == MATRIX_DONE;
    outcome->refused = outcome->refused || answer == MATRIX_REFUSED;
    outcome->later = outcome->later || answer == MATRIX_NOT_NOW;
    outcome->doubt = outcome->doubt || answer == MATRIX_UNKNOWN;
}

void outcome_join(struct outcome *outcome, const struct outcome *other)
{
    outcome->told = outcome->told || other->told;
    outcome->refused = outcome->refused || other->refused;
    outcome->later = outcome->later || other->later;
    outcome->doubt = outcome->doubt || other->doubt;
}

enum sink_answer outcome_answer(const struct outcome *outcome)
{
    if (outcome->doubt || (outcome->later && outcome->told))
        return SINK_IN_DOUBT;
    if (outcome->later)
        return SINK_LATER;
    return outcome->refused ? SINK_REFUSED : SINK_TOLD;
}

struct outbox *outbox_create(struct state *state, const struct matrix_client *client, const struct sink_crypto *crypto)
{
    struct outbox *o = xcalloc(1, sizeof *o);
    o->state = state;
    o->client = client;
    o->crypto = crypto;
    return o;
}

static void empty(struct outbox *o)
{
    for (size_t i = 0; i < o->n; ++i) {
        struct message *message = &o->messages[i];
        json_decref(message->put.content);
        json_decref(message->put.reply);
        room_lock_finish(&message->lock);
        free(message->put.path);
        free(message->room_id);
        free(message->txn);
    }
    o->n = o->n_riders = 0;
}

void outbox_destroy(struct outbox *outbox)
{
    if (outbox != NULL)
        empty(outbox);
    free(outbox);
}

/* --- What goes in --- */

/* Nothing that was noted holds: neither are rooms known that were made meanwhile. */
static void lose(struct outbox *o)
{
    o->lost = o->unkept = true;
    for (size_t i = 0; i < o->n_begun; ++i)
        o->begun[i].outcome.later = true;
}

bool outbox_let_go(struct outbox *o, bool patient)
{
    if (o->holds && (patient || clock_mono_ms() > o->held_ms + OUTBOX_HOLD_MS)) {
        o->holds = false;
        if (!state_release(o->state))
            lose(o);
    }
    return o->holds;
}

static void hold(struct outbox *o)
{
    if (o->holds && clock_mono_ms() > o->held_ms + OUTBOX_HOLD_MS)
        outbox_send(o);
    if (o->holds)
        return;
    state_hold(o->state);
    o->holds = true;
    o->held_ms = clock_mono_ms();
}

bool outbox_begin(struct outbox *o, const struct notice *notice, struct outcome **outcome)
{
    if (o->n_begun == OUTBOX_MAX)
        return false;
    hold(o);
    struct begun *begun = &o->begun[o->n_begun++];
    *begun = (struct begun){.notice = notice};
    *outcome = &begun->outcome;
    return true;
}

void outbox_make_room(struct outbox *o)
{
    if (o->n == OUTBOX_MAX)
        outbox_send(o);
    hold(o);
}

void outbox_add(struct outbox *o, struct outcome *outcome, const struct outbox_message *message, json_t *content)
{
    struct message *m = &o->messages[o->n++];
    *m = (struct message){.outcome = outcome,
                          .room_id = xstrdup(message->room_id),
                          .txn = xstrdup(message->txn),
                          .locked = message->lock != NULL,
                          .put = {.content = content, .answer = MATRIX_NOT_NOW}};
    if (m->locked)
        m->lock = *message->lock;
}

static size_t find(const struct outbox *o, const char *root)
{
    size_t i = 0;
    while (i < o->n && strcmp(o->messages[i].txn, root) != 0)
        ++i;
    return i;
}

bool outbox_has(const struct outbox *o, const char *root)
{
    return find(o, root) != o->n;
}

bool outbox_ride(struct outbox *o, struct outcome *outcome, const char *root)
{
    size_t i = find(o, root);
    if (i == o->n)
        return false;
    if (o->n_riders == RIDERS_MAX) {
        outbox_send(o);
        return false;
    }
    o->riders[o->n_riders++] = (struct rider){i, outcome};
    return true;
}

/* --- Sending --- */

/* Those of encrypted rooms. What cannot be encrypted now counts as sent, with that answer. */
static void encrypt_all(struct outbox *o)
{
    struct sealing *all[OUTBOX_MAX];
    size_t n = 0;
    for (size_t i = 0; i < o->n; ++i) {
        struct message *m = &o->messages[i];
        m->sealing = (struct sealing){
            .room_id = m->room_id, .type = "m.room.message", .lock = &m->lock, .content = m->put.content};
        if (m->locked)
            all[n++] = &m->sealing;
    }
    if (n != 0)
        sink_encrypt(o->crypto, all, n);
    for (size_t i = 0; i < o->n; ++i) {
        struct message *m = &o->messages[i];
        if (m->locked && m->sealing.answer == MATRIX_DONE) {
            json_decref(m->put.content);
            m->put.content = m->sealing.encrypted;
        } else if (m->locked) {
            m->put.answer = m->sealing.answer;
            m->sent = true;
        }
    }
}

static void make_paths(struct outbox *o)
{
    for (size_t i = 0; i < o->n; ++i) {
        struct message *m = &o->messages[i];
        struct text path = TEXT_INIT;
        text_adds(&path, "/rooms/");
        text_add_percent(&path, m->room_id);
        text_addf(&path, "/send/%s/", m->locked ? "m.room.encrypted" : "m.room.message");
        text_add_percent(&path, m->txn);
        m->put.path = text_take(&path);
    }
}

/* Whether an earlier message has to go into the room first; those of this wave count. */
static bool has_turn(const struct outbox *o, size_t i)
{
    for (size_t k = 0; k < i; ++k)
        if (!o->messages[k].sent && strcmp(o->messages[k].room_id, o->messages[i].room_id) == 0)
            return false;
    return true;
}

/* The first that wait, one of a room. false: there are none. */
static bool send_wave(struct outbox *o)
{
    struct matrix_put *puts[OUTBOX_AT_ONCE];
    size_t wave[OUTBOX_AT_ONCE], n = 0;
    for (size_t i = 0; i < o->n && n < OUTBOX_AT_ONCE; ++i)
        if (!o->messages[i].sent && has_turn(o, i)) {
            puts[n] = &o->messages[i].put;
            wave[n++] = i;
        }
    matrix_put_all(o->client, puts, n);
    for (size_t i = 0; i < n; ++i)
        o->messages[wave[i]].sent = true;
    return n != 0;
}

static void keep(struct outbox *o, struct message *message)
{
    const char *event_id = json_get_string(message->put.reply, "event_id");
    if (message->put.answer == MATRIX_DONE && event_id == NULL)
        message->put.answer = MATRIX_UNKNOWN;
    if (message->put.answer == MATRIX_DONE) {
        state_begin(o->state);
        state_sent_put(o->state, message->txn, message->txn, message->room_id, event_id);
        state_commit(o->state);
    } else if (message->put.answer != MATRIX_UNKNOWN) {
        state_message_drop(o->state, message->txn, message->room_id);
    }
}

static void keep_all(struct outbox *o)
{
    state_hold(o->state);
    for (size_t i = 0; i < o->n; ++i)
        keep(o, &o->messages[i]);
    bool kept = state_release(o->state);
    for (size_t i = 0; !kept && i < o->n; ++i)
        if (o->messages[i].put.answer == MATRIX_DONE)
            o->messages[i].put.answer = MATRIX_UNKNOWN;
}

void outbox_send(struct outbox *o)
{
    outbox_let_go(o, true);
    bool noted = !o->unkept;
    if (!noted)
        lose(o); /* also what began since */
    o->unkept = false;
    if (noted) {
        encrypt_all(o);
        make_paths(o);
    }
    while (noted && send_wave(o))
        ;
    if (noted && o->n != 0)
        keep_all(o);
    for (size_t i = 0; i < o->n; ++i)
        outcome_note(o->messages[i].outcome, o->messages[i].put.answer);
    for (size_t i = 0; i < o->n_riders; ++i)
        outcome_note(o->riders[i].outcome, o->messages[o->riders[i].message].put.answer);
    empty(o);
}

bool outbox_take_loss(struct outbox *o)
{
    bool lost = o->lost;
    o->lost = false;
    return lost;
}

enum sink_answer outbox_finish(struct outbox *o, const struct notice *notice)
{
    for (size_t i = 0; i < o->n_begun; ++i)
        if (o->begun[i].notice == notice) {
            enum sink_answer answer = outcome_answer(&o->begun[i].outcome);
            if (++o->n_finished == o->n_begun)
                o->n_begun = o->n_finished = 0;
            return answer;
        }
    return SINK_IN_DOUBT;
}
