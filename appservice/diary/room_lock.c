#include "appservice/diary/room_lock.h"

#include <string.h>

#include "homeserver/base/json.h"

const json_t *room_encryption(const json_t *state)
{
    size_t i;
    json_t *event;
    json_array_foreach(state, i, event) {
        const char *type = json_get_string(event, "type"), *key = json_get_string(event, "state_key");
        if (type != NULL && key != NULL && strcmp(type, "m.room.encryption") == 0 && *key == '\0')
            return json_get_object(event, "content");
    }
    return NULL;
}

bool room_lock_of(const json_t *state, int64_t asked_ms, struct room_lock *lock)
{
    const json_t *settings = room_encryption(state);
    size_t i;
    json_t *event;
    if (settings == NULL)
        return false;
    *lock = (struct room_lock){json_incref((json_t *)(uintptr_t)settings), json_array(), json_array(), asked_ms};
    json_array_foreach(state, i, event) {
        const char *type = json_get_string(event, "type"), *user_id = json_get_string(event, "state_key");
        const char *membership = json_get_string(json_get_object(event, "content"), "membership");
        if (type == NULL || user_id == NULL || membership == NULL || strcmp(type, "m.room.member") != 0)
            continue;
        bool invited = strcmp(membership, "invite") == 0;
        if (invited)
            json_array_append_new(lock->invited, json_string(user_id));
        if (invited || strcmp(membership, "join") == 0)
            json_array_append_new(lock->people, json_string(user_id));
    }
    return true;
}

void room_lock_finish(struct room_lock *lock)
{
    json_decref(lock->settings);
    json_decref(lock->people);
    json_decref(lock->invited);
    *lock = (struct room_lock){0};
}
