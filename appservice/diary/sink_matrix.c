#include "appservice/diary/sink_matrix.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/fetch.h"
#include "appservice/diary/notice_text.h"
#include "appservice/diary/sink_matrix_private.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/base/secret.h"
#include "homeserver/outgoing/outgoing.h"

#define MARKER "parta.diary.room" /* the state event that says what a room is for */
#define CLASS_ROOMS_MS 60000
#define CLASS_OF "class" /* parts of class_rooms */
#define GUARDIANS_OF "guardians"
#define PAGES_MAX 100
#define STOP_MS 1000

/* One notice on its way. */
struct telling {
    struct sink_matrix *m;
    const struct notice *notice;
    struct place *places; /* where it stood when it began */
    size_t n_places;
    bool *stays;             /* of each of them: its room is one where it belongs */
    enum { ALL, LATE } whom; /* LATE: guardians who are told later than the child */
    struct outcome *waits;   /* it may wait in the outbox, and what became of it there; NULL: it may not */
    struct outcome outcome;
};

static void note(struct telling *t, enum matrix_answer answer)
{
    outcome_note(&t->outcome, answer);
}

/* "/rooms/{room}" and what follows; heap. */
static char *room_path(const char *room_id, const char *rest)
{
    struct text path = TEXT_INIT;
    text_adds(&path, "/rooms/");
    fetch_escape(&path, room_id);
    text_adds(&path, rest);
    return text_take(&path);
}

enum matrix_answer sink_room_call(struct sink_matrix *m, const char *method, const char *room_id, const char *rest,
                                  json_t *content, json_t **reply)
{
    char *path = room_path(room_id, rest);
    enum matrix_answer answer = matrix_call(&m->client, method, path, content, reply);
    free(path);
    return answer;
}

enum matrix_answer sink_ask_school(struct sink_matrix *m, const char *path, const char *user_id, json_t **reply)
{
    struct text whole = TEXT_INIT;
    text_addf(&whole, "/_parta/v1/%s", path);
    fetch_escape(&whole, user_id);
    enum matrix_answer answer = matrix_call(&m->client, "GET", whole.data, NULL, reply);
    text_finish(&whole);
    return answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer;
}

/* --- A room's state, and its encryption --- */

static void forget_state(struct sink_matrix *m)
{
    json_decref(m->room_state);
    free(m->room_state_of);
    m->room_state = NULL;
    m->room_state_of = NULL;
}

/* In m->room_state, until it is forgotten. */
static enum matrix_answer know_state(struct sink_matrix *m, const char *room_id)
{
    if (m->room_state_of != NULL && strcmp(m->room_state_of, room_id) == 0)
        return MATRIX_DONE;
    forget_state(m);
    m->room_state_ms = clock_mono_ms();
    enum matrix_answer answer = sink_room_call(m, "GET", room_id, "/state", NULL, &m->room_state);
    if (answer == MATRIX_DONE && json_is_array(m->room_state))
        m->room_state_of = xstrdup(room_id);
    return answer == MATRIX_DONE && m->room_state_of == NULL ? MATRIX_UNKNOWN : answer;
}

/* The state is known, and a room of the bot's own has the encryption that the setting asks for. */
static enum matrix_answer secure(struct sink_matrix *m, const char *room_id)
{
    enum matrix_answer answer = know_state(m, room_id);
    if (answer != MATRIX_DONE || m->settings->encryption != ENCRYPTION_REQUIRE ||
        sink_encryption(m->room_state) != NULL || !state_room_is(m->state, room_id))
        return answer;
    answer = sink_room_call(m, "PUT", room_id, "/state/m.room.encryption/",
                            json_pack("{s:s}", "algorithm", "m.megolm.v1.aes-sha2"), NULL);
    if (answer == MATRIX_REFUSED)
        log_warn("diary", "the homeserver refuses to encrypt the room %s: nothing is said there", room_id);
    forget_state(m);
    return answer == MATRIX_DONE ? know_state(m, room_id) : answer;
}

/* --- What is said --- */

/* One transaction id for each thing that is done for a notice. */
void sink_wire_txn(const char *txn, const char *of, char out[WIRE_TXN_BYTES])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    char hex[2 * sizeof hash + 1];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)of, strlen(of), NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(out, WIRE_TXN_BYTES, "%s-%.16s", txn, hex);
}

/* One thing that the bot says: a message (txn is root) or an edit of it. */
struct saying {
    const char *room_id, *root, *txn;
};

static bool keep_sent(struct sink_matrix *m, const struct saying *s, const char *event_id)
{
    state_begin(m->state);
    if (event_id != NULL)
        state_sent_put(m->state, s->root, s->txn, s->room_id, event_id);
    else
        state_sent_drop(m->state, s->root, s->txn);
    return state_commit(m->state);
}

/* Sends it under its transaction id, encrypted where the room is. DONE: *event_id is the event's, heap, whether it was
 * sent now or before. */
static enum matrix_answer send_once(struct sink_matrix *m, const struct saying *s, json_t *content, char **event_id)
{
    struct text rest = TEXT_INIT;
    json_t *reply = NULL;
    const char *type = "m.room.message";
    enum matrix_answer answer = secure(m, s->room_id);
    if (answer == MATRIX_DONE)
        answer = sink_encrypt(&m->crypto, s->room_id, m->room_state, &type, &content);
    if (answer == MATRIX_NOT_NOW)
        answer = MATRIX_UNKNOWN; /* nothing was sent now, but perhaps before */
    text_addf(&rest, "/send/%s/", type);
    fetch_escape(&rest, s->txn);
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
static enum matrix_answer say_noted(struct sink_matrix *m, const struct saying *s, json_t *content)
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

static enum matrix_answer say_edit(struct sink_matrix *m, const struct saying *s, json_t *content)
{
    char *original = NULL, *there = state_sent(m->state, s->root, s->txn);
    enum matrix_answer answer = MATRIX_DONE;
    if (there == NULL || *there == '\0') {
        answer = find_event(m, &(struct saying){s->room_id, s->root, s->root}, &original);
        if (answer == MATRIX_DONE && there == NULL && !keep_sent(m, s, ""))
            answer = MATRIX_NOT_NOW;
        if (answer == MATRIX_DONE) {
            answer = say_noted(m, s, sink_edit_of(content, original));
            content = NULL;
        }
    }
    json_decref(content);
    free(original);
    free(there);
    return answer;
}

/* --- What a message holds --- */

/* The records of a message as the diary has them now, in *items, heap, without that of the notice if it is withdrawn.
 * A record that is gone is not said again. false: of one of them that is not known now. */
static bool items_of(const struct telling *t, const char *root, const char *given_name, struct notice_item **items,
                     size_t *n)
{
    const struct notice *notice = t->notice;
    size_t n_names;
    bool known = true;
    struct record_name *names = state_message_records(t->m->state, root, &n_names);
    *items = xcalloc(n_names + 1, sizeof **items);
    *n = 0;
    for (size_t i = 0; i < n_names; ++i) {
        bool ours = strcmp(names[i].source, notice->source) == 0;
        bool it = ours && strcmp(names[i].id, notice->id) == 0;
        const struct record *record = it ? notice->record : NULL;
        if (!it) {
            known = known && ours && notice->reading != NULL && !reading_doubts(notice->reading, names[i].id);
            record = known ? reading_find(notice->reading, names[i].id) : NULL;
        }
        if (record != NULL)
            (*items)[(*n)++] = (struct notice_item){given_name, it ? notice->what : CHANGE_NEW, record};
    }
    state_record_names_free(names, n_names);
    return known;
}

static const struct place *place_in(struct telling *t, const char *room_id)
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
    if (items_of(t, s->root, given_name, &items, &n)) {
        json_t *content = message_of(t->m, items, n);
        if (s->txn != s->root) {
            answer = say_edit(t->m, s, content);
        } else {
            answer = say_noted(t->m, s, content);
            if (answer == MATRIX_REFUSED || answer == MATRIX_NOT_NOW)
                state_message_drop(t->m->state, s->root, s->room_id);
            if (answer == MATRIX_DONE && t->notice->kind == RECORD_ABSENCE)
                offer_reasons(t->m, s);
        }
    }
    free(items);
    return answer;
}

/* A new message, into the outbox. */
static void say_soon(struct telling *t, const struct saying *s, const char *given_name)
{
    struct notice_item *items = NULL;
    size_t n;
    outbox_make_room(t->m->outbox);
    if (note_message(t, s) && items_of(t, s->root, given_name, &items, &n))
        outbox_add(t->m->outbox, t->waits, s->room_id, s->root, message_of(t->m, items, n));
    else
        note(t, MATRIX_NOT_NOW);
    free(items);
}

/* E9: what is said in clear, where nobody speaks under a lock. */
static bool is_in_clear(struct sink_matrix *m, const char *room_id)
{
    return secure(m, room_id) == MATRIX_DONE && sink_encryption(m->room_state) == NULL;
}

static void say(struct telling *t, const char *room_id, const char *given_name)
{
    char txn[WIRE_TXN_BYTES];
    const struct place *place = place_in(t, room_id);
    if (place != NULL && t->waits != NULL && outbox_ride(t->m->outbox, t->waits, place->root))
        return;
    sink_wire_txn(t->notice->txn, room_id, txn);
    char *event_id = place != NULL ? state_sent(t->m->state, place->root, place->root) : NULL;
    struct saying s = {room_id, txn, txn};
    enum matrix_answer answer = MATRIX_DONE;
    if (event_id != NULL) { /* it stands there */
        s.root = place->root;
        if ((t->notice->what == CHANGE_NEW && t->whom != LATE) || strcmp(txn, s.root) == 0)
            s.txn = s.root; /* what guardians are told late may have changed since it was begun */
        if (s.txn != s.root || *event_id == '\0')
            answer = say_items(t, &s, given_name);
        else if (t->notice->in_doubt && t->notice->kind == RECORD_ABSENCE)
            offer_reasons(t->m, &s); /* a kill may have come before they were there */
    } else if (t->waits != NULL && is_in_clear(t->m, room_id)) {
        say_soon(t, &s, given_name);
        return;
    } else {
        outbox_send(t->m->outbox); /* what is noted is on disk before it is said */
        answer = note_message(t, &s) ? say_items(t, &s, given_name) : MATRIX_NOT_NOW;
    }
    free(event_id);
    note(t, answer);
}

static enum matrix_answer redact(struct telling *t, const struct saying *s)
{
    char txn[WIRE_TXN_BYTES], *event_id;
    struct text rest = TEXT_INIT;
    enum matrix_answer answer = find_event(t->m, s, &event_id);
    if (answer == MATRIX_DONE) {
        sink_wire_txn(t->notice->txn, event_id, txn);
        text_adds(&rest, "/redact/");
        fetch_escape(&rest, event_id);
        text_addf(&rest, "/%s", txn);
        answer = sink_room_call(t->m, "PUT", s->room_id, rest.data, json_object(), NULL);
    }
    if (answer == MATRIX_DONE && !keep_sent(t->m, s, NULL))
        answer = MATRIX_UNKNOWN;
    text_finish(&rest);
    free(event_id);
    return answer;
}

/* Whose room it is, as the school calls them: heap; NULL: nobody's who is there. */
static enum matrix_answer given_name_of(struct sink_matrix *m, const char *room_id, char **given_name)
{
    json_t *person = NULL;
    char *child = state_room_child(m->state, room_id);
    enum matrix_answer answer = child != NULL ? sink_ask_school(m, "people/", child, &person) : MATRIX_REFUSED;
    const char *name = json_get_string(person, "given_name");
    *given_name = answer == MATRIX_DONE && name != NULL ? xstrdup(name) : NULL;
    json_decref(person);
    free(child);
    return answer == MATRIX_REFUSED ? MATRIX_DONE : answer;
}

/* The message without the record, if others stand in it; otherwise it is redacted with its edits. */
static void take_back(struct telling *t, const struct place *place)
{
    char txn[WIRE_TXN_BYTES], *given_name = NULL;
    struct notice_item *items;
    size_t n, n_sent;
    struct notice without = *t->notice;
    const struct telling gone = {.m = t->m, .notice = &without};
    without.record = NULL; /* also where it went into other rooms */
    enum matrix_answer answer = items_of(&gone, place->root, NULL, &items, &n) ? MATRIX_DONE : MATRIX_NOT_NOW;
    if (answer == MATRIX_DONE && n != 0) {
        sink_wire_txn(t->notice->txn, place->room_id, txn);
        answer = given_name_of(t->m, place->room_id, &given_name);
        for (size_t i = 0; i < n; ++i)
            items[i].child = given_name;
        if (answer == MATRIX_DONE)
            answer = say_edit(t->m, &(struct saying){place->room_id, place->root, txn}, message_of(t->m, items, n));
    } else if (answer == MATRIX_DONE) {
        struct sent *sent = state_sent_all(t->m->state, place->root, &n_sent);
        for (size_t i = 0; answer == MATRIX_DONE && i < n_sent; ++i)
            answer = redact(t, &(struct saying){place->room_id, place->root, sent[i].txn});
        state_sent_free(sent, n_sent);
    }
    if (answer == MATRIX_DONE) {
        state_begin(t->m->state);
        state_place_drop(t->m->state, t->notice->source, t->notice->id, place->room_id);
        answer = state_commit(t->m->state) ? MATRIX_DONE : MATRIX_UNKNOWN;
    }
    free(given_name);
    free(items);
    note(t, answer);
}

/* --- Rooms --- */

bool sink_know_oneself(struct sink_matrix *m)
{
    json_t *reply = NULL;
    if (m->bot == NULL && matrix_call(&m->client, "GET", "/account/whoami", NULL, &reply) == MATRIX_DONE) {
        const char *id = json_get_string(reply, "user_id");
        m->bot = id != NULL ? xstrdup(id) : NULL;
    }
    json_decref(reply);
    return m->bot != NULL;
}

static bool note_room(struct sink_matrix *m, const char *child, const char *audience, const char *room_id)
{
    state_begin(m->state);
    state_room_put(m->state, child, audience, room_id);
    return state_commit(m->state);
}

/* Notes the room if it is one that the bot made for an audience. false: that is not known now. */
static bool adopt(struct sink_matrix *m, const char *room_id)
{
    json_t *reply = NULL;
    char *path = room_path(room_id, "/state/" MARKER "?format=event");
    enum matrix_answer answer = matrix_look(&m->client, path, &reply);
    const json_t *content = json_get_object(reply, "content");
    const char *sender = json_get_string(reply, "sender"), *child = json_get_string(content, "child");
    const char *audience = json_get_string(content, "audience");
    bool good = answer == MATRIX_DONE || answer == MATRIX_REFUSED;
    if (answer == MATRIX_DONE && sender != NULL && child != NULL && audience != NULL && strcmp(sender, m->bot) == 0)
        good = note_room(m, child, audience, room_id);
    json_decref(reply);
    free(path);
    return good;
}

/* Once, before the first room is made: whatever a kill or a restored state has made forgotten. */
static bool sweep(struct sink_matrix *m)
{
    json_t *reply = NULL, *room;
    size_t i;
    if (outbox_take_loss(m->outbox))
        m->swept = false;
    if (m->swept)
        return true;
    bool good = matrix_call(&m->client, "GET", "/joined_rooms", NULL, &reply) == MATRIX_DONE;
    json_array_foreach(json_get_array(reply, "joined_rooms"), i, room) {
        const char *room_id = json_string_value(room);
        if (good && room_id != NULL && !state_room_is(m->state, room_id))
            good = adopt(m, room_id);
    }
    json_decref(reply);
    m->swept = good;
    return good;
}

static enum matrix_answer make_room(struct sink_matrix *m, const struct audience *a, char **room_id)
{
    struct text name = TEXT_INIT;
    json_t *reply = NULL;
    text_addf(&name, "%s%s%s", m->settings->english ? "Diary" : "Дневник", *a->given_name != '\0' ? ": " : "",
              a->given_name);
    json_t *content = json_pack("{s:s, s:s, s:{s:i}, s:[{s:s, s:s, s:{s:s, s:s}}]}", "preset", "private_chat", "name",
                                name.data, "power_level_content_override", "invite", 100, "initial_state", "type",
                                MARKER, "state_key", "", "content", "child", a->child, "audience", a->name);
    enum matrix_answer answer = matrix_call(&m->client, "POST", "/createRoom", content, &reply);
    const char *made = json_get_string(reply, "room_id");
    if (answer == MATRIX_DONE && (made == NULL || !note_room(m, a->child, a->name, made)))
        answer = MATRIX_UNKNOWN;
    if (answer == MATRIX_DONE)
        *room_id = xstrdup(made);
    else
        m->swept = false; /* it may have been made */
    json_decref(reply);
    text_finish(&name);
    return answer;
}

/* The room of the audience: heap. It is noted before anybody is asked into it. */
static enum matrix_answer room_of(struct sink_matrix *m, const struct audience *a, char **room_id)
{
    *room_id = state_room(m->state, a->child, a->name);
    if (*room_id != NULL)
        return MATRIX_DONE;
    if (!sweep(m))
        return MATRIX_NOT_NOW;
    *room_id = state_room(m->state, a->child, a->name);
    enum matrix_answer answer = *room_id != NULL ? MATRIX_DONE : make_room(m, a, room_id);
    return answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer; /* nobody is in it */
}

static bool is_of(const struct audience *a, const char *user_id)
{
    for (size_t i = 0; i < a->n; ++i)
        if (strcmp(a->who[i], user_id) == 0)
            return true;
    return false;
}

/* How somebody stands to the room: 'j' joined or invited, 'd' has gone by themselves, 0 neither. The server writes a
 * removal (no_contact, D9) as their own leave: one from before they were of those who are told (again) is none of
 * theirs. */
static char standing_of(const json_t *members, const char *user_id, int64_t since_ms)
{
    size_t i;
    json_t *event;
    json_array_foreach(members, i, event) {
        const char *key = json_get_string(event, "state_key"), *sender = json_get_string(event, "sender");
        const char *membership = json_get_string(json_get_object(event, "content"), "membership");
        if (key == NULL || sender == NULL || membership == NULL || strcmp(key, user_id) != 0)
            continue;
        if (strcmp(membership, "join") == 0 || strcmp(membership, "invite") == 0)
            return 'j';
        bool own = strcmp(sender, key) == 0 && json_get_int(event, "origin_server_ts", 0) >= since_ms;
        return strcmp(membership, "leave") == 0 && own ? 'd' : 0;
    }
    return 0;
}

static enum matrix_answer put_out(struct sink_matrix *m, const char *room_id, const struct audience *a,
                                  const json_t *members, bool *changed)
{
    enum matrix_answer answer = MATRIX_DONE;
    size_t i;
    json_t *event;
    json_array_foreach(members, i, event) {
        const char *user_id = json_get_string(event, "state_key");
        const char *membership = json_get_string(json_get_object(event, "content"), "membership");
        if (answer != MATRIX_DONE || user_id == NULL || membership == NULL || strcmp(user_id, m->bot) == 0 ||
            is_of(a, user_id) || (strcmp(membership, "leave") == 0 || strcmp(membership, "ban") == 0))
            continue;
        answer = sink_room_call(m, "POST", room_id, "/kick", json_pack("{s:s}", "user_id", user_id), NULL);
        *changed = true;
    }
    return answer;
}

/* Makes the room's members those of the audience. true: it may be spoken there. */
static bool gather(struct telling *t, const char *room_id, const struct audience *a)
{
    struct sink_matrix *m = t->m;
    size_t there = 0;
    bool changed = false;
    if (clock_mono_ms() >= m->room_state_ms + FAMILY_HOLDS_MS)
        forget_state(m); /* what is known of a room counts as long as what is known of a child */
    enum matrix_answer answer = know_state(m, room_id);
    const json_t *members = m->room_state;
    if (answer == MATRIX_DONE)
        answer = put_out(m, room_id, a, members, &changed);
    for (size_t i = 0; answer == MATRIX_DONE && i < a->n; ++i) {
        char standing = standing_of(members, a->who[i], a->since_ms[i]);
        enum matrix_answer asked = MATRIX_DONE;
        if (standing == 0)
            asked = sink_room_call(m, "POST", room_id, "/invite", json_pack("{s:s}", "user_id", a->who[i]), NULL);
        changed = changed || (standing == 0 && asked != MATRIX_REFUSED);
        there += standing != 'd' && asked == MATRIX_DONE;
        if (asked == MATRIX_REFUSED)
            t->outcome.refused = true;
        else
            answer = asked;
    }
    if (changed)
        forget_state(m);
    if (answer != MATRIX_DONE)
        note(t, answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer);
    return answer == MATRIX_DONE && there != 0;
}

enum matrix_answer sink_room(struct sink_matrix *m, const struct audience *a, char **room_id)
{
    struct telling t = {.m = m};
    enum matrix_answer answer = room_of(m, a, room_id);
    if (answer == MATRIX_DONE && !gather(&t, *room_id, a))
        answer = t.outcome.later || t.outcome.doubt ? MATRIX_NOT_NOW : MATRIX_REFUSED;
    if (answer != MATRIX_DONE) {
        free(*room_id);
        *room_id = NULL;
    }
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
    forget_state(m);
    return answer;
}

/* --- Families --- */

static void tell_audience(struct telling *t, const struct audience *a)
{
    char *room_id = NULL;
    enum matrix_answer answer = room_of(t->m, a, &room_id);
    if (answer != MATRIX_DONE)
        note(t, answer);
    else if (gather(t, room_id, a))
        say(t, room_id, a->given_name);
    free(room_id);
}

/* The guardians whose guardianship counts; *separate: they are told apart (D9). */
static void take_guardians(const json_t *guardianships, const char *child, struct audience *guardians, bool *separate)
{
    size_t i;
    json_t *item;
    *separate = false;
    json_array_foreach(json_get_array(guardianships, "items"), i, item) {
        const char *of = json_get_string(item, "child"), *guardian = json_get_string(item, "guardian");
        const char *custody = json_get_string(item, "custody");
        if (of == NULL || guardian == NULL || strcmp(of, child) != 0 ||
            (custody != NULL && strcmp(custody, "no_contact") == 0) || guardians->n == PEOPLE_MAX - 1)
            continue;
        *separate = *separate || (custody != NULL && strcmp(custody, "shared") != 0);
        guardians->since_ms[guardians->n] = json_get_int(item, "since_ts", 0);
        guardians->who[guardians->n++] = guardian;
    }
}

bool sink_is_guardian(const json_t *guardianships, const char *child, const char *user_id)
{
    struct audience guardians = {.n = 0};
    bool separate;
    take_guardians(guardianships, child, &guardians, &separate);
    return is_of(&guardians, user_id);
}

/* Leaves out of whom the notice concerns who wants to be told nothing, or in a digest: that is owed to them. */
static void choose(struct telling *t, const char *child, struct audience *a)
{
    const struct notice *notice = t->notice;
    size_t n = 0, owed = 0;
    state_begin(t->m->state);
    for (size_t i = 0; i < a->n; ++i) {
        const struct person person = state_person(t->m->state, a->who[i], false);
        bool at_once = person.pace == PACE_NOW || notice->kind == RECORD_ABSENCE;
        if (!person.off && !at_once) {
            const struct owed row = {a->who[i],
                                     child,
                                     notice->source,
                                     notice->id,
                                     notice->day,
                                     notice->revision,
                                     notice->what == CHANGE_CHANGED};
            state_owe(t->m->state, &row);
            ++owed;
        } else if (!person.off) {
            a->since_ms[n] = a->since_ms[i];
            a->who[n++] = a->who[i];
        }
    }
    a->n = n;
    if (!state_commit(t->m->state) && owed != 0)
        note(t, MATRIX_NOT_NOW);
}

/* The child first (diary.pupil_first_hours): whether guardians are told of it when its time has come (later.c). What
 * came by itself could not be said again then. */
static bool put_off(struct telling *t, const char *child)
{
    const struct notice *notice = t->notice;
    struct state *state = t->m->state;
    int64_t wait_ms = t->m->settings->pupil_first_hours * HOUR_MS;
    if (wait_ms == 0 || t->whom == LATE || notice->reading == NULL ||
        (notice->what != CHANGE_NEW && !state_is_later(state, notice->source, notice->id, child)))
        return false;
    state_begin(state);
    state_later(state, notice->source, notice->id, child, notice->day, clock_wall_ms() + wait_ms);
    if (!state_commit(state))
        note(t, MATRIX_NOT_NOW);
    return true;
}

/* Each guardian by themselves, or all in one room. */
static void tell_guardians(struct telling *t, const struct audience *guardians, bool separate)
{
    if (!separate && guardians->n != 0)
        tell_audience(t, guardians);
    for (size_t i = 0; separate && i < guardians->n; ++i) {
        struct audience one = {guardians->who[i],       guardians->child, guardians->given_name, {guardians->who[i]}, 1,
                               {guardians->since_ms[i]}};
        tell_audience(t, &one);
    }
}

static void tell_people(struct telling *t, const char *child, const char *given_name, const json_t *guardianships)
{
    struct audience guardians = {.name = GUARDIANS, .child = child, .given_name = given_name}, family = guardians;
    bool separate, absence = t->notice->kind == RECORD_ABSENCE, apart = t->m->settings->pupil_first_hours != 0;
    take_guardians(guardianships, child, &guardians, &separate);
    if (guardians.n == 0 && absence)
        note(t, MATRIX_REFUSED);
    if (!absence && put_off(t, child))
        guardians.n = 0;
    choose(t, child, &guardians);
    if (!absence && t->whom != LATE) {
        family.name = apart ? CHILD : FAMILY;
        family.who[family.n++] = child;
        choose(t, child, &family);
        for (size_t i = 0; !separate && !apart && i < guardians.n; ++i) {
            family.since_ms[family.n] = guardians.since_ms[i];
            family.who[family.n++] = guardians.who[i];
        }
        if (family.n != 0)
            tell_audience(t, &family);
    }
    if (absence || separate || apart)
        tell_guardians(t, &guardians, separate);
}

bool sink_is_pupil_here(const struct sink_matrix *m, const json_t *person)
{
    size_t i;
    json_t *item;
    bool here = false;
    json_array_foreach(json_get_array(person, "roles"), i, item) {
        const char *role = json_get_string(item, "role"), *school = json_get_string(item, "school");
        for (size_t s = 0; role != NULL && school != NULL && s < m->settings->n_schools; ++s)
            here = here || (strcmp(role, "pupil") == 0 && strcmp(school, m->settings->schools[s]) == 0);
    }
    return here && !json_get_bool(person, "ended", true);
}

static void tell_family(struct telling *t, const char *child)
{
    struct family family = {0};
    enum matrix_answer answer = families_ask(&t->m->families, &t->m->client, child, &family);
    const char *given_name = json_get_string(family.person, "given_name");
    if (answer == MATRIX_DONE && (given_name == NULL || !sink_is_pupil_here(t->m, family.person)))
        answer = MATRIX_REFUSED;
    if (answer == MATRIX_DONE)
        tell_people(t, child, given_name, family.guardianships);
    else
        note(t, answer);
}

/* --- Classes --- */

static bool read_class_rooms(struct sink_matrix *m, const char *kind, const char *school, json_t *rooms)
{
    bool guardians = strcmp(kind, GUARDIANS) == 0;
    char *next = NULL;
    bool good = true;
    for (int page = 0; good && page < PAGES_MAX && (page == 0 || next != NULL); ++page) {
        struct text path = TEXT_INIT;
        json_t *reply = NULL, *item;
        size_t i;
        text_addf(&path, "/_parta/v1/rooms?kind=%s&limit=500&school=", kind);
        fetch_escape(&path, school);
        if (next != NULL) {
            text_adds(&path, "&from=");
            fetch_escape(&path, next);
        }
        good = matrix_call(&m->client, "GET", path.data, NULL, &reply) == MATRIX_DONE;
        json_array_foreach(json_get_array(reply, "items"), i, item) {
            const char *class_id = json_get_string(item, "class"), *room_id = json_get_string(item, "room_id");
            if (class_id != NULL && room_id != NULL)
                json_object_set_new(guardians ? json_object_get(rooms, GUARDIANS_OF) : json_object_get(rooms, CLASS_OF),
                                    class_id, json_string(room_id));
        }
        free(next);
        next = json_get_string(reply, "next") != NULL ? xstrdup(json_get_string(reply, "next")) : NULL;
        json_decref(reply);
        text_finish(&path);
    }
    free(next);
    return good;
}

static bool load_class_rooms(struct sink_matrix *m)
{
    if (m->class_rooms != NULL && clock_mono_ms() < m->class_rooms_until_ms)
        return true;
    json_decref(m->class_rooms);
    m->class_rooms = json_pack("{s:{}, s:{}}", CLASS_OF, GUARDIANS_OF);
    m->class_rooms_until_ms = clock_mono_ms() + CLASS_ROOMS_MS;
    bool good = true;
    for (size_t i = 0; i < m->settings->n_schools; ++i)
        good = good && read_class_rooms(m, "class", m->settings->schools[i], m->class_rooms) &&
               read_class_rooms(m, "subject", m->settings->schools[i], m->class_rooms) &&
               read_class_rooms(m, GUARDIANS, m->settings->schools[i], m->class_rooms);
    if (good)
        return true;
    json_decref(m->class_rooms);
    m->class_rooms = NULL;
    return false;
}

enum matrix_answer sink_class_room(struct sink_matrix *m, const char *class_id, bool guardians, const char **room_id)
{
    struct text path = TEXT_INIT;
    enum matrix_answer answer = MATRIX_REFUSED;
    if (!load_class_rooms(m))
        return MATRIX_NOT_NOW;
    const json_t *rooms = json_get_object(m->class_rooms, guardians ? GUARDIANS_OF : CLASS_OF);
    *room_id = class_id != NULL ? json_get_string(rooms, class_id) : NULL;
    if (*room_id != NULL) {
        text_adds(&path, "/join/");
        fetch_escape(&path, *room_id);
        answer = matrix_call(&m->client, "POST", path.data, json_object(), NULL);
    }
    text_finish(&path);
    return answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer;
}

/* What is of a class; of its timetable the guardians hear, too, where the bot is in their room. */
static void tell_class(struct telling *t, const char *class_id)
{
    const char *room_id;
    enum matrix_answer answer = sink_class_room(t->m, class_id, false, &room_id);
    if (answer == MATRIX_DONE)
        say(t, room_id, NULL);
    else
        note(t, answer);
    if (t->notice->kind != RECORD_LESSON)
        return;
    answer = sink_class_room(t->m, class_id, true, &room_id);
    if (answer == MATRIX_DONE)
        say(t, room_id, NULL);
    else if (answer != MATRIX_REFUSED)
        note(t, answer);
}

/* --- All of it --- */

enum sink_answer sink_tell_late(struct sink_matrix *m, const struct notice *notice, const char *child)
{
    struct telling t = {.m = m, .notice = notice, .whom = LATE};
    t.places = state_places(m->state, notice->source, notice->id, &t.n_places);
    t.stays = xcalloc(t.n_places + 1, sizeof *t.stays);
    tell_family(&t, child);
    state_places_free(t.places, t.n_places);
    free(t.stays);
    return outcome_answer(&t.outcome);
}

static bool owe_nothing(struct sink_matrix *m, const struct notice *notice)
{
    state_begin(m->state);
    state_owed_drop(m->state, notice->source, notice->id);
    state_later_drop(m->state, notice->source, notice->id, "");
    return state_commit(m->state);
}

void sink_matrix_begin(void *self)
{
    struct sink_matrix *m = self;
    families_finish(&m->families);
    forget_state(m);
}

void sink_matrix_expect(void *self, const struct notice *notice)
{
    struct sink_matrix *m = self;
    for (size_t i = 0; i < notice->n_pupils; ++i)
        families_expect(&m->families, notice->pupils[i]);
}

/* Whether it can be said together with others: nothing is known of it but messages that are about to be said. */
static bool may_wait(const struct telling *t)
{
    const struct notice *notice = t->notice;
    bool may = notice->what == CHANGE_NEW && !notice->in_doubt && notice->record != NULL &&
               notice->kind != RECORD_ABSENCE && t->m->settings->encryption != ENCRYPTION_REQUIRE;
    for (size_t i = 0; may && i < t->n_places; ++i)
        may = outbox_has(t->m->outbox, t->places[i].root);
    return may;
}

/* Where it stood and does not belong any more, once it stands where it does. */
static void take_back_all(struct telling *t)
{
    const struct outcome *o = &t->outcome;
    bool done = t->notice->record == NULL || (!o->refused && !o->later && !o->doubt);
    for (size_t i = 0; done && i < t->n_places; ++i)
        if (!t->stays[i])
            take_back(t, &t->places[i]);
}

static void tell_whom_it_concerns(struct telling *t)
{
    const struct notice *notice = t->notice;
    bool stays = true;
    t->stays = xcalloc(t->n_places + 1, sizeof *t->stays);
    if (notice->record != NULL && notice->n_pupils == 0)
        tell_class(t, notice->class_id);
    for (size_t i = 0; notice->record != NULL && i < notice->n_pupils; ++i)
        tell_family(t, notice->pupils[i]);
    if (notice->record == NULL && !owe_nothing(t->m, notice))
        note(t, MATRIX_NOT_NOW);
    for (size_t i = 0; i < t->n_places; ++i)
        stays = stays && t->stays[i];
    if (t->waits != NULL && !stays) {
        outbox_send(t->m->outbox);
        outcome_join(&t->outcome, t->waits);
    }
    take_back_all(t);
    free(t->stays);
}

enum sink_answer sink_matrix_tell(void *self, const struct notice *notice)
{
    struct telling t = {.m = self, .notice = notice};
    if (!sink_know_oneself(t.m))
        return SINK_LATER;
    t.places = state_places(t.m->state, notice->source, notice->id, &t.n_places);
    if (!may_wait(&t) || !outbox_begin(t.m->outbox, notice, &t.waits)) {
        outbox_send(t.m->outbox);
        state_places_free(t.places, t.n_places); /* as they are after that */
        t.places = state_places(t.m->state, notice->source, notice->id, &t.n_places);
    }
    tell_whom_it_concerns(&t);
    state_places_free(t.places, t.n_places);
    if (t.waits == NULL) {
        forget_state(t.m);
        return outcome_answer(&t.outcome);
    }
    outcome_join(t.waits, &t.outcome);
    return SINK_BEGUN;
}

enum sink_answer sink_matrix_finish(void *self, const struct notice *notice)
{
    struct sink_matrix *m = self;
    outbox_send(m->outbox);
    return outbox_finish(m->outbox, notice);
}

/* --- Start and stop --- */

static void take_links(struct sink_matrix *m)
{
    char *rest, *word;
    m->link_words = xstrdup(m->settings->links);
    m->links.hosts = m->link_hosts;
    m->links.otherwise = m->settings->diary_link;
    for (word = strtok_r(m->link_words, " ", &rest); word != NULL && m->links.n < LINKS_MAX;
         word = strtok_r(NULL, " ", &rest))
        m->link_hosts[m->links.n++] = word;
}

struct sink_matrix *sink_matrix_open(const struct diary_settings *settings, struct text *problem)
{
    struct sink_matrix *m = xcalloc(1, sizeof *m);
    m->settings = settings;
    m->as_token = secret_read("matrix.as_token_file", settings->as_token_file, problem);
    if (m->as_token != NULL)
        m->school_token = secret_read("school.token_file", settings->school_token_file, problem);
    if (m->school_token != NULL)
        m->state = state_open(settings->state_path, problem);
    if (m->state == NULL) {
        sink_matrix_close(m);
        return NULL;
    }
    take_links(m);
    m->client = (struct matrix_client){.outgoing = outgoing_create(NULL),
                                       .url = settings->school_url,
                                       .ca_file = settings->school_ca_file,
                                       .as_token = m->as_token,
                                       .school_token = m->school_token};
    m->outbox = outbox_create(m->state, &m->client);
    return m;
}

bool sink_matrix_start(struct sink_matrix *m, struct text *problem)
{
    return sink_crypto_start(&m->crypto, m->settings, &m->client, problem);
}

void sink_matrix_close(struct sink_matrix *m)
{
    if (m == NULL)
        return;
    sink_crypto_stop(&m->crypto);
    if (m->client.outgoing != NULL)
        outgoing_stop(m->client.outgoing, STOP_MS);
    outgoing_destroy(m->client.outgoing);
    if (m->close_times != NULL)
        m->close_times(m->times);
    state_close(m->state);
    secret_free(m->as_token);
    secret_free(m->school_token);
    json_decref(m->class_rooms);
    forget_state(m);
    families_finish(&m->families);
    outbox_destroy(m->outbox);
    free(m->link_words);
    free(m->bot);
    free(m);
}

/* --- What an administrator needs --- */

void sink_hs_token(const char *as_token, char out[HS_TOKEN_BYTES])
{
    static const char HS_TOKEN[] = "hs_token";
    unsigned char hash[(HS_TOKEN_BYTES - 1) / 2];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const unsigned char *)as_token, strlen(as_token) + 1);
    crypto_generichash_update(&state, (const unsigned char *)HS_TOKEN, sizeof HS_TOKEN);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(out, HS_TOKEN_BYTES, hash, sizeof hash);
}

bool sink_matrix_registration(const struct diary_settings *settings, struct text *out, struct text *problem)
{
    char hex[HS_TOKEN_BYTES];
    if (settings->as_token_file == NULL)
        return text_fail(problem, "matrix.as_token_file is not set.");
    char *token = secret_read("matrix.as_token_file", settings->as_token_file, problem);
    if (token == NULL)
        return false;
    sink_hs_token(token, hex);
    text_adds(out, "id: parta-diary\nurl: ");
    if (settings->bridge_url != NULL)
        text_add_json(out, settings->bridge_url);
    else
        text_adds(out, "null");
    text_adds(out, "\nas_token: ");
    text_add_json(out, token);
    text_addf(out, "\nhs_token: \"%s\"\nsender_localpart: %s\nrate_limited: false\nnamespaces:\n  users:\n", hex,
              settings->bot);
    text_adds(out, "    - exclusive: true\n      regex: '@");
    for (const char *c = settings->bot; *c != '\0'; ++c)
        text_addf(out, *c == '.' ? "[%c]" : "%c", *c);
    text_adds(out, ":.*'\n  aliases: []\n  rooms: []\norg.parta.schools: [");
    for (size_t i = 0; i < settings->n_schools; ++i) {
        text_adds(out, i != 0 ? ", " : "");
        text_add_json(out, settings->schools[i]);
    }
    text_adds(out, "]\n");
    secret_free(token);
    return true;
}

bool sink_matrix_apply(struct sink_matrix *m, const char *link, struct text *problem)
{
    if (!sink_know_oneself(m))
        return text_fail(problem, "The server does not know the application service.");
    json_t *content =
        json_pack("{s:s, s:s, s:s, s:s}", "token", link, "bind_to", m->bot, "given_name",
                  m->settings->english ? "Diary" : "Дневник", "family_name", m->settings->english ? "School" : "Школы");
    struct matrix_client as_bot = m->client;
    as_bot.school_token = m->as_token;
    if (matrix_call(&as_bot, "POST", "/_parta/v1/applications", content, NULL) == MATRIX_DONE)
        return true;
    return text_fail(problem, "The server refuses the link.");
}
