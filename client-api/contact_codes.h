/* Asking for a code, as requestToken does, for whoever else needs one (pages). */
#ifndef PARTA_CLIENT_API_CONTACT_CODES_H
#define PARTA_CLIENT_API_CONTACT_CODES_H

#include "homeserver/accounts/contacts.h"

struct request;

struct code_asked {
    enum code_purpose purpose;
    const struct contact_address *address;
    const char *client_secret;
    const char *link;  /* the link that somebody signs up by, of CODE_REGISTER; NULL: none */
    const char *known; /* as code_request */
    int64_t send_attempt;
};

/* Counted for the request's place, person and school. false: r->error, as contacts_request_code; ERROR_THREEPID_DENIED
 * where nothing is sent that way. Blocks. */
bool contact_code_ask(struct request *r, const struct code_asked *wanted, char sid[SID_CHARS + 1]);

#endif
