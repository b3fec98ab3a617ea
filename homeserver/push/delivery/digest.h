/* Pushers that are mail addresses: how much is unread, in how many rooms, and nothing else (school.md A5). One mail to
 * a person in push.mail_minutes at most, and only when something new is unread, has been for DIGEST_WAIT_MS, and the
 * phone could ring (F3). When the last went, and how far it told, is on disk. */
#ifndef PARTA_PUSH_DELIVERY_DIGEST_H
#define PARTA_PUSH_DELIVERY_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/mail/post.h"

struct db;
struct digest;
struct push_service;

#define DIGEST_WAIT_MS (10 * MINUTE_MS)

typedef bool digest_send(void *post, const struct letter *letter, int64_t deadline_ms,
                         void (*done)(void *arg, bool delivered), void *arg);

/* Everything is borrowed. send: post_send. */
struct digest *digest_create(struct push_service *service, digest_send *send, void *post);
void digest_destroy(struct digest *digest); /* NULL is accepted */

/* Looks at everybody whose last mail was long enough ago. Blocks (reads, the writer). */
void digest_run(struct digest *digest, struct db *db, int64_t now_ms);

/* lang: "ru", "ru-RU" …; everything else is told in English. Pure. */
void digest_write(const char *lang, int64_t messages, int64_t rooms, struct text *subject, struct text *text);

#endif
