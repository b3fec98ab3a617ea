#include "homeserver/oidc/providers.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/secret.h"
#include "homeserver/base/yaml_folder.h"

static bool secret_is_there(const char *path, const struct oidc_provider *provider, struct text *problem)
{
    struct text why = TEXT_INIT;
    char *secret = secret_read("client_secret_file", provider->secret_file, &why);
    bool good = secret != NULL || provider->secret_file == NULL || text_fail(problem, "%s: %s", path, why.data);
    secret_free(secret);
    text_finish(&why);
    return good;
}

static bool add(void *arg, const char *path, const struct text *bytes, bool readable, struct text *problem)
{
    struct oidc_providers *set = arg;
    struct oidc_provider *provider = oidc_provider_parse(path, bytes->data, bytes->len, problem);
    bool good = provider != NULL && secret_is_there(path, provider, problem);
    for (size_t i = 0; good && i < set->n; ++i)
        good = !oidc_provider_clash(set->all[i], provider, problem);
    if (good)
        set->all[set->n++] = provider;
    else
        oidc_provider_free(provider);
    return good;
}

struct oidc_providers *oidc_providers_load(const char *folder, struct text *problem)
{
    struct oidc_providers *set = xcalloc(1, sizeof *set);
    set->all = xcalloc(YAML_FOLDER_FILES_MAX, sizeof(struct oidc_provider *));
    if (folder == NULL || yaml_folder_read(folder, add, set, problem))
        return set;
    oidc_providers_free(set);
    return NULL;
}

void oidc_providers_free(struct oidc_providers *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->n; ++i) {
        if (set->clients != NULL)
            oidc_client_destroy(set->clients[i]);
        oidc_provider_free(set->all[i]);
    }
    oidc_taken_destroy(set->taken);
    free(set->clients);
    free(set->all);
    sodium_memzero(set->key, sizeof set->key);
    free(set);
}

void oidc_providers_start(struct oidc_providers *set, struct outgoing *outgoing, const struct signing_key *key,
                          int workers, const struct oidc_waits *waits)
{
    server_key(key, KEY_OIDC_ATTEMPTS, set->key);
    set->taken = oidc_taken_create();
    set->crowd.max = workers > 1 ? workers / 2 : 1;
    set->clients = xcalloc(set->n + 1, sizeof(struct oidc_client *));
    for (size_t i = 0; i < set->n; ++i)
        set->clients[i] = oidc_client_create(set->all[i], outgoing, &set->crowd, waits);
}

size_t oidc_providers_find(const struct oidc_providers *set, const char *id)
{
    size_t i = 0;
    while (set != NULL && i < set->n && strcmp(set->all[i]->id, id) != 0)
        ++i;
    return i;
}

const struct oidc_provider *oidc_providers_of_issuer(const struct oidc_providers *set, const char *issuer)
{
    for (size_t i = 0; set != NULL && i < set->n; ++i)
        if (strcmp(set->all[i]->issuer, issuer) == 0)
            return set->all[i];
    return NULL;
}
