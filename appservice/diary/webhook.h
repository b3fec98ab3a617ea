/* Diaries that come by themselves: POST /webhook with records as JSON (docs/diary-webhook.schema.json), signed with a
 * secret that both share.
 *
 * X-Parta-Timestamp is the time in seconds since 1970, X-Parta-Signature "sha256=" and the HMAC-SHA256, in hexadecimal,
 * of timestamp, a dot and the body. A time that is more than five minutes away is refused; one that came already is
 * answered as it was then and does nothing, so that whoever got no answer may send again, and whoever overheard it wins
 * nothing. */
#ifndef PARTA_DIARY_WEBHOOK_H
#define PARTA_DIARY_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appservice/diary/reading.h"

#define WEBHOOK_WINDOW_MS INT64_C(300000)
#define WEBHOOK_SECRET_BYTES_MIN 16

enum webhook_verdict { WEBHOOK_GOOD, WEBHOOK_STALE, WEBHOOK_FOREIGN };

/* hash: of the signature, to know it again. */
enum webhook_verdict webhook_check(const char *secret, const char *timestamp, const char *signature, const char *body,
                                   size_t len, int64_t now_ms, unsigned char hash[RECORD_HASH_BYTES]);

/* Adds what the body says. NULL: good; otherwise what is wrong with all of it, static storage. A record that is not
 * good is noted in the reading. */
const char *webhook_read_records(struct reading *reading, const char *body, size_t len);

#endif
