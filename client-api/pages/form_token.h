/* That a form comes from a page of this server, and from the person who was shown it.
 *
 * Two things, each of which is enough against a form of another site: the Origin that the browser names is this
 * server's, and the form has a token, made of the session's (or the visit's) cookie, the path it posts to and the time
 * until when, to the millisecond: the same form in two tabs has two. Nothing is stored: the token is a keyed hash. A
 * form that is too old, or of another session (somebody signed in meanwhile in another tab), is not lost: who sent it
 * is shown it again, without its passwords. */
#ifndef PARTA_CLIENT_API_PAGES_FORM_TOKEN_H
#define PARTA_CLIENT_API_PAGES_FORM_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/text.h"

struct request;

#define FORM_TOKEN_FIELD "form"

/* secret: the cookie's value. */
void form_token_add(struct text *out, const struct request *r, const char *secret, const char *path, int64_t until_ms);

/* server->pages->form_taken. Takes the token's field out of r->body. false: r->error; form_is_old: it can be sent
 * again. */
bool form_taken(struct request *r);
bool form_is_old(const struct request *r);

/* Whether an Origin header is this server's. Pure. baseurl: public_baseurl or NULL; host: the Host header or NULL. */
bool origin_is_ours(const char *origin, const char *baseurl, const char *host);

#endif
