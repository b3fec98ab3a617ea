/* The sink's rooms: their state, which of them is whose, and who is in it. */
#include "appservice/diary/sink_matrix_private.h"

#include <stdlib.h>
#include <string.h>

#include "appservice/diary/fetch.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/base/percent.h"

#define NO_ROOMS_MS 30000
#define MARKER "parta.diary.room" /* the state event that says what a room is for */

/* "/rooms/{room}" and what follows; heap. */
static char *room_path(const char *room_id, const char *rest)
{
    struct text path = TEXT_INIT;
    text_adds(&path, "/rooms/");
    text_add_percent(&path, room_id);
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
    text_add_percent(&whole, user_id);
    enum matrix_answer answer = matrix_call(&m->client, "GET", whole.data, NULL, reply);
    text_finish(&whole);
    return answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer;
}

void sink_forget_state(struct sink_matrix *m)
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
    sink_forget_state(m);
    m->room_state_ms = clock_mono_ms();
    enum matrix_answer answer = sink_room_call(m, "GET", room_id, "/state", NULL, &m->room_state);
    if (answer == MATRIX_DONE && json_is_array(m->room_state))
        m->room_state_of = xstrdup(room_id);
    return answer == MATRIX_DONE && m->room_state_of == NULL ? MATRIX_UNKNOWN : answer;
}

/* The state is known, and a room of the bot's own has the encryption that the setting asks for. */
enum matrix_answer sink_secure(struct sink_matrix *m, const char *room_id)
{
    enum matrix_answer answer = know_state(m, room_id);
    if (answer != MATRIX_DONE || m->settings->encryption != ENCRYPTION_REQUIRE ||
        room_encryption(m->room_state) != NULL)
        return answer;
    if (!state_room_is(m->state, room_id))
        return state_sound(m->state) ? MATRIX_DONE : MATRIX_NOT_NOW;
    answer = sink_room_call(m, "PUT", room_id, "/state/m.room.encryption/",
                            json_pack("{s:s}", "algorithm", "m.megolm.v1.aes-sha2"), NULL);
    if (answer == MATRIX_REFUSED)
        log_warn("diary", "the homeserver refuses to encrypt the room %s: nothing is said there", room_id);
    sink_forget_state(m);
    return answer == MATRIX_DONE ? know_state(m, room_id) : answer;
}

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
    bool good = matrix_call(&m->client, "GET", "/joined_rooms", NULL, &reply) == MATRIX_DONE &&
                json_get_array(reply, "joined_rooms") != NULL;
    json_array_foreach(json_get_array(reply, "joined_rooms"), i, room) {
        const char *room_id = json_string_value(room);
        if (good && room_id != NULL && !state_room_is(m->state, room_id))
            good = state_sound(m->state) && adopt(m, room_id);
    }
    json_decref(reply);
    m->swept = good;
    return good;
}

void sink_make_no_rooms(void *self)
{
    struct sink_matrix *m = self;
    m->rooms_from_ms = clock_mono_ms() + NO_ROOMS_MS;
}

/* Asked for once: where the answer is lost, it may have been made, and is found by the sweep before another is. */
static enum matrix_answer make_room(struct sink_matrix *m, const struct audience *a, char **room_id)
{
    struct text name = TEXT_INIT;
    json_t *reply = NULL;
    text_addf(&name, "%s%s%s", m->settings->english ? "Diary" : "Дневник", *a->given_name != '\0' ? ": " : "",
              a->given_name);
    json_t *content = json_pack("{s:s, s:s, s:{s:i}, s:[{s:s, s:s, s:{s:s, s:s}}]}", "preset", "private_chat", "name",
                                name.data, "power_level_content_override", "invite", 100, "initial_state", "type",
                                MARKER, "state_key", "", "content", "child", a->child, "audience", a->name);
    enum matrix_answer answer = matrix_call_once(&m->client, "POST", "/createRoom", content, &reply);
    const char *made = json_get_string(reply, "room_id");
    if (answer == MATRIX_DONE && (made == NULL || !note_room(m, a->child, a->name, made)))
        answer = MATRIX_UNKNOWN;
    if (answer == MATRIX_DONE)
        *room_id = xstrdup(made);
    else
        sink_make_no_rooms(m);
    if (answer == MATRIX_UNKNOWN)
        m->swept = false; /* it may have been made */
    json_decref(reply);
    text_finish(&name);
    return answer;
}

enum matrix_answer sink_room_of(struct sink_matrix *m, const struct audience *a, char **room_id)
{
    *room_id = state_room(m->state, a->child, a->name);
    if (*room_id != NULL)
        return MATRIX_DONE;
    if (clock_mono_ms() < m->rooms_from_ms || !state_sound(m->state) || !sweep(m))
        return MATRIX_NOT_NOW;
    *room_id = state_room(m->state, a->child, a->name);
    if (*room_id == NULL && !state_sound(m->state)) /* or a child would have two */
        return MATRIX_NOT_NOW;
    enum matrix_answer answer = *room_id != NULL ? MATRIX_DONE : make_room(m, a, room_id);
    return answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer; /* nobody is in it */
}

bool sink_is_of(const struct audience *a, const char *user_id)
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

/* REFUSED: somebody could not be put out; whoever else could is. */
static enum matrix_answer put_out(struct sink_matrix *m, const char *room_id, const struct audience *a,
                                  const json_t *members, bool *changed)
{
    enum matrix_answer answer = MATRIX_DONE;
    bool refused = false;
    size_t i;
    json_t *event;
    json_array_foreach(members, i, event) {
        const char *user_id = json_get_string(event, "state_key");
        const char *membership = json_get_string(json_get_object(event, "content"), "membership");
        if (user_id == NULL || membership == NULL || strcmp(user_id, m->bot) == 0 || sink_is_of(a, user_id) ||
            strcmp(membership, "leave") == 0 || strcmp(membership, "ban") == 0)
            continue;
        answer = sink_room_call(m, "POST", room_id, "/kick", json_pack("{s:s}", "user_id", user_id), NULL);
        *changed = true;
        refused = refused || answer == MATRIX_REFUSED;
        if (answer != MATRIX_DONE && answer != MATRIX_REFUSED)
            return answer;
    }
    return refused ? MATRIX_REFUSED : MATRIX_DONE;
}

enum matrix_answer sink_put_out(struct sink_matrix *m, const char *room_id, const struct audience *a)
{
    bool changed = false;
    sink_forget_state(m);
    enum matrix_answer answer = know_state(m, room_id);
    if (answer == MATRIX_REFUSED) {
        log_warn("diary", "who is in the room %s can't be seen to: the bot is not in it", room_id);
        return MATRIX_DONE;
    }
    if (answer == MATRIX_DONE)
        answer = put_out(m, room_id, a, m->room_state, &changed);
    if (changed)
        sink_forget_state(m);
    return answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer;
}

/* A room of the bot's own that it cannot see into. NOT_NOW: it is not in it any more (it was nobody of the school
 * meanwhile, for one), and another is made the next time; REFUSED: it is. */
static enum matrix_answer give_up_room(struct sink_matrix *m, const char *room_id)
{
    json_t *reply = NULL, *room;
    size_t i;
    enum matrix_answer answer = matrix_call(&m->client, "GET", "/joined_rooms", NULL, &reply);
    bool joined = answer != MATRIX_DONE || json_get_array(reply, "joined_rooms") == NULL;
    json_array_foreach(json_get_array(reply, "joined_rooms"), i, room)
        joined = joined || (json_string_value(room) != NULL && strcmp(json_string_value(room), room_id) == 0);
    json_decref(reply);
    if (joined)
        return answer == MATRIX_DONE ? MATRIX_REFUSED : MATRIX_NOT_NOW;
    log_warn("diary", "the bot is not in its room %s any more: another is made", room_id);
    state_begin(m->state);
    state_room_drop(m->state, room_id);
    state_commit(m->state);
    return MATRIX_NOT_NOW;
}

bool sink_gather(struct telling *t, const char *room_id, const struct audience *a)
{
    struct sink_matrix *m = t->m;
    size_t there = 0;
    bool changed = false;
    if (clock_mono_ms() >= m->room_state_ms + FAMILY_HOLDS_MS)
        sink_forget_state(m); /* what is known of a room counts as long as what is known of a child */
    enum matrix_answer answer = know_state(m, room_id);
    if (answer == MATRIX_REFUSED)
        answer = give_up_room(m, room_id);
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
        sink_forget_state(m);
    if (answer != MATRIX_DONE)
        outcome_note(&t->outcome, answer == MATRIX_UNKNOWN ? MATRIX_NOT_NOW : answer);
    return answer == MATRIX_DONE && there != 0;
}

enum matrix_answer sink_room(struct sink_matrix *m, const struct audience *a, char **room_id)
{
    struct telling t = {.m = m};
    enum matrix_answer answer = sink_room_of(m, a, room_id);
    if (answer == MATRIX_DONE && !sink_gather(&t, *room_id, a))
        answer = t.outcome.later || t.outcome.doubt ? MATRIX_NOT_NOW : MATRIX_REFUSED;
    if (answer != MATRIX_DONE) {
        free(*room_id);
        *room_id = NULL;
    }
    return answer;
}
