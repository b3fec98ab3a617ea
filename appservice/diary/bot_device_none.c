/* A build without libolm. */
#include "appservice/diary/bot_device.h"

const bool BOT_DEVICE_BUILT = false;

struct bot_device *bot_device_start(const struct diary_settings *settings, const struct matrix_client *client,
                                    struct text *problem)
{
    (void)settings;
    (void)client;
    text_adds(problem, "This parta-diary was built without libolm, and cannot encrypt.");
    return NULL;
}

void bot_device_stop(struct bot_device *device)
{
    (void)device;
}

void bot_device_encrypt(struct bot_device *device, struct sealing *const *all, size_t n)
{
    (void)device;
    for (size_t i = 0; i < n; ++i)
        all[i]->answer = MATRIX_REFUSED;
}

enum matrix_answer bot_device_decrypt(struct bot_device *device, const char *room_id, const json_t *event,
                                      json_t **clear)
{
    (void)device;
    (void)room_id;
    (void)event;
    *clear = NULL;
    return MATRIX_REFUSED;
}
