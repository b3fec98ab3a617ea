/* Asking a provider: its metadata and keys, an address to send the browser to, and who came back (OpenID Connect Core,
 * 3.1; RFC 6749, 4.1; RFC 7636). One for each provider of the table, for all threads.
 *
 * Metadata are kept an hour, keys too; a token of a key that is not among them has them asked for anew, but not for
 * that more often than once a minute, whatever comes. A provider is waited for by OIDC_CALLS_MAX callers at most, each
 * for some seconds, one that did not answer the last time by one, and all of them together by as many as their crowd
 * may be: the next is told at once to come back later. A code is shown once and never tried again. Nothing that the
 * provider said stands in a problem, nor do secrets, codes or tokens. */
#ifndef PARTA_OIDC_CLIENT_H
#define PARTA_OIDC_CLIENT_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/text.h"
#include "homeserver/oidc/id_token.h"
#include "homeserver/oidc/provider.h"

#define OIDC_CALLS_MAX 4 /* callers of one provider at a time; of one that hangs: one */
#define OIDC_TIMEOUT_MS 10000
#define OIDC_KEPT_MS INT64_C(3600000)
#define OIDC_KEYS_AGAIN_MS INT64_C(60000)

struct oidc_client;
struct outgoing;

/* 0: the usual. Tests want less. */
struct oidc_waits {
    int timeout_ms;        /* of one reply: OIDC_TIMEOUT_MS */
    int64_t keys_again_ms; /* OIDC_KEYS_AGAIN_MS; −1: each time */
};

/* Callers of several providers: the workers that wait for them, and do nothing for anybody else meanwhile. */
struct oidc_crowd {
    atomic_int callers;
    int max;
};

/* Provider, outgoing and crowd outlive it. waits may be NULL. Never NULL; asks nothing yet. */
struct oidc_client *oidc_client_create(const struct oidc_provider *provider, struct outgoing *outgoing,
                                       struct oidc_crowd *crowd, const struct oidc_waits *waits);
void oidc_client_destroy(struct oidc_client *client); /* NULL is accepted */

enum oidc_outcome {
    OIDC_GOOD,
    OIDC_AWAY,   /* it cannot be asked now, or by no more people: later */
    OIDC_REFUSED /* it says no, or what it says does not hold */
};

/* Where the browser is sent. Appends to out. Blocks. */
struct oidc_asking {
    const char *redirect_uri, *state, *nonce, *challenge; /* attempt.h */
    bool anew; /* whoever is signed in there already is to prove it once more (Core, 3.1.2.1: prompt, max_age) */
};
enum oidc_outcome oidc_client_address(struct oidc_client *client, const struct oidc_asking *asking, struct text *out,
                                      struct text *problem);

/* What came back with the browser, of an attempt that holds and was taken. */
struct oidc_answer {
    const char *code;
    const char *iss; /* NULL: it does not say (RFC 9207) */
    const char *redirect_uri, *nonce, *verifier;
    int64_t now_s;
    int64_t since_s;                           /* of an attempt that was to be anew: when it began; 0: of any other */
    const char *handed_on[OIDC_HANDED_ON_MAX]; /* what the answer says of the provider's handed_on; NULL: nothing */
};

/* Who that is: the provider's issuer and subject together, for good. claims: verified, for oidc_claim alone. */
struct oidc_person {
    char subject[ID_TOKEN_SUBJECT_BYTES_MAX + 1];
    json_t *claims;
    int64_t auth_time_s; /* when they signed in there; −1: it does not say */
};
void oidc_person_finish(struct oidc_person *person);

/* OIDC_GOOD: *out is the person; else it is empty, and problem says why. Blocks. */
enum oidc_outcome oidc_client_person(struct oidc_client *client, const struct oidc_answer *answer,
                                     struct oidc_person *out, struct text *problem);

#endif
