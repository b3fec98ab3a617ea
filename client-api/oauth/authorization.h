/* What a client asks a person for at the authorization endpoint, and how it is answered (Client-Server API,
 * "Authorisation code flow"; RFC 6749, 4.1.1 and 4.1.2; RFC 7636, 4.3; RFC 9207). The page that asks the person reads
 * the request, shows who asks for what and where they will be sent, reads it again from its form, and sends them on.
 *
 * A request whose client or redirect URI is not known is answered on the page: nobody is sent to an address that nobody
 * has registered. Whatever else is wrong with it the client is told, by the redirect. */
#ifndef PARTA_CLIENT_API_OAUTH_AUTHORIZATION_H
#define PARTA_CLIENT_API_OAUTH_AUTHORIZATION_H

#include <stdbool.h>

#include "homeserver/accounts/oauth.h"
#include "homeserver/base/text.h"

struct request;

/* The parameters that stand in the request and, hidden, in the page's form. */
#define AUTHORIZATION_PARAMETERS(X)                                                                                    \
    X(client_id)                                                                                                       \
    X(redirect_uri)                                                                                                    \
    X(response_type)                                                                                                   \
    X(response_mode)                                                                                                   \
    X(scope)                                                                                                           \
    X(state)                                                                                                           \
    X(code_challenge)                                                                                                  \
    X(code_challenge_method)                                                                                           \
    X(prompt)

#define X(name) const char *name;
struct authorization_parameters {
    AUTHORIZATION_PARAMETERS(X) /* borrowed from the request; NULL: not there */
};
#undef X

struct authorization {
    struct authorization_parameters asked;
    struct oauth_client client;
    bool redirectable; /* the client and its redirect URI are good */
    bool fragment;     /* response_mode */
    enum oauth_error refused;
    const char *description; /* static storage; NULL: the error's own */
    char device_id[DEVICE_ID_BYTES_MAX + 1];
    struct text scope; /* what is given */
};

/* Of the query (GET) or the form in r->body (POST). Always filled in: refused says whether it is good. Blocks (a read).
 * authorization_finish. */
void authorization_read(struct request *r, struct authorization *out);
void authorization_finish(struct authorization *authorization);

/* The address to send the person to, with a code or with the error. Only where it is redirectable. */
void authorization_add_answer(struct text *out, const struct request *r, const struct authorization *authorization,
                              const char *code);

/* The person allows it: the code's answer in *out. false: r->error: their account may not sign in. Blocks. */
bool authorization_allow(struct request *r, const struct authorization *authorization, struct text *out);

#endif
