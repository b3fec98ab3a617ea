#include "appservice/routes.h"

const struct routes *const APPSERVICE_ROUTES[] = {
#define X(table) &table,
#include "appservice/routes.def"
#undef X
};
const size_t APPSERVICE_ROUTES_COUNT = sizeof APPSERVICE_ROUTES / sizeof *APPSERVICE_ROUTES;
