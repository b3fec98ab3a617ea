/* What of a room's lock the sink knows: in an encrypted room it says what it has to say encrypted, in one in clear in
 * clear, and nothing where it cannot (matrix.encryption is off, or the build has no libolm). */
#ifndef PARTA_DIARY_SINK_CRYPTO_H
#define PARTA_DIARY_SINK_CRYPTO_H

#include <jansson.h>

#include "appservice/diary/bot_device.h"

struct sink_crypto {
    struct bot_device *device; /* NULL: none */
    bool off;                  /* by setting */
};

/* false: *problem. Blocks (disk). */
bool sink_crypto_start(struct sink_crypto *crypto, const struct diary_settings *settings,
                       const struct matrix_client *client, struct text *problem);
void sink_crypto_stop(struct sink_crypto *crypto); /* blocks (network) */

/* Encrypts them, as bot_device_encrypt does; says in the log what it never can. Blocks (network). */
void sink_encrypt(const struct sink_crypto *crypto, struct sealing *const *all, size_t n);

/* An event as it is to be read: itself, or what an encrypted one says in its place, with its m.relates_to: *said, the
 * caller's, when DONE. REFUSED: it cannot be read; NOT_NOW: not now. Blocks (network). */
enum matrix_answer sink_decrypt(const struct sink_crypto *crypto, const json_t *event, json_t **said);

#endif
