/* Codes that a page sends to a phone number or an e-mail address and asks for in its next form (school.md C3). */
#ifndef PARTA_CLIENT_API_PAGES_CODES_H
#define PARTA_CLIENT_API_PAGES_CODES_H

#include <stdbool.h>

#include "homeserver/accounts/contacts.h"

struct request;

#define CODE_SECRET_CHARS 32

/* What the next form has to bring along, in hidden fields "sid" and "client_secret". */
struct page_code {
    char sid[SID_CHARS + 1]; /* "": none was asked for */
    char secret[CODE_SECRET_CHARS + 1];
};

/* Sends a code to what stands in "contact": an e-mail address, or a number as it is dialled in Russia or, with "+",
 * from anywhere. link: as code_asked. false: r->error, and out->sid is "". Blocks. */
bool page_code_send(struct request *r, enum code_purpose purpose, const char *link, struct page_code *out);

/* Whether "code" is that of "sid" and "client_secret", or was so before: then it need not be typed in again. false:
 * r->error. Blocks. */
bool page_code_right(struct request *r, enum code_purpose purpose);

/* Whether it is right already, by a code or by the link of a message. false: r->error. Blocks (a read). */
bool page_code_proven(struct request *r, enum code_purpose purpose, const char *sid, const char *secret);

#endif
