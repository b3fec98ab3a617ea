#include "client-api/routes.h"

const struct routes *const ALL_ROUTES[] = {
    &CREATE_ROOM_ROUTES,
    &MEMBERSHIP_ROUTES,
    &SEND_ROUTES,
};
const size_t ALL_ROUTES_COUNT = sizeof ALL_ROUTES / sizeof *ALL_ROUTES;
