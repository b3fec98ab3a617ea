/* The bot's one device: what of the encryption (crypto.h) speaks to the homeserver. Registered by the application
 * service without a login (MSC4190), named in requests as MSC4326 says, signed by keys of the bot's own, so that
 * clients show no warning.
 *
 * A thread of its own asks /sync for messages to the device, whose devices changed, and how many keys are left; so does
 * whoever encrypts, before they do.
 *
 * A COPY OF THE STATE that was put back is known by a mark in the bot's account data: a clean stop leaves the same
 * random words there and in the state, a start wipes them out before the first session is used. Whoever starts and does
 * not find the words that it has, was killed, or is a copy; which of them nobody can tell, so no session is used again
 * (crypto_restored).
 *
 * Built without libolm there is none (bot_device_none.c). Functions may be called from any thread. */
#ifndef PARTA_DIARY_BOT_DEVICE_H
#define PARTA_DIARY_BOT_DEVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "appservice/diary/matrix_client.h"
#include "appservice/diary/settings.h"

struct bot_device;

extern const bool BOT_DEVICE_BUILT; /* false: without libolm */

/* Reads the key file, or makes it, and starts the thread. client is borrowed. NULL: *problem. Blocks (disk). */
struct bot_device *bot_device_start(const struct diary_settings *settings, const struct matrix_client *client,
                                    struct text *problem);
void bot_device_stop(struct bot_device *device); /* blocks (network); NULL is accepted */

/* Who is in the room. */
struct room_people {
    const char **all; /* joined and invited, the bot, too; borrowed ids */
    size_t n;
    json_t *invited; /* of them, an array: nobody tells when their devices change */
};

/* The content of m.room.encrypted in *encrypted, the caller's, when the keys of it are with all who are to read it.
 * settings: the content of the room's m.room.encryption. Anything but MATRIX_DONE: nothing was sent of it. Blocks. */
enum matrix_answer bot_device_encrypt(struct bot_device *device, const char *room_id, const json_t *settings,
                                      const struct room_people *people, const char *type, const json_t *content,
                                      json_t **encrypted);

/* What an m.room.encrypted event of a room of encryption says: {"type", "content", …}, the caller's; NULL: it cannot be
 * read, or not now. Blocks. */
json_t *bot_device_decrypt(struct bot_device *device, const char *room_id, const json_t *event);

#endif
