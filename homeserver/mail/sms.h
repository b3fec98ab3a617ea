/* Short messages through an HTTP gateway that the operator chooses.
 *
 * Every gateway wants something else, so the request is made of templates: sms.url, sms.body and sms.header may hold
 * {to} (the number's digits, without "+"), {text} and {secret} (the first line of sms.secret_file). What is put in is
 * written so that it cannot leave its place: percent-encoded in the address and in a form, as the inside of a JSON
 * string in a JSON body; the header takes {secret} only. Anything else in braces stands for itself. */
#ifndef PARTA_MAIL_SMS_H
#define PARTA_MAIL_SMS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/text.h"
#include "homeserver/outgoing/outgoing.h"

struct config;
struct sms;

/* As smtp_create, from settings sms.*. */
struct sms *sms_create(const struct config *config, struct outgoing *outgoing, struct text *problem);
void sms_destroy(struct sms *sms); /* after outgoing_stop; NULL is accepted */

/* As smtp_send. to: digits. Done means: the gateway answered 2xx, and sms.success, if set, stands in its answer. */
bool sms_send(struct sms *sms, const char *to, const char *text, int64_t deadline_ms, outgoing_done *done, void *arg);

enum sms_writing { SMS_WRITE_URL, SMS_WRITE_JSON, SMS_WRITE_PLAIN };

struct sms_values {
    const char *to, *text, *secret; /* NULL: its name in braces stands for itself */
};
/* Pure. Appends the template with its places filled in, written as sms_writing says (SMS_WRITE_JSON: the inside of a
 * string); values are not looked through for places. */
void sms_fill(struct text *out, const char *template, enum sms_writing writing, const struct sms_values *values);

/* Pure: what the gateway has answered is its last word, unless it says that it is busy: a message sent twice costs
 * twice. success: what stands in the answer of one that took it, whatever bytes are before; NULL: 2xx is enough. */
enum outgoing_verdict sms_verdict(const struct outgoing_reply *reply, const char *success);

#endif
