/* The route tables of the Client-Server API that belong to application services. */
#ifndef PARTA_APPSERVICE_ROUTES_H
#define PARTA_APPSERVICE_ROUTES_H

#include <stddef.h>

#include "homeserver/http/request.h"

#define X(table) extern const struct routes table;
#include "appservice/routes.def"
#undef X

/* All of them (appservice/routes.c). */
extern const struct routes *const APPSERVICE_ROUTES[];
extern const size_t APPSERVICE_ROUTES_COUNT;

#endif
