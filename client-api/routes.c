#include "client-api/routes.h"

const struct routes *const CLIENT_API_ROUTES[] = {
#define X(table) &table,
#include "client-api/routes.def"
#undef X
};
const size_t CLIENT_API_ROUTES_COUNT = sizeof CLIENT_API_ROUTES / sizeof *CLIENT_API_ROUTES;
