/* The stylesheet and the script, which are in the program: each under a name that says what is in it, so that browsers
 * keep it for good. */
#include <string.h>

#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"

static bool get_asset(struct request *r)
{
    const struct asset *asset = NULL;
    struct text body = TEXT_INIT;
    for (size_t i = 0; i < PAGE_ASSETS_COUNT; ++i)
        if (strcmp(PAGE_ASSETS[i].name, r->params[0]) == 0)
            asset = &PAGE_ASSETS[i];
    if (asset == NULL)
        return refuse(r, ERROR_NOT_FOUND, NULL);
    text_add(&body, asset->content, asset->bytes);
    r->reply.type = asset->type;
    reply_header(r, "cache-control", "public, max-age=31536000, immutable");
    reply_header(r, "x-content-type-options", "nosniff");
    reply_header(r, "cross-origin-resource-policy", "same-origin");
    return reply_text(r, &body);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/parta/assets/{name}", get_asset, ROUTE_HTML, RATE_NONE, NULL},
};
const struct routes PAGE_ASSET_ROUTES = ROUTES(TABLE);
