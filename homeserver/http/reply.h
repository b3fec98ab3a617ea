/* Replies from the server's side: errors written out, memory released. */
#ifndef PARTA_HTTP_REPLY_H
#define PARTA_HTTP_REPLY_H

#include <jansson.h>

#include "homeserver/http/request.h"

/* Empties the reply: no body, no headers, status not said. */
void reply_reset(struct reply *reply);

/* The "standard error response" (Client-Server API) for r->error replaces whatever was there. */
void reply_error(struct request *r);

/* errcode, error and what else the error says, as members of object. */
void error_members(const struct error *e, json_t *object);

const char *status_reason(int status); /* "Not Found"; never NULL */

#endif
