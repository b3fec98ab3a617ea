/* Links, as pages know them. */
#ifndef PARTA_CLIENT_API_PAGES_JOIN_H
#define PARTA_CLIENT_API_PAGES_JOIN_H

#include <stdbool.h>

#include "homeserver/base/text.h"
#include "policy/signup/links.h"

struct request;

#define JOIN_PATH LINK_PATH

/* The address that a link is handed on by: "https://school.example/parta/join/…". */
void join_address(const struct request *r, const char *token, struct text *out);

/* D2: whoever is signed in and opens a child's link. The page of the child's data, or false: r->error. */
bool guardian_page(struct request *r, const char *token);

#endif
