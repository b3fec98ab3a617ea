/* One short text to one person, by mail or by SMS, whichever their address is. */
#ifndef PARTA_MAIL_POST_H
#define PARTA_MAIL_POST_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/text.h"

struct config;
struct outgoing;
struct post;

enum post_way { POST_MAIL, POST_SMS, POST_WAY__COUNT };

struct letter {
    enum post_way way;
    const char *to;      /* a mail address; digits of a number */
    const char *subject; /* POST_MAIL */
    const char *text;
};

/* What the post can do is what is configured. config and outgoing are borrowed. NULL: *problem says what is wrong with
 * the settings. Blocks (small files). */
struct post *post_create(const struct config *config, struct outgoing *outgoing, struct text *problem);
void post_destroy(struct post *post); /* after outgoing_stop; NULL is accepted */

/* Whether the settings name such a way; whether it works is another question. */
bool post_offers(const struct post *post, enum post_way way);

/* As smtp_send; the letter is copied. self is a struct post: the form that struct contacts wants. */
bool post_send(void *self, const struct letter *letter, int64_t deadline_ms, void (*done)(void *arg, bool delivered),
               void *arg);

#endif
