#include "homeserver/accounts/password.h"

#include <sodium.h>
#include <string.h>

#include "homeserver/base/config.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"

static unsigned long long passes(const struct config *config)
{
    return (unsigned long long)config->passwords.ops;
}

static size_t memory(const struct config *config)
{
    return (size_t)config->passwords.memory_kib * 1024;
}

static int characters(const char *utf8)
{
    int n = 0;
    for (; *utf8 != '\0'; ++utf8)
        n += ((unsigned char)*utf8 & 0xc0) != 0x80;
    return n;
}

bool password_acceptable(const struct config *config, const char *password, struct error *e)
{
    if (strlen(password) > PASSWORD_BYTES_MAX)
        return error_set(e, ERROR_INVALID_PARAM, "The password is longer than 512 bytes.");
    if (characters(password) < config->passwords.length_min)
        return error_set(e, ERROR_WEAK_PASSWORD, "The password is too short.");
    return true;
}

char *password_hash(const struct config *config, const char *password)
{
    char hash[crypto_pwhash_STRBYTES];
    if (crypto_pwhash_str(hash, password, strlen(password), passes(config), memory(config)) == 0)
        return xstrdup(hash);
    log_error("accounts", "not enough memory to hash a password");
    return NULL;
}

bool password_verify(const struct config *config, const char *hash, const char *password)
{
    if (strlen(password) > PASSWORD_BYTES_MAX)
        return false;
    if (hash != NULL)
        return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
    unsigned char out[32], salt[crypto_pwhash_SALTBYTES] = {0};
    (void)!crypto_pwhash(out, sizeof out, password, strlen(password), salt, passes(config), memory(config),
                         crypto_pwhash_ALG_ARGON2ID13);
    return false;
}

bool password_outdated(const struct config *config, const char *hash)
{
    return crypto_pwhash_str_needs_rehash(hash, passes(config), memory(config)) != 0;
}
