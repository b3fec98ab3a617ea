#include "homeserver/accounts/password.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <uninorm.h>

#include "homeserver/accounts/common_passwords.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
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

/* In place: Russian letters (two bytes each in UTF-8, in lower case) become what is on the same keys of a Latin
 * keyboard, so that a word typed blindly is found whichever of the two is on. */
static void to_latin_keys(char *password)
{
    static const char RUSSIAN[] = "\u0439\u0446\u0443\u043a\u0435\u043d\u0433\u0448\u0449\u0437\u0445\u044a\u0444\u044b"
                                  "\u0432\u0430\u043f\u0440\u043e\u043b\u0434\u0436\u044d\u044f\u0447\u0441\u043c\u0438"
                                  "\u0442\u044c\u0431\u044e\u0451";
    static const char LATIN[] = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`";
    char *out = password;
    for (const char *in = password; *in != '\0';) {
        size_t key = 0;
        while (key < sizeof LATIN - 1 && memcmp(in, RUSSIAN + 2 * key, 2) != 0)
            ++key;
        if (key < sizeof LATIN - 1) {
            *out++ = LATIN[key];
            in += 2;
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

bool password_is_common(const char *password)
{
    unsigned char hash[BLAKE2B_BYTES];
    size_t len = 0;
    uint8_t *lower = u8_tolower((const uint8_t *)password, strlen(password), NULL, UNINORM_NFC, NULL, &len);
    if (lower == NULL) /* not UTF-8: in no list */
        return false;
    char *folded = xstrndup((const char *)lower, len);
    sodium_memzero(lower, len);
    free(lower);
    to_latin_keys(folded);
    blake2b(folded, strlen(folded), hash);
    forget(folded);
    uint32_t start = (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
    return bsearch(&start, COMMON_PASSWORDS, sizeof COMMON_PASSWORDS / sizeof *COMMON_PASSWORDS, sizeof start,
                   compare_u32) != NULL;
}

bool password_acceptable(const struct config *config, const char *password, struct error *e)
{
    if (strlen(password) > PASSWORD_BYTES_MAX)
        return error_set(e, ERROR_INVALID_PARAM, "The password is longer than 512 bytes.");
    char *copy = composed(password);
    bool enough = characters(copy) >= config->passwords.length_min;
    forget(copy);
    if (!enough)
        return error_set(e, ERROR_WEAK_PASSWORD, "The password is too short.");
    return !password_is_common(password) ||
           error_set(e, ERROR_WEAK_PASSWORD, "The password is one of those that are tried first: take another.");
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
