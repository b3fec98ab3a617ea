#include "homeserver/accounts/shared_secret.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"

#define MAC_BYTES 20

static void message_of(const struct shared_secret_request *request, struct text *out)
{
    text_add(out, request->nonce, strlen(request->nonce) + 1); /* with its NUL */
    text_add(out, request->username, strlen(request->username) + 1);
    text_add(out, request->password, strlen(request->password) + 1);
    text_adds(out, request->admin ? "admin" : "notadmin");
    if (request->user_type == NULL)
        return;
    text_addc(out, '\0');
    text_adds(out, request->user_type);
}

bool shared_secret_verify(const char *secret, const struct shared_secret_request *request, const char *mac)
{
    unsigned char given[MAC_BYTES], ours[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    size_t n = 0;
    struct text message = TEXT_INIT;
    if (sodium_hex2bin(given, sizeof given, mac, strlen(mac), NULL, &n, NULL) != 0 || n != MAC_BYTES)
        return false;
    message_of(request, &message);
    HMAC(EVP_sha1(), secret, (int)strlen(secret), (const unsigned char *)message.data, message.len, ours, &len);
    sodium_memzero(message.data, message.len);
    text_finish(&message);
    return len == MAC_BYTES && bytes_equal(given, ours, MAC_BYTES);
}
