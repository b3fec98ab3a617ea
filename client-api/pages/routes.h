/* Every route table of the pages, one a file of client-api/pages/. */
#ifndef PARTA_CLIENT_API_PAGES_ROUTES_H
#define PARTA_CLIENT_API_PAGES_ROUTES_H

#include <stddef.h>

#include "homeserver/http/request.h"

#define X(table) extern const struct routes table;
#include "client-api/pages/routes.def"
#undef X

/* All of them (client-api/pages/routes.c). */
extern const struct routes *const PAGE_ROUTES[];
extern const size_t PAGE_ROUTES_COUNT;

#endif
