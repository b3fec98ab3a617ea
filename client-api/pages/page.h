/* Pages for people in browsers, made on the server: they work without JavaScript, ask nobody else for anything, and do
 * nothing that the APIs do not do: a handler calls the same functions (docs/pages.md says how a page is made).
 *
 * A handler reads r->body (a form: strings by name), acts, and answers by html_NAME, which compile.py makes of
 * html/NAME.html, or sends the browser on (page_go) once something was done, so that a reload does it no second time.
 * Where it shows a form again, what r->error says stands above it. What it leaves refused (false) becomes a page, too.
 *
 * Who is signed in is a cookie's session (ROUTE_PAGE), which is no access token. Forms are taken only from this
 * server's own pages (form_token.h): no handler asks for that, and none can forget it. */
#ifndef PARTA_CLIENT_API_PAGES_PAGE_H
#define PARTA_CLIENT_API_PAGES_PAGE_H

#include "client-api/pages/html.h"
#include "client-api/pages/language.h"
#include "homeserver/http/request.h"

struct credential_kind;
struct page_hooks;

/* Every page's routes have one of these. */
#define ROUTE_ANYBODYS_PAGE (ROUTE_PAGE | ROUTE_ANONYMOUS | ROUTE_HTML | ROUTE_LOCKED_TOO)
#define ROUTE_PERSONS_PAGE (ROUTE_PAGE | ROUTE_HTML) /* whoever is not signed in is asked to, and then sent back */
#define ROUTE_POSTS (ROUTE_BODY | ROUTE_FORM)
#define ROUTE_DOES (ROUTE_PERSONS_PAGE | ROUTE_POSTS)             /* a form of theirs */
#define ROUTE_PENDING_TOO (ROUTE_PERSONS_PAGE | ROUTE_LOCKED_TOO) /* also whose application waits */

#define PAGE_BODY_MAX (16 << 10)
size_t page_body_max(const struct server *server); /* for struct route: no form is larger */

extern const struct credential_kind PAGE_CREDENTIAL;
extern const struct page_hooks PAGE_HOOKS;

/* 303 See Other. path: of this server; whatever else it is ("//elsewhere"), the browser goes to "/parta/account". */
bool page_go(struct request *r, const char *path);

/* What was typed into a field of the form, to be read or shown again; "": nothing. Borrowed from the body. */
const char *form_text(const struct request *r, const char *field);

/* After a form that was refused: whoever typed a name or address and the password of an account is signed in to it and
 * sent on, because the form was taken the first time that it was sent. false: r->error is as before. Hashes, blocks. */
bool page_sign_in_instead(struct request *r, const char *typed, const char *password, const char *next);

/* Keeps the language in the account, for pages in other browsers and for letters. false: r->error. Blocks. */
bool page_language_keep(struct request *r, user_no user, const char *language);

/* To where they wanted; whom a school asks for a second factor that they lack, by a page that says so (H1). Reads. */
bool page_go_signed_in(struct request *r, user_no user, const char *next);

/* "Иванова Анна (@p…:school.example)", by which people know whose session it is; without a name, the id. NULL: nobody
 * is signed in. A copy that the caller frees. Reads. */
char *page_who(const struct request *r);

/* The browser's session ends, and its cookie with it. false: r->error. Blocks. */
bool page_sign_out(struct request *r);

/* A page's form may lead to that address by a redirect (OAuth's redirect_uri): after html_NAME. */
void page_may_lead_to(struct request *r, const char *address);

#endif
