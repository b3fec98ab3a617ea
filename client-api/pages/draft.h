/* What somebody had typed into forms when their session was over: they sign in again, and are back at each form with
 * it.
 *
 * It lies with the browser, in cookies that only this server can read (sealed with its key): for an hour, one a form
 * that was sent, so that two tabs do not lose each other's; at most DRAFTS_MAX a browser and DRAFT_BYTES_MAX each, and
 * together no more than a Cookie header holds (then the oldest goes); and never a secret (PAGE_FIELDS). It is for whom
 * the form was shown to, on the page where it stood, and shown to nobody else. */
#ifndef PARTA_CLIENT_API_PAGES_DRAFT_H
#define PARTA_CLIENT_API_PAGES_DRAFT_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/text.h"

struct request;

#define DRAFT_BYTES_MAX 2800   /* browsers keep 4096 bytes of a cookie, name and all */
#define DRAFTS_SEALED_MAX 6000 /* all of them: beside them other cookies stand in a header of at most 8192 bytes */

/* Where a form stands, and who is shown it: a hidden field of every form. here: path and query. */
#define FORM_FROM_FIELD "from"
void form_from_add(struct text *out, const struct request *r, const char *here);

/* The page of this server where the form of body stood; "/parta/account" if it does not say. Borrowed from body. */
const char *form_from_page(const json_t *body);

/* Whether whoever is signed in was shown the form of body, or nobody in particular was. */
bool form_from_them(const struct request *r, const json_t *body);

#define DRAFT_QUERY "draft" /* in a page's address: which one, from 1 on */

/* Keeps what was typed into the form of body, in place of what was kept of that very form. back: the page where it
 * stood, which names the draft. false: there was nothing to keep, or too much. */
bool draft_keep(struct request *r, const json_t *body, struct text *back);

/* What was kept for whoever is signed in and this page: of the draft that the address names, else of all, the newest
 * last. An object of strings, new reference; NULL: nothing. */
json_t *draft_here(struct request *r);

/* The form of body was taken: what was kept of it has come where it belongs. */
void draft_forget(struct request *r, const json_t *body);

#endif
