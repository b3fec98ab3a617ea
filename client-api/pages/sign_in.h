/* The sign-in page, for who could not be signed in another way. */
#ifndef PARTA_CLIENT_API_PAGES_SIGN_IN_H
#define PARTA_CLIENT_API_PAGES_SIGN_IN_H

#include <stdbool.h>

struct request;
struct login_result;

/* Shows it, with what r->error says. user: what was typed; next: where to go then, looked at here. */
bool sign_in_page(struct request *r, const char *user, const char *next);

/* The browser is signed in, whichever way it came, and no other function gives it its cookie: it is known from now on,
 * the language goes along, and whoever is asked for a second factor that they lack hears so before they get to next.
 * result came of a device_wish with page set, and is emptied. Blocks. */
bool sign_in_enter(struct request *r, struct login_result *result, const char *next);

/* H1: asks for the code of who has shown the first factor; token: login_factor_issue. */
bool sign_in_ask_code(struct request *r, const char *token, const char *next);

#endif
