/* Providers that people sign in at: an OpenID Connect provider, or one that is like it. What they differ in is a table,
 * a YAML file each, and nothing else: code, PKCE, state and nonce are the same for all.
 *
 * Who somebody is there comes of an ID token (id_token.h), or, where a provider has none that can be verified, of its
 * userinfo endpoint, asked over TLS with the access token that the code was changed for. Addresses are https; whatever
 * a provider's own metadata say, too, and outgoing requests keep to public addresses (outgoing/outgoing.h).
 * private_network is the operator's word that this provider stands in a network of theirs: then http is good on the
 * machine itself.
 *
 * The roster names people by sourcedId, a school's own: a claim of the provider names a record of those schools alone
 * that the table says it for (C1a, A1). */
#ifndef PARTA_OIDC_PROVIDER_H
#define PARTA_OIDC_PROVIDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/text.h"

#define OIDC_ID_BYTES_MAX 64
#define OIDC_URL_BYTES_MAX 1000
#define OIDC_SCHOOLS_MAX 64
#define OIDC_METADATA_BYTES_MAX 65536
#define OIDC_HANDED_ON_MAX 4

enum oidc_identity { OIDC_ID_TOKEN, OIDC_USERINFO };

/* How the token endpoint is shown who asks (OpenID Connect Core, 9). */
enum oidc_client_auth { OIDC_AUTH_BASIC, OIDC_AUTH_POST, OIDC_AUTH_NONE };

enum oidc_endpoint {
    OIDC_AUTHORIZATION,
    OIDC_TOKEN,
    OIDC_KEYS,
    OIDC_USERINFO_ENDPOINT, /* NULL: it has none */
    OIDC_ENDPOINT__COUNT
};

struct oidc_endpoints {
    char *url[OIDC_ENDPOINT__COUNT]; /* heap */
    bool names_itself;               /* the answer of its authorization endpoint says iss (RFC 9207) */
};
void oidc_endpoints_finish(struct oidc_endpoints *endpoints); /* frees the addresses and empties it */

struct oidc_school {
    char *sourced_id; /* of the school */
    char *claim;      /* which holds the person's there: a path (base/json_path.h) */
};

struct oidc_provider {
    char *id;                  /* in addresses of this server: [a-z0-9_-] */
    char *name_ru, *name_en;   /* on its button */
    char *issuer;              /* compared byte by byte */
    char *client_id;           /* ours */
    char *secret_file;         /* its first line is our secret; NULL: we have none */
    char *ca_file;             /* PEM; NULL: the system's */
    char *subject;             /* OIDC_USERINFO: the path of who it is */
    char *scope;               /* names with a space between them */
    struct oidc_endpoints own; /* as the table has them; what it has not, discovery finds */
    char *handed_on
        [OIDC_HANDED_ON_MAX]; /* parameters of the answer that the token endpoint is told, too; NULL: no more */
    struct oidc_school *schools;
    size_t n_schools;
    enum oidc_identity identity;
    enum oidc_client_auth auth;
    unsigned algorithms; /* jose.h */
    bool discovery;      /* its metadata are asked for (OpenID Connect Discovery 1.0, 4) */
    bool private_network;
    bool auth_time; /* its ID tokens say when somebody signed in there, once that is asked; false: when it is asked for
                     * a sign-in anew, its word is taken */
    bool userinfo_by_form; /* its userinfo endpoint is shown the access token in a form, with client_id */
};

/* file: what problems call it. NULL: *problem has "file:line: what is wrong". */
struct oidc_provider *oidc_provider_parse(const char *file, const char *bytes, size_t len, struct text *problem);
void oidc_provider_free(struct oidc_provider *provider); /* NULL is accepted */

/* Whether two of them cannot be there together: one id, or one issuer. true: *problem says why. */
bool oidc_provider_clash(const struct oidc_provider *a, const struct oidc_provider *b, struct text *problem);

/* Where its metadata lie (Discovery, 4.1). */
void oidc_metadata_url(const struct oidc_provider *provider, struct text *out);

/* What a provider's metadata say, and the table's own before it: everything that its identity needs is there. false:
 * they are of another issuer, or something is missing or no good address; *problem says what, and repeats nothing. */
bool oidc_metadata_read(const struct oidc_provider *provider, const char *bytes, size_t len,
                        struct oidc_endpoints *endpoints, struct text *problem);

/* The same where nothing is asked for. */
bool oidc_endpoints_own(const struct oidc_provider *provider, struct oidc_endpoints *endpoints, struct text *problem);

/* The text at a path of what a provider told, into out: a string of one line, or an integer. false: there is none, or
 * it is longer. Nothing that was not verified may stand in claims. */
bool oidc_claim(const json_t *claims, const char *path, char *out, size_t size);

#endif
