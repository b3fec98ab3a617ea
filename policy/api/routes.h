/* Every route table of the school API, one a file of policy/api/. */
#ifndef PARTA_POLICY_API_ROUTES_H
#define PARTA_POLICY_API_ROUTES_H

#include <stddef.h>

#include "homeserver/http/request.h"

#define X(table) extern const struct routes table;
#include "policy/api/routes.def"
#undef X

/* All of them (policy/api/routes.c). */
extern const struct routes *const SCHOOL_API_ROUTES[];
extern const size_t SCHOOL_API_ROUTES_COUNT;

#endif
