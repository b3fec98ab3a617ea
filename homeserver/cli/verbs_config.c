/* parta config …: reading the file is the check, and the certificate and secrets that it names. */
#include <openssl/ssl.h>

#include "homeserver/base/config.h"

#include "homeserver/cli/verb.h"
#include "homeserver/http/tls.h"
#include "homeserver/mail/post.h"

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

static bool check(struct verb_call *call)
{
    if (!post_is_good(call))
        return false;
    if (!certificate_is_good(call->config))
        return verb_fail(call, "The certificate or its key cannot be used.");
    text_addf(&call->out, "The configuration is good: %s, policy.mode %s.\n", call->config->server_name,
              call->config->policy.mode == POLICY_SCHOOL ? "school" : "open");
    return true;
}

static bool show(struct verb_call *call)
{
    config_print(call->config, &call->out);
    return true;
}

static const struct verb TABLE[] = {
    {"config check", .flags = VERB_CONFIG, .run = check, .summary = "Says whether the configuration file is good.",
     .essay = "A problem is told with file and line."},
    {"config show", .flags = VERB_CONFIG, .run = show,
     .summary = "Prints every setting with its value, defaults included, secrets left out."},
};
const struct verbs CONFIG_VERBS = VERBS(TABLE);
