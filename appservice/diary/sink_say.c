/* What the sink sends: each once, under a transaction id that is noted before. */
#include "appservice/diary/sink_matrix_private.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/fetch.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"

/* One transaction id for each thing that is done for a notice. */
void sink_wire_txn(const char *txn, const char *of, char out[WIRE_TXN_BYTES])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    char hex[2 * sizeof hash + 1];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)of, strlen(of), NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(out, WIRE_TXN_BYTES, "%s-%.16s", txn, hex);
}

static bool keep_sent(struct sink_matrix *m, const struct saying *s, const char *event_id)
{
    state_begin(m->state);
    if (event_id != NULL)
        state_sent_put(m->state, s->root, s->txn, s->room_id, event_id);
    else
        state_sent_drop(m->state, s->root, s->txn);
    return state_commit(m->state);
}

/* Makes an event ready for the room: *type and *content stay as they are, or become those of the encrypted one. */
static enum matrix_answer make_ready(struct sink_matrix *m, const char *room_id, const char **type, json_t **content)
{
    struct room_lock lock;
    if (!room_lock_of(m->room_state, m->room_state_ms, &lock))
        return MATRIX_DONE;
    struct sealing one = {.room_id = room_id, .type = *type, .lock = &lock, .content = *content};
    sink_encrypt(&m->crypto, &(struct sealing *){&one}, 1);
    room_lock_finish(&lock);
    if (one.answer == MATRIX_DONE) {
        json_decref(*content);
        *content = one.encrypted;
        *type = "m.room.encrypted";
    }
    return one.answer;
}

/* Sends it under its transaction id, encrypted where the room is. DONE: *event_id is the event's, heap, whether it was
 * sent now or before. */
static enum matrix_answer send_once(struct sink_matrix *m, const struct saying *s, json_t *content, char **event_id)
{
    struct text rest = TEXT_INIT;
    json_t *reply = NULL;
    const char *type = "m.room.message";
    enum matrix_answer answer = sink_secure(m, s->room_id);
    if (answer == MATRIX_DONE)
        answer = make_ready(m, s->room_id, &type, &content);
    if (answer == MATRIX_NOT_NOW)
        answer = MATRIX_UNKNOWN; /* nothing was sent now, but perhaps before */
    text_addf(&rest, "/send/%s/", type);
    text_add_percent(&rest, s->txn);
    if (answer == MATRIX_DONE)
        answer = sink_room_call(m, "PUT", s->room_id, rest.data, content, &reply);
    else
        json_decref(content);
    const char *id = json_get_string(reply, "event_id");
    if (answer == MATRIX_DONE && id == NULL)
        answer = MATRIX_UNKNOWN;
    *event_id = answer == MATRIX_DONE ? xstrdup(id) : NULL;
    json_decref(reply);
    text_finish(&rest);
    return answer;
}

/* The event that was noted and perhaps sent, heap: what is sent in its place is that event, if it is there, and
 * otherwise nothing but a dash. */
static enum matrix_answer find_event(struct sink_matrix *m, const struct saying *s, char **event_id)
{
    *event_id = state_sent(m->state, s->root, s->txn);
    if (*event_id != NULL && **event_id != '\0')
        return MATRIX_DONE;
    free(*event_id);
    enum matrix_answer answer = send_once(m, s, json_pack("{s:s, s:s}", "msgtype", "m.text", "body", "–"), event_id);
    if (answer == MATRIX_DONE && !keep_sent(m, s, *event_id)) {
        free(*event_id);
        *event_id = NULL;
        answer = MATRIX_UNKNOWN;
    }
    return answer;
}

/* Sends what was noted already; content is taken. What was surely not sent is not noted any more. */
enum matrix_answer sink_say_noted(struct sink_matrix *m, const struct saying *s, json_t *content)
{
    char *event_id;
    enum matrix_answer answer = send_once(m, s, content, &event_id);
    if (answer == MATRIX_DONE)
        answer = keep_sent(m, s, event_id) ? MATRIX_DONE : MATRIX_UNKNOWN;
    else if (answer != MATRIX_UNKNOWN)
        keep_sent(m, s, NULL);
    free(event_id);
    return answer;
}

json_t *sink_edit_of(json_t *now, const char *original)
{
    struct text fallback = TEXT_INIT;
    text_addf(&fallback, "* %s", json_get_string(now, "body"));
    json_t *content = json_pack("{s:s, s:s, s:o, s:{s:s, s:s}}", "msgtype", "m.text", "body", fallback.data,
                                "m.new_content", now, "m.relates_to", "rel_type", "m.replace", "event_id", original);
    sodium_memzero(fallback.data, fallback.len);
    text_finish(&fallback);
    return content;
}

enum matrix_answer sink_say_edit(struct sink_matrix *m, const struct saying *s, json_t *content)
{
    char *original = NULL, *there = state_sent(m->state, s->root, s->txn);
    enum matrix_answer answer = MATRIX_DONE;
    if (there == NULL || *there == '\0') {
        answer = find_event(m, &(struct saying){s->room_id, s->root, s->root}, &original);
        if (answer == MATRIX_DONE && there == NULL && !keep_sent(m, s, ""))
            answer = MATRIX_NOT_NOW;
        if (answer == MATRIX_DONE) {
            answer = sink_say_noted(m, s, sink_edit_of(content, original));
            content = NULL;
        }
    }
    json_decref(content);
    free(original);
    free(there);
    return answer;
}

enum matrix_answer sink_redact(struct telling *t, const struct saying *s)
{
    char txn[WIRE_TXN_BYTES], *event_id;
    struct text rest = TEXT_INIT;
    enum matrix_answer answer = find_event(t->m, s, &event_id);
    if (answer == MATRIX_DONE) {
        sink_wire_txn(t->notice->txn, event_id, txn);
        text_adds(&rest, "/redact/");
        text_add_percent(&rest, event_id);
        text_addf(&rest, "/%s", txn);
        answer = sink_room_call(t->m, "PUT", s->room_id, rest.data, json_object(), NULL);
    }
    if (answer == MATRIX_DONE && !keep_sent(t->m, s, NULL))
        answer = MATRIX_UNKNOWN;
    text_finish(&rest);
    free(event_id);
    return answer;
}

enum matrix_answer sink_say(struct sink_matrix *m, const char *room_id, const char *txn, json_t *content,
                            char **event_id)
{
    char *said;
    enum matrix_answer answer = send_once(m, &(struct saying){room_id, txn, txn}, content, &said);
    if (event_id != NULL)
        *event_id = said;
    else
        free(said);
    sink_forget_state(m);
    return answer;
}
