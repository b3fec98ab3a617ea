/* Every route table of the Client-Server API, one a file of client-api/. */
#ifndef PARTA_CLIENT_API_ROUTES_H
#define PARTA_CLIENT_API_ROUTES_H

#include <stddef.h>

#include "homeserver/http/request.h"

extern const struct routes CREATE_ROOM_ROUTES;
extern const struct routes MEMBERSHIP_ROUTES;
extern const struct routes SEND_ROUTES;

/* All of them (client-api/routes.c). */
extern const struct routes *const ALL_ROUTES[];
extern const size_t ALL_ROUTES_COUNT;

#endif
