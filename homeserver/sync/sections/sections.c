#include "homeserver/sync/sections/sections.h"

#include "homeserver/sync/sync_service.h"

static const struct sync_section *const TABLE[] = {
#define X(section) &section,
#include "homeserver/sync/sections/sections.def"
#undef X
};

void sections_add(struct sync_service *sync)
{
    for (size_t i = 0; i < sizeof TABLE / sizeof *TABLE; ++i)
        sync_service_add(sync, TABLE[i]);
}
