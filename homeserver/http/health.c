#include "homeserver/http/health.h"

#include "homeserver/base/clock.h"
#include "homeserver/http/server.h"
#include "homeserver/store/driver/storage.h"

#define FAILING(what) "{\"problem\":\"" what "\",\"status\":\"failing\"}"

static const char *const TEXTS[] = {
    [STORAGE_WELL] = "{\"status\":\"ok\"}",         [STORAGE_FULL] = FAILING("storage_full"),
    [STORAGE_FAILING] = FAILING("storage_failing"), [STORAGE_DAMAGED] = FAILING("storage_damaged"),
    [STORAGE_SILENT] = FAILING("storage_silent"),
};

const char *health_text(const struct server *server, int *status)
{
    enum storage_problem problem = storage_problem(server->storage, clock_mono_ms());
    *status = problem == STORAGE_WELL ? 200 : 503;
    return TEXTS[problem];
}
