#include "homeserver/accounts/password.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <uninorm.h>

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

/* RFC 8265, 4.2: a letter may come as one code point or as two, by the keyboard; both are the same password. heap */
static char *composed(const char *password)
{
    size_t len = 0;
    uint8_t *nfc = u8_normalize(UNINORM_NFC, (const uint8_t *)password, strlen(password), NULL, &len);
    char *copy = nfc != NULL ? xstrndup((const char *)nfc, len) : xstrdup(password);
    if (nfc != NULL)
        sodium_memzero(nfc, len);
    free(nfc);
    return copy;
}

static void forget(char *password)
{
    sodium_memzero(password, strlen(password));
    free(password);
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
    char *copy = composed(password);
    bool enough = characters(copy) >= config->passwords.length_min;
    forget(copy);
    return enough || error_set(e, ERROR_WEAK_PASSWORD, "The password is too short.");
}

char *password_hash(const struct config *config, const char *password)
{
    char hash[crypto_pwhash_STRBYTES], *copy = composed(password);
    int failed = crypto_pwhash_str(hash, copy, strlen(copy), passes(config), memory(config));
    forget(copy);
    if (failed == 0)
        return xstrdup(hash);
    log_error("accounts", "not enough memory to hash a password");
    return NULL;
}

bool password_verify(const struct config *config, const char *hash, const char *password)
{
    if (strlen(password) > PASSWORD_BYTES_MAX)
        return false;
    if (hash != NULL) {
        char *copy = composed(password);
        /* As it was typed, too: for hashes of before passwords were composed. */
        bool same = crypto_pwhash_str_verify(hash, copy, strlen(copy)) == 0 ||
                    (strcmp(copy, password) != 0 && crypto_pwhash_str_verify(hash, password, strlen(password)) == 0);
        forget(copy);
        return same;
    }
    unsigned char out[32], salt[crypto_pwhash_SALTBYTES] = {0};
    (void)!crypto_pwhash(out, sizeof out, password, strlen(password), salt, passes(config), memory(config),
                         crypto_pwhash_ALG_ARGON2ID13);
    return false;
}

bool password_outdated(const struct config *config, const char *hash)
{
    return crypto_pwhash_str_needs_rehash(hash, passes(config), memory(config)) != 0;
}
