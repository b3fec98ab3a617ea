/* TLS for the listeners: one certificate and key, TLS 1.2 and newer, HTTP/1.1 only (no "h2" in ALPN). */
#ifndef PARTA_HTTP_TLS_H
#define PARTA_HTTP_TLS_H

struct ssl_ctx_st;

/* Reads the PEM chain and key. NULL: the cause is logged. SSL_CTX_free releases; connections hold references. */
struct ssl_ctx_st *tls_load(const char *cert, const char *key);

#endif
