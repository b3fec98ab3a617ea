/* What a provider that people sign in at is called on a page (school.md C1a). */
#ifndef PARTA_CLIENT_API_PAGES_PROVIDER_NAME_H
#define PARTA_CLIENT_API_PAGES_PROVIDER_NAME_H

struct oidc_provider;
struct request;

/* In the page's language; borrowed from the provider. */
const char *provider_name(const struct request *r, const struct oidc_provider *provider);

#endif
