/* Any JSON as a room and an event in it: the rules come to a verdict, a refusal has its sentence, and it is the same
 * when asked again. Input: a byte for the version, then {"event": {…}, "state": {"type\nkey": {"sender", "content"}},
 * "auth": [{"type", "state_key", "room_id", "rejected"}]}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/auth.h"
#include "homeserver/rooms/pdu/power.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct room {
    const json_t *state;
    struct auth_event events[32];
    size_t n;
};

static const struct auth_event *get(void *ctx, const char *type, const char *state_key)
{
    struct room *room = ctx;
    struct text key = TEXT_INIT;
    text_addf(&key, "%s\n%s", type, state_key);
    const json_t *event = json_get_object(room->state, key.data);
    text_finish(&key);
    const char *sender = json_get_string(event, "sender");
    if (sender == NULL || json_get_object(event, "content") == NULL)
        return NULL;
    if (room->n == sizeof room->events / sizeof *room->events)
        abort(); /* a check asks for a handful of events, not for any number of them */
    room->events[room->n] = (struct auth_event){"$create", sender, json_get_object(event, "content")};
    return &room->events[room->n++];
}

static bool check(const struct auth_input *plain, const json_t *state, const char **why)
{
    struct room room = {.state = state};
    struct auth_input in = *plain;
    in.get = get;
    in.ctx = &room;
    return auth_check(&in, why);
}

#define FACTS_MAX 8

static size_t read_facts(const json_t *list, struct auth_fact facts[FACTS_MAX])
{
    size_t i = 0;
    for (; i < FACTS_MAX && i < json_array_size(list); ++i) {
        const json_t *fact = json_array_get(list, i);
        const char *type = json_get_string(fact, "type"), *state_key = json_get_string(fact, "state_key");
        facts[i] = (struct auth_fact){type != NULL ? type : "", state_key != NULL ? state_key : "",
                                      json_get_string(fact, "room_id"), json_get_bool(fact, "rejected", false)};
    }
    return i;
}

static void check_redaction(const struct auth_input *in)
{
    struct power power;
    power_init(&power, in->version, in->sender, in->content, NULL);
    if (in->redacts != NULL && !auth_may_redact(&power, in->sender, in->sender))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const SIGNERS[] = {"s"};
    struct error e = {0};
    struct auth_key keys[AUTH_KEYS_MAX];
    struct auth_fact facts[FACTS_MAX];
    if (size == 0 || !crypto_start())
        return 0;
    json_t *world = json_parse((const char *)data + 1, size - 1, &e);
    const json_t *event = json_get_object(world, "event");
    struct auth_input in = {
        .version = room_version_at(data[0] % 12),
        .room_id = json_get_string(event, "room_id"),
        .event_id = json_get_string(event, "event_id"),
        .type = json_get_string(event, "type"),
        .sender = json_get_string(event, "sender"),
        .state_key = json_get_string(event, "state_key"),
        .content = json_get_object(event, "content"),
        .redacts = json_get_string(event, "redacts"),
        .n_prev = (size_t)(json_get_int(event, "n_prev", 1) & 7),
        .prev_is_create = json_get_bool(event, "first", false),
        .signers = SIGNERS,
        .n_signers = 1,
    };
    const json_t *named = json_get_array(world, "auth");
    in.n_auth = read_facts(named, facts);
    in.auth = named != NULL ? facts : NULL;
    if (in.type != NULL && in.sender != NULL && in.content != NULL) {
        check_redaction(&in);
        const char *why = NULL, *again = NULL;
        bool allowed = check(&in, json_get_object(world, "state"), &why);
        if (allowed != check(&in, json_get_object(world, "state"), &again) || why != again || allowed != (why == NULL))
            abort();
        size_t n = auth_types_for(in.version, in.type, in.state_key, in.sender, in.content, keys);
        for (size_t i = 0; i < n; ++i)
            if (n > AUTH_KEYS_MAX || keys[i].type == NULL || keys[i].state_key == NULL)
                abort();
    }
    json_decref(world);
    return 0;
}
