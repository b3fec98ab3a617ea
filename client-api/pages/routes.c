#include "client-api/pages/routes.h"

const struct routes *const PAGE_ROUTES[] = {
#define X(table) &table,
#include "client-api/pages/routes.def"
#undef X
};
const size_t PAGE_ROUTES_COUNT = sizeof PAGE_ROUTES / sizeof *PAGE_ROUTES;
