#include "policy/api/routes.h"

const struct routes *const SCHOOL_API_ROUTES[] = {
#define X(table) &table,
#include "policy/api/routes.def"
#undef X
};
const size_t SCHOOL_API_ROUTES_COUNT = sizeof SCHOOL_API_ROUTES / sizeof *SCHOOL_API_ROUTES;
