#include "appservice/diary/sink_crypto.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/log.h"

bool sink_crypto_start(struct sink_crypto *crypto, const struct diary_settings *settings,
                       const struct matrix_client *client, struct text *problem)
{
    struct text why = TEXT_INIT;
    *crypto = (struct sink_crypto){.off = settings->encryption == ENCRYPTION_OFF};
    if (!crypto->off)
        crypto->device = bot_device_start(settings, client, &why);
    bool fails =
        !crypto->off && crypto->device == NULL && (BOT_DEVICE_BUILT || settings->encryption == ENCRYPTION_REQUIRE);
    if (fails)
        text_adds(problem, why.data);
    else if (why.len != 0)
        log_warn("diary", "%s Nothing is said in encrypted rooms.", why.data);
    text_finish(&why);
    return !fails;
}

void sink_crypto_stop(struct sink_crypto *crypto)
{
    bot_device_stop(crypto->device);
    crypto->device = NULL;
}

const json_t *sink_encryption(const json_t *state)
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

static struct room_people people_of(const json_t *state)
{
    struct room_people people = {xcalloc(json_array_size(state) + 1, sizeof(char *)), 0, json_array()};
    size_t i;
    json_t *event;
    json_array_foreach(state, i, event) {
        const char *type = json_get_string(event, "type"), *user_id = json_get_string(event, "state_key");
        const char *membership = json_get_string(json_get_object(event, "content"), "membership");
        if (type == NULL || user_id == NULL || membership == NULL || strcmp(type, "m.room.member") != 0)
            continue;
        bool invited = strcmp(membership, "invite") == 0;
        if (invited)
            json_array_append_new(people.invited, json_string(user_id));
        if (invited || strcmp(membership, "join") == 0)
            people.all[people.n++] = user_id;
    }
    return people;
}

enum matrix_answer sink_encrypt(const struct sink_crypto *crypto, const char *room_id, const json_t *state,
                                const char **type, json_t **content)
{
    const json_t *settings = sink_encryption(state);
    json_t *encrypted = NULL;
    if (settings == NULL)
        return MATRIX_DONE;
    if (crypto->device == NULL) {
        log_warn("diary", "the room %s is encrypted, and %s: nothing is said there", room_id,
                 crypto->off ? "matrix.encryption is off" : "this parta-diary was built without libolm");
        return MATRIX_REFUSED;
    }
    struct room_people people = people_of(state);
    enum matrix_answer answer =
        bot_device_encrypt(crypto->device, room_id, settings, &people, *type, *content, &encrypted);
    json_decref(people.invited);
    free((void *)people.all);
    if (answer == MATRIX_REFUSED)
        log_warn("diary", "the room %s has an encryption, or a number of members, that the bot cannot serve", room_id);
    if (answer != MATRIX_DONE)
        return answer;
    json_decref(*content);
    *content = encrypted;
    *type = "m.room.encrypted";
    return MATRIX_DONE;
}

json_t *sink_decrypt(const struct sink_crypto *crypto, const json_t *event)
{
    const char *type = json_get_string(event, "type"), *room_id = json_get_string(event, "room_id");
    const json_t *relation = json_object_get(json_get_object(event, "content"), "m.relates_to");
    json_t *said = json_copy((json_t *)(uintptr_t)event), *clear = NULL;
    if (type == NULL || strcmp(type, "m.room.encrypted") != 0)
        return said;
    if (crypto->device != NULL && room_id != NULL && json_get_string(event, "sender") != NULL)
        clear = bot_device_decrypt(crypto->device, room_id, event);
    json_t *content = json_get_object(clear, "content");
    if (content != NULL) {
        if (relation != NULL)
            json_object_set_new(content, "m.relates_to", json_copy((json_t *)(uintptr_t)relation));
        json_object_set(said, "type", json_object_get(clear, "type"));
        json_object_set(said, "content", content);
    } else {
        json_decref(said);
        said = NULL;
    }
    json_decref(clear);
    return said;
}
