#include "homeserver/rooms/events/held_ids.h"

#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/words.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "policy/rules/event_types.h"

typedef bool (*found_fn)(void *arg, json_t *placeholder);

/* Calls fn for every placeholder until it answers true, where contents name events, at whatever depth: relations and
 * replies, redactions, pinned messages. key: under which value stands. */
static bool any_placeholder(json_t *value, const char *key, found_fn fn, void *arg)
{
    static const char *const KEYS[] = {"event_id", "redacts", "pinned"};
    const char *inner;
    json_t *member;
    size_t i;
    if (json_is_string(value) && delayed_message_is_placeholder(json_string_value(value)) && WORD_FIND(KEYS, key) >= 0)
        return fn(arg, value);
    json_object_foreach(value, inner, member)
        if (any_placeholder(member, inner, fn, arg))
            return true;
    json_array_foreach(value, i, member)
        if (any_placeholder(member, key, fn, arg))
            return true;
    return false;
}

static bool is_one(void *arg, json_t *placeholder)
{
    return true;
}

bool held_ids_in(const struct draft *draft)
{
    return (draft->redacts != NULL && delayed_message_is_placeholder(draft->redacts)) ||
           any_placeholder((json_t *)draft->content, NULL, is_one, NULL);
}

struct resolving {
    struct tx *tx;
    room_no room;
    struct held_draft *out;
};

/* true: there is no such event. */
static bool resolve_one(void *arg, json_t *placeholder)
{
    struct held_fate fate;
    struct resolving *r = arg;
    struct held_draft *out = r->out;
    delayed_messages_by_placeholder(r->tx->db, json_string_value(placeholder), r->room, out->draft.sender, &fate);
    if (fate.state == HELD_WAITS && fate.due_ms > out->due_ms)
        out->due_ms = fate.due_ms;
    if (fate.state == HELD_DELIVERED)
        json_string_set(placeholder, fate.event_id);
    return fate.state != HELD_WAITS && fate.state != HELD_DELIVERED;
}

/* A message that answered one which has gone meanwhile comes all the same, without pointing to it. */
static bool comes_without_relation(struct held_draft *out)
{
    const char *rel_type = json_get_string(json_get_object(out->content, "m.relates_to"), "rel_type");
    return out->draft.held_no != 0 && event_kind_of(out->draft.type) == EVENT_MESSAGE &&
           (rel_type == NULL || strcmp(rel_type, "m.replace") != 0) &&
           json_object_del(out->content, "m.relates_to") == 0;
}

bool held_ids_resolve(struct tx *tx, const struct room *room, const struct draft *draft, struct held_draft *out,
                      struct error *e)
{
    struct resolving r = {.tx = tx, .room = room->no, .out = out};
    *out = (struct held_draft){.draft = *draft, .content = json_deep_copy(draft->content)};
    out->draft.content = out->content;
    if (draft->redacts != NULL &&
        delayed_messages_by_placeholder(tx->db, draft->redacts, room->no, draft->sender, &out->fate)) {
        out->taken_back = out->fate.state != HELD_DELIVERED;
        if (out->fate.state == HELD_WAITS)
            return delayed_messages_finish(tx, out->fate.no, HELD_TAKEN_BACK, NULL) ||
                   error_set(e, ERROR_UNKNOWN, NULL);
        if (out->taken_back)
            return true;
        out->draft.redacts = out->fate.event_id;
    }
    if (any_placeholder(out->content, NULL, resolve_one, &r) && !comes_without_relation(out))
        return error_set(e, ERROR_NOT_FOUND, "There is no such event in this room.");
    if (out->due_ms != 0 && draft->state_key != NULL)
        return error_set(e, ERROR_NOT_FOUND, "That message has not been delivered yet.");
    return true;
}

void held_ids_finish(struct held_draft *held)
{
    json_decref(held->content);
}
