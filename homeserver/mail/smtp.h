/* One mail at a time to the school's mail server (RFC 5321, RFC 5322), by homeserver/outgoing.
 *
 * The message is a plain UTF-8 text: its subject and the sender's name as encoded words (RFC 2047), its body in base64,
 * so that nothing in them can be taken for a header or the end of the data. Addresses are looked at again here, whoever
 * checked them before: one that holds anything but printable ASCII without spaces, angle brackets or quotes is not
 * written anywhere. */
#ifndef PARTA_MAIL_SMTP_H
#define PARTA_MAIL_SMTP_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/text.h"
#include "homeserver/outgoing/outgoing.h"

struct config;
struct smtp;

struct mail {
    const char *to;      /* an address, "anna@school.example" */
    const char *subject; /* UTF-8, one line */
    const char *text;    /* UTF-8, lines ended by \n */
};

/* From settings mail.*; reads the password file. config and outgoing are borrowed. NULL: *problem says why; also when
 * mail.url is not set (*problem stays empty). Blocks (a small file). */
struct smtp *smtp_create(const struct config *config, struct outgoing *outgoing, struct text *problem);
void smtp_destroy(struct smtp *smtp); /* after outgoing_stop; NULL is accepted */

/* Hands a mail over; copies it. done(arg, delivered, …) is called once, on the outgoing thread. No attempt begins after
 * deadline_ms (clock_mono_ms). false: the queue is full or the address will not do, done is not called. */
bool smtp_send(struct smtp *smtp, const struct mail *mail, int64_t deadline_ms, outgoing_done *done, void *arg);

/* One @ with something on both sides, printable ASCII, and nothing that means anything to SMTP or to a header. Pure. */
bool smtp_address_safe(const char *address);

/* The message as it goes over the wire, CRLF at every line's end. name: of the sender, NULL: none; id: the part of the
 * Message-ID before the '@'. false: an address will not do. */
struct smtp_envelope {
    const char *from, *name, *id;
    int64_t wall_ms; /* of the Date */
};
/* Pure; appends. */
bool smtp_message(struct text *out, const struct smtp_envelope *envelope, const struct mail *mail);

/* An unstructured header's value: as it is when it is plain ASCII, otherwise encoded words on folded lines. */
void smtp_add_words(struct text *out, const char *utf8, size_t column);

#endif
