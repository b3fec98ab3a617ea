#include "client-api/pages/provider_name.h"

#include "client-api/pages/language.h"
#include "homeserver/oidc/provider.h"

const char *provider_name(const struct request *r, const struct oidc_provider *provider)
{
    return page_language(r) == LANGUAGE_RU ? provider->name_ru : provider->name_en;
}
