/* Every route table of the Client-Server API, one a file of client-api/. */
#ifndef PARTA_CLIENT_API_ROUTES_H
#define PARTA_CLIENT_API_ROUTES_H

#include <stddef.h>

#include "homeserver/http/request.h"

#define X(table) extern const struct routes table;
#include "client-api/routes.def"
#undef X

/* All of them (client-api/routes.c). */
extern const struct routes *const CLIENT_API_ROUTES[];
extern const size_t CLIENT_API_ROUTES_COUNT;

#endif
