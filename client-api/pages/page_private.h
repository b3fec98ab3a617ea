/* For the functions that compile.py makes, and page.c. */
#ifndef PARTA_CLIENT_API_PAGES_PAGE_PRIVATE_H
#define PARTA_CLIENT_API_PAGES_PAGE_PRIVATE_H

#include <jansson.h>
#include <limits.h>

#include "client-api/pages/cookies.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/language.h"
#include "homeserver/base/text.h"

struct request;

#define ZONE_UNKNOWN INT_MAX

/* A page that is being written. */
struct page {
    struct request *r;
    enum language language;
    struct text out;
    char secret[COOKIE_BYTES]; /* what its forms are bound to */
    const char *here;          /* where it stands: path and query */
    int zone_minutes;          /* before UTC, of the reader's school; ZONE_UNKNOWN: nobody has asked yet */
    const json_t *typed;       /* into its forms, before; NULL: nothing */
};

typedef void page_writer(struct page *page, const void *view);
/* Writes the page into the layout and replies with it: with status 200, or, where r->error is set, with that error's,
 * and its sentence on the page; the error is cleared. Forms show what r->body, or a draft kept at this address, has.
 * Returns true, as reply_text does. Blocks (reads). */
bool page_reply(struct request *r, enum word title, page_writer *write, const void *view);

/* "29 ноября 2026, 21:40", by the clock of the reader's school (the policy's quiet_hours.utc_offset); 0: "—" */
void put_time(struct page *page, int64_t ms);
void put_day(struct page *page, school_day day);
/* What was typed into a field before, else what C gives it; NULL: "". */
void put_typed(struct page *page, const char *field, const char *otherwise);
void put_ticked(struct page *page, const char *field, const char *value); /* " checked" of a box that was ticked */
void put_form_token(struct page *page, const char *path); /* hidden fields; path: where the form posts to */

#endif
