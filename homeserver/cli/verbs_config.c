/* parta config …: reading the file is the check, and the certificate and secrets that it names. */
#include <errno.h>
#include <libgen.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "appservice/registry.h"
#include "homeserver/base/config.h"

#include "homeserver/cli/verb.h"
#include "homeserver/http/tls.h"
#include "homeserver/mail/post.h"
#include "homeserver/oidc/providers.h"

static bool certificate_is_good(const struct config *config)
{
    if (config->tls.port == 0)
        return true;
    SSL_CTX *tls = tls_load(config->tls.certificate, config->tls.key); /* logs what is wrong */
    SSL_CTX_free(tls);
    return tls != NULL;
}

/* The files with the passwords of the mail server and the SMS gateway. */
static bool post_is_good(struct verb_call *call)
{
    struct text problem = TEXT_INIT;
    struct post *post = post_create(call->config, NULL, &problem);
    post_destroy(post);
    if (post == NULL)
        verb_fail(call, "%s", problem.data);
    text_finish(&problem);
    return post != NULL;
}

/* A name that nobody can have (RFC 2606), as the example file has one: it cannot be changed later. */
static bool name_is_own(struct verb_call *call)
{
    static const char *const RESERVED[] = {"example", "example.com", "example.net", "example.org"};
    const char *name = call->config->server_name;
    size_t len = strcspn(name, ":");
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; ++i) {
        size_t tail = strlen(RESERVED[i]);
        if (len >= tail && strncmp(name + len - tail, RESERVED[i], tail) == 0 &&
            (len == tail || name[len - tail - 1] == '.'))
            return verb_fail(call,
                             "server_name: %s is an example's name. Put your own: it is part of everybody's id "
                             "and cannot be changed later.",
                             name);
    }
    return true;
}

/* Where it is not there yet, it must be possible to make it. For whoever runs this: the server's user should. */
static bool data_dir_is_good(struct verb_call *call)
{
    struct stat is;
    char *path = xstrdup(call->config->data_dir);
    const char *dir = stat(path, &is) != 0 && errno == ENOENT ? dirname(path) : path;
    bool good = stat(dir, &is) == 0;
    if (!good)
        verb_fail(call, "data_dir: %s: %s", dir, strerror(errno));
    else if (!S_ISDIR(is.st_mode))
        good = verb_fail(call, "data_dir: %s is no directory.", dir);
    else if (access(dir, W_OK | X_OK) != 0)
        good = verb_fail(call, "data_dir: whoever runs this may not write to %s.", dir);
    free(path);
    return good;
}

/* Application services: each registration, and that no two clash. */
static bool appservices_are_good(struct verb_call *call)
{
    struct text problem = TEXT_INIT;
    struct appservices *set = appservices_load(call->config, &problem);
    if (set == NULL)
        verb_fail(call, "%s", problem.data);
    appservices_unref(set);
    text_finish(&problem);
    return set != NULL;
}

/* Where people sign in: each table, that no two clash, and that the secrets can be read. */
static bool providers_are_good(struct verb_call *call)
{
    struct text problem = TEXT_INIT;
    struct oidc_providers *set = oidc_providers_load(call->config->oidc.providers, &problem);
    if (set == NULL)
        verb_fail(call, "%s", problem.data);
    oidc_providers_free(set);
    text_finish(&problem);
    return set != NULL;
}

/* An address without TLS is a mistake. Where none is named, people sign in by password alone, and that is said. */
static bool oauth_is_reachable(struct verb_call *call)
{
    const struct config *config = call->config;
    return !config->oauth.enabled || config->public_baseurl == NULL || config_oauth_obstacle(config) == NULL ||
           verb_fail(call,
                     "oauth.enabled: public_baseurl is %s, and clients sign in over https:// alone. Set up TLS, in "
                     "nginx or here, or turn oauth.enabled off.",
                     config->public_baseurl);
}

static bool check(struct verb_call *call)
{
    if (!oauth_is_reachable(call) || !name_is_own(call) || !data_dir_is_good(call) || !post_is_good(call) ||
        !appservices_are_good(call) || !providers_are_good(call))
        return false;
    if (!certificate_is_good(call->config))
        return verb_fail(call, "The certificate or its key cannot be used.");
    text_addf(&call->out, "The configuration is good: %s, policy.mode %s.\n", call->config->server_name,
              call->config->policy.mode == POLICY_SCHOOL ? "school" : "open");
    const char *obstacle = config_oauth_obstacle(call->config);
    if (obstacle != NULL)
        text_addf(&call->out, "Sign-in by OAuth 2.0 is not offered, only by password: %s\n", obstacle);
    return true;
}

static bool show(struct verb_call *call)
{
    config_print(call->config, &call->out);
    return true;
}

static const struct verb TABLE[] = {
    {"config check", .flags = VERB_CONFIG, .run = check, .summary = "Says whether the configuration file is good.",
     .essay = "A problem is told with file and line. Also looked at: the certificate, the files with secrets, the\n"
              "registrations of application services, the providers to sign in at, whether the\n"
              "server's name is still the example's, whether the data directory can be made or written, and that\n"
              "with oauth.enabled public_baseurl is https; where it is not set, that is said."},
    {"config show", .flags = VERB_CONFIG, .run = show,
     .summary = "Prints every setting with its value, defaults included, secrets left out."},
};
const struct verbs CONFIG_VERBS = VERBS(TABLE);
