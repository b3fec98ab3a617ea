/* The bot's one device: what of the encryption (crypto.h) speaks to the homeserver. Registered by the application
 * service without a login (MSC4190), named in requests as MSC4326 says, signed by keys of the bot's own, so that
 * clients show no warning.
 *
 * A thread of its own asks /sync for messages to the device, whose devices changed, and how many keys are left; so does
 * whoever encrypts, before they do. The place up to which it was read is on disk with what came there; where nothing
 * came, now and then.
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
#include "appservice/diary/room_lock.h"
#include "appservice/diary/settings.h"

struct bot_device;

extern const bool BOT_DEVICE_BUILT; /* false: without libolm */

/* Reads the key file, or makes it, and starts the thread. client is borrowed. NULL: *problem. Blocks (disk). */
struct bot_device *bot_device_start(const struct diary_settings *settings, const struct matrix_client *client,
                                    struct text *problem);
void bot_device_stop(struct bot_device *device); /* blocks (network); NULL is accepted */

/* An event that is to be encrypted, and what became of it. */
struct sealing {
    const char *room_id, *type;
    struct room_lock *lock; /* asked for again if somebody has left since */
    const json_t *content;
    json_t *encrypted; /* the content of m.room.encrypted, the caller's, when DONE: its keys are with all who read it */
    enum matrix_answer answer; /* anything else: nothing was sent of it */
};

/* All of them, those of a room in their order: what is to be asked for them is asked together, and all of it is one
 * commit. Blocks. */
void bot_device_encrypt(struct bot_device *device, struct sealing *const *all, size_t n);

/* What an m.room.encrypted event of a room of encryption says: DONE with {"type", "content", …} in *clear, which the
 * caller owns. REFUSED: it cannot be read, also later; NOT_NOW: the bot cannot ask for its keys now. Blocks. */
enum matrix_answer bot_device_decrypt(struct bot_device *device, const char *room_id, const json_t *event,
                                      json_t **clear);

#endif
