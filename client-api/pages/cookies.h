/* The cookies of pages. Where the server is reached by https they are Secure and named "__Host-…", so that no other
 * host and no plain connection sets or reads them. Browsers keep no such cookie over plain http: on the machine itself
 * (localhost, for demos and tests) plain names are taken, and everywhere else pages need https. */
#ifndef PARTA_CLIENT_API_PAGES_COOKIES_H
#define PARTA_CLIENT_API_PAGES_COOKIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

enum page_cookie {
    COOKIE_SESSION,  /* who is signed in: a token, at rest as its hash (store/matrix/page_sessions.h) */
    COOKIE_VISIT,    /* what forms are bound to of somebody who is not; nothing is kept of it */
    COOKIE_LANGUAGE, /* chosen on a page: "ru", "en" */
    COOKIE_KNOWN,    /* somebody signed in with this browser before (known_browser.h) */
    COOKIE_DRAFT,    /* what was typed when a session was over (draft.h), the first of DRAFTS_MAX: long */
    COOKIE_DRAFT_2,
    COOKIE_DRAFT_3,
    COOKIE_DRAFT_4,
};
#define DRAFTS_MAX 4           /* of a browser */
#define COOKIE_BYTES 64        /* of a value, with its NUL */
#define COOKIE_LONG_BYTES 4000 /* of a draft's; beyond it browsers keep none */

/* The value of the first cookie of that name in a Cookie header (RFC 6265, 5.4), if it fits and is of [A-Za-z0-9_-].
 * header may be NULL. Pure. */
bool cookie_find(const char *header, const char *name, char *out, size_t out_bytes);

/* What the browser sent of ours. false: nothing, or nothing that one of ours looks like. */
bool page_cookie(const struct request *r, enum page_cookie which, char out[COOKIE_BYTES]);
bool page_cookie_long(const struct request *r, enum page_cookie which, char out[COOKIE_LONG_BYTES]);

/* Adds it to the reply, in place of one that was added before. lifetime_s: 0: until the browser is
 * closed; −1: it goes. */
void page_set_cookie(struct request *r, enum page_cookie which, const char *value, int64_t lifetime_s);

/* Whether the server is reached by https, or at least on this very machine. */
bool page_is_secure(const struct request *r);
bool page_is_loopback(const struct request *r);

#endif
