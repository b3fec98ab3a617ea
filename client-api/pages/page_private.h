/* For the functions that compile.py makes, and page.c. */
#ifndef PARTA_CLIENT_API_PAGES_PAGE_PRIVATE_H
#define PARTA_CLIENT_API_PAGES_PAGE_PRIVATE_H

#include "client-api/pages/cookies.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/language.h"
#include "homeserver/base/text.h"

struct request;

/* A page that is being written. */
struct page {
    struct request *r;
    enum language language;
    struct text out;
    char secret[COOKIE_BYTES]; /* what its forms are bound to */
};

typedef void page_writer(struct page *page, const void *view);
bool page_reply(struct request *r, enum word title, page_writer *write, const void *view);

void put_time(struct page *page, int64_t ms); /* "29 ноября 2026, 18:40 UTC"; 0: "—" */
void put_day(struct page *page, school_day day);
void put_form_token(struct page *page, const char *path); /* a hidden field; path: where the form posts to */

#endif
