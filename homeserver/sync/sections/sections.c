#include "homeserver/sync/sections/sections.h"

#include "homeserver/sync/sync_service.h"

static const struct sync_section *const TABLE[] = {
    &DEVICE_KEYS_SECTION,   &ACCOUNT_DATA_SECTION,  &PRESENCE_SECTION,   &JOINED_ROOMS_SECTION,
    &INVITED_ROOMS_SECTION, &KNOCKED_ROOMS_SECTION, &LEFT_ROOMS_SECTION,
};

void sections_add(struct sync_service *sync)
{
    for (size_t i = 0; i < sizeof TABLE / sizeof *TABLE; ++i)
        sync_service_add(sync, TABLE[i]);
}
