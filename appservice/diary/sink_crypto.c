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

void sink_encrypt(const struct sink_crypto *crypto, struct sealing *const *all, size_t n)
{
    if (crypto->device != NULL)
        bot_device_encrypt(crypto->device, all, n);
    for (size_t i = 0; i < n; ++i)
        if (crypto->device == NULL) {
            all[i]->encrypted = NULL;
            all[i]->answer = MATRIX_REFUSED;
            log_warn("diary", "the room %s is encrypted, and %s: nothing is said there", all[i]->room_id,
                     crypto->off ? "matrix.encryption is off" : "this parta-diary was built without libolm");
        } else if (all[i]->answer == MATRIX_REFUSED) {
            log_warn("diary", "the room %s has an encryption, or a number of members, that the bot cannot serve",
                     all[i]->room_id);
        }
}

enum matrix_answer sink_decrypt(const struct sink_crypto *crypto, const json_t *event, json_t **said)
{
    const char *type = json_get_string(event, "type"), *room_id = json_get_string(event, "room_id");
    const json_t *relation = json_object_get(json_get_object(event, "content"), "m.relates_to");
    json_t *clear = NULL;
    enum matrix_answer answer = MATRIX_REFUSED;
    *said = NULL;
    if (type == NULL || strcmp(type, "m.room.encrypted") != 0) {
        *said = json_copy((json_t *)(uintptr_t)event);
        return MATRIX_DONE;
    }
    if (crypto->device != NULL && room_id != NULL && json_get_string(event, "sender") != NULL)
        answer = bot_device_decrypt(crypto->device, room_id, event, &clear);
    json_t *content = json_get_object(clear, "content");
    if (answer == MATRIX_DONE && content == NULL)
        answer = MATRIX_REFUSED;
    if (answer == MATRIX_DONE) {
        *said = json_copy((json_t *)(uintptr_t)event);
        if (relation != NULL)
            json_object_set_new(content, "m.relates_to", json_copy((json_t *)(uintptr_t)relation));
        json_object_set(*said, "type", json_object_get(clear, "type"));
        json_object_set(*said, "content", content);
    }
    json_decref(clear);
    return answer;
}
