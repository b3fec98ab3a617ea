/* In which language a page is, and what of it is said in words.txt: refusals and plural forms. */
#ifndef PARTA_CLIENT_API_PAGES_LANGUAGE_H
#define PARTA_CLIENT_API_PAGES_LANGUAGE_H

#include <stdint.h>

#include "client-api/pages/html.h"
#include "homeserver/base/error.h"

struct request;

/* As the account of whoever is signed in says, else as chosen in this browser (a cookie), else as it asks. */
enum language page_language(const struct request *r);

/* As chosen in this browser; NULL: nothing was. Static storage. */
const char *language_chosen(const struct request *r);

/* What a browser would like best (RFC 9110, 12.5.4); NULL: it does not say. Pure. */
enum language language_asked(const char *header);

/* Which of its forms a sentence takes for n. */
int plural_ru(int64_t n); /* 0: 1, 21 …; 1: 2–4, 22–24 …; 2: the rest */
int plural_en(int64_t n);

/* Refuses with a sentence of words.txt, as refuse does; for a form that is shown again. Returns false. */
bool page_refuse(struct request *r, enum error_code code, enum word sentence);

/* The sentence of an error, static storage; NULL: there is none. */
const char *page_error_in(const struct error *e, enum language language);

#endif
