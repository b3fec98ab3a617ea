/* What somebody had typed into a form when their session was over: they sign in again, and are back at the form with
 * it.
 *
 * It lies with the browser, in a cookie that only this server can read (sealed with its key): for an hour, one a
 * browser, at most DRAFT_BYTES_MAX, and never a secret (PAGE_FIELDS). It is for whom the form was shown to, on the page
 * where it stood, and shown to nobody else. */
#ifndef PARTA_CLIENT_API_PAGES_DRAFT_H
#define PARTA_CLIENT_API_PAGES_DRAFT_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/text.h"

struct request;

#define DRAFT_BYTES_MAX 2800 /* browsers keep 4096 bytes of a cookie, name and all */

/* Where a form stands, and who is shown it: a hidden field of every form. here: path and query. */
#define FORM_FROM_FIELD "from"
void form_from_add(struct text *out, const struct request *r, const char *here);

/* The page of this server where the form of body stood; "/parta/account" if it does not say. */
const char *form_from_page(const json_t *body);

/* Whether whoever is signed in was shown the form of body, or nobody in particular was. */
bool form_from_them(const struct request *r, const json_t *body);

/* Keeps what was typed into the form of body. false: there was nothing to keep, or too much. */
bool draft_keep(struct request *r, const json_t *body);

/* What was kept for whoever is signed in and this page: an object of strings, new reference; NULL: nothing. */
json_t *draft_here(const struct request *r);

/* The form of body was taken: what was kept of the page where it stood has come where it belongs. */
void draft_forget(struct request *r, const json_t *body);

#endif
