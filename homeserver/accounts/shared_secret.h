/* Registration by a shared secret: whoever knows registration.shared_secret makes accounts, also administrators. The
 * way Matrix tools do it: a nonce from the server, then an HMAC-SHA1 over nonce, user name, password, "admin" or
 * "notadmin" and, if given, the user type, with NUL between them. Off unless a secret is configured. */
#ifndef PARTA_ACCOUNTS_SHARED_SECRET_H
#define PARTA_ACCOUNTS_SHARED_SECRET_H

#include <stdbool.h>

struct shared_secret_request {
    const char *nonce, *username, *password;
    bool admin;
    const char *user_type; /* NULL: not given */
};

/* Whether mac (hexadecimal, any case) is the request's. Constant time in the digest. */
bool shared_secret_verify(const char *secret, const struct shared_secret_request *request, const char *mac);

#endif
