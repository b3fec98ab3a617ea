#include "homeserver/http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/log.h"

static const unsigned char HTTP_1_1[] = "\x08http/1.1";

/* A client that offers protocols must offer ours: one that insists on HTTP/2 is turned away. */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                           unsigned offered_len, void *arg)
{
    unsigned char *selected;
    int rc = SSL_select_next_proto(&selected, out_len, HTTP_1_1, sizeof HTTP_1_1 - 1, offered, offered_len);
    *out = selected;
    return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX *tls_load(const char *cert, const char *key)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL)
        return NULL;
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);         /* idle connections give their buffers back */
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF); /* tickets resume; nothing is kept here */
    SSL_CTX_set_alpn_select_cb(tls, select_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(tls, cert) == 1 &&
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1 && SSL_CTX_check_private_key(tls) == 1)
        return tls;
    char cause[256];
    ERR_error_string_n(ERR_get_error(), cause, sizeof cause);
    ERR_clear_error();
    log_error("http", "certificate %s or key %s cannot be used: %s", cert, key, cause);
    SSL_CTX_free(tls);
    return NULL;
}
