/* What the endpoints of the OAuth 2.0 API say alike (Client-Server API, "OAuth 2.0 API"). docs/oauth.md has each of its
 * rules with where it is kept and what proves it.
 *
 * Requests are forms (RFC 6749, appendix B), errors have OAuth's members and not Matrix' (RFC 6749, 5.2), nothing may
 * be kept by caches (5.1). A parameter that is there twice makes the request invalid (3.1, 3.2); one without a value
 * counts as not there; one that is not known is ignored. */
#ifndef PARTA_CLIENT_API_OAUTH_COMMON_H
#define PARTA_CLIENT_API_OAUTH_COMMON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "homeserver/accounts/oauth.h"
#include "homeserver/base/text.h"

struct config;
struct request;
struct server;

#define OAUTH_BODY_MAX (16 << 10)                   /* bytes */
size_t oauth_body_max(const struct server *server); /* for struct route */

/* Where clients reach the server, without a slash at the end. */
void oauth_add_base(struct text *out, const struct config *config);

/* Whether the API is offered. false: r->error, as of a path that is not served. */
bool oauth_is_on(struct request *r);

/* The request's form, an object of strings; the caller's reference. NULL: refused. */
json_t *oauth_form(struct request *r);

/* A parameter, borrowed from form; NULL: not there, or empty. oauth_needs: refused then, naming it. */
const char *oauth_param(const json_t *form, const char *name);
bool oauth_needs(struct request *r, const json_t *form, const char *name, const char **out);

/* The client that client_id names; the caller finishes *out. false: refused. */
bool oauth_client_of(struct request *r, const json_t *form, struct oauth_client *out);

/* Fills in OAuth's error; description: copied; NULL: the table's. Returns false. */
bool oauth_refuse(struct request *r, enum oauth_error why, const char *description);
const char *oauth_error_name(enum oauth_error why);
const char *oauth_error_description(enum oauth_error why);

/* For what may be in no cache. Takes the reference; returns true. */
bool oauth_reply(struct request *r, json_t *value);

/* What counts as one place: the address, of IPv6 its /64. */
void oauth_add_place(struct text *out, const char *ip);

#endif
