#include "homeserver/oidc/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"
#include "homeserver/base/secret.h"
#include "homeserver/oidc/provider.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/outgoing/rest_client.h"

#define REPLY_BYTES_MAX 65536
#define ANY_AGE "31536000" /* s: a year */

struct oidc_client {
    const struct oidc_provider *provider;
    struct outgoing *outgoing;
    struct oidc_crowd *crowd;
    int timeout_ms;
    int64_t keys_again_ms;
    atomic_int callers;
    atomic_bool hangs;   /* it gave no answer the last time */
    atomic_int failures; /* of asking under the lock: who waited for one has waited enough */

    pthread_mutex_t lock; /* of the rest; held while it is asked for, so that one asks for all who wait */
    struct oidc_endpoints endpoints;
    int64_t endpoints_until_ms, keys_until_ms; /* clock_mono_ms; 0: there are none */
    int64_t keys_again_at_ms;                  /* not before then are they asked for on account of a token */
    struct jwk_set *keys;
};

struct oidc_client *oidc_client_create(const struct oidc_provider *provider, struct outgoing *outgoing,
                                       struct oidc_crowd *crowd, const struct oidc_waits *waits)
{
    struct oidc_client *client = xcalloc(1, sizeof *client);
    client->provider = provider;
    client->outgoing = outgoing;
    client->crowd = crowd;
    client->timeout_ms = waits != NULL && waits->timeout_ms != 0 ? waits->timeout_ms : OIDC_TIMEOUT_MS;
    client->keys_again_ms = waits != NULL && waits->keys_again_ms != 0 ? waits->keys_again_ms : OIDC_KEYS_AGAIN_MS;
    pthread_mutex_init(&client->lock, NULL);
    return client;
}

void oidc_client_destroy(struct oidc_client *client)
{
    if (client == NULL)
        return;
    pthread_mutex_destroy(&client->lock);
    oidc_endpoints_finish(&client->endpoints);
    jwk_set_free(client->keys);
    free(client);
}

void oidc_person_finish(struct oidc_person *person)
{
    json_decref(person->claims);
    *person = (struct oidc_person){0};
}

static enum oidc_outcome fail(struct text *problem, enum oidc_outcome outcome, const char *what, const char *why)
{
    text_fail(problem, "%s: %s", what, why);
    return outcome;
}

/* --- One request --- */

static enum outgoing_verdict any_answer(void *arg, const struct outgoing_reply *reply)
{
    return reply->fault == OUTGOING_ANSWERED ? OUTGOING_DONE : OUTGOING_GIVE_UP;
}

/* what: for problems. OIDC_GOOD: it answered 200, *reply; the caller finishes it whatever comes. */
static enum oidc_outcome ask(struct oidc_client *client, const char *what, struct outgoing_request request,
                             struct outgoing_reply *reply, struct text *problem)
{
    static const char *const ACCEPT[] = {"Accept: application/json"};
    request.what = "sign-in provider";
    request.network = client->provider->private_network ? OUTGOING_ANY : OUTGOING_PUBLIC;
    request.ca_file = client->provider->ca_file;
    request.reply_max = REPLY_BYTES_MAX;
    request.deadline_ms = INT64_MAX;
    request.attempts_max = 1;
    request.attempt_ms = client->timeout_ms;
    request.headers = ACCEPT;
    request.n_headers = 1;
    *reply = (struct outgoing_reply){0};
    bool answered = outgoing_call(client->outgoing, &request, any_answer, NULL, reply);
    client->hangs = !answered;
    if (!answered)
        return fail(problem, OIDC_AWAY, what, reply->why != NULL ? reply->why : "too much waits already");
    if (reply->status == 200)
        return OIDC_GOOD;
    text_fail(problem, "%s: status %ld", what, reply->status);
    return reply->status >= 500 || reply->status == 429 ? OIDC_AWAY : OIDC_REFUSED;
}

/* --- What is kept of a provider --- */

/* Under the lock, as all here. */
static enum oidc_outcome refresh_endpoints(struct oidc_client *client, struct text *problem)
{
    struct outgoing_reply reply;
    struct oidc_endpoints found;
    struct text url = TEXT_INIT;
    if (client->endpoints_until_ms > clock_mono_ms())
        return OIDC_GOOD;
    if (!client->provider->discovery) {
        bool own = oidc_endpoints_own(client->provider, &client->endpoints, problem);
        client->endpoints_until_ms = own ? INT64_MAX : 0;
        return own ? OIDC_GOOD : OIDC_AWAY;
    }
    oidc_metadata_url(client->provider, &url);
    enum oidc_outcome outcome =
        ask(client, "its metadata", (struct outgoing_request){.url = url.data}, &reply, problem);
    if (outcome == OIDC_GOOD && !oidc_metadata_read(client->provider, reply.body.data, reply.body.len, &found, problem))
        outcome = OIDC_AWAY;
    else if (outcome == OIDC_GOOD) {
        oidc_endpoints_finish(&client->endpoints);
        client->endpoints = found;
        client->endpoints_until_ms = clock_mono_ms() + OIDC_KEPT_MS;
    }
    outgoing_reply_finish(&reply);
    text_finish(&url);
    return outcome == OIDC_GOOD ? OIDC_GOOD : OIDC_AWAY; /* whoever signs in did nothing wrong */
}

/* A copy of where it is asked: others may find it anew meanwhile. */
static enum oidc_outcome endpoints_now(struct oidc_client *client, struct oidc_endpoints *out, struct text *problem)
{
    int failures = client->failures;
    *out = (struct oidc_endpoints){0};
    pthread_mutex_lock(&client->lock);
    enum oidc_outcome outcome = failures == client->failures
                                    ? refresh_endpoints(client, problem)
                                    : fail(problem, OIDC_AWAY, "its metadata", "asked for just now, in vain");
    client->failures += outcome != OIDC_GOOD;
    for (int i = 0; outcome == OIDC_GOOD && i < OIDC_ENDPOINT__COUNT; ++i)
        out->url[i] = client->endpoints.url[i] != NULL ? xstrdup(client->endpoints.url[i]) : NULL;
    out->names_itself = client->endpoints.names_itself;
    pthread_mutex_unlock(&client->lock);
    return outcome;
}

static enum oidc_outcome refresh_keys(struct oidc_client *client, const char *url, struct text *problem)
{
    struct outgoing_reply reply;
    struct jwk_set *keys = NULL;
    enum oidc_outcome outcome = ask(client, "its keys", (struct outgoing_request){.url = url}, &reply, problem);
    if (outcome == OIDC_GOOD)
        keys = jwk_set_parse(reply.body.data, reply.body.len, problem);
    outgoing_reply_finish(&reply);
    if (keys == NULL)
        return OIDC_AWAY;
    jwk_set_free(client->keys);
    client->keys = keys;
    client->keys_until_ms = clock_mono_ms() + OIDC_KEPT_MS;
    return OIDC_GOOD;
}

static enum oidc_outcome read_id_token(struct oidc_client *client, const char *keys_url,
                                       const struct id_token_wanted *wanted, const char *token, json_t **claims,
                                       struct text *problem)
{
    enum id_token_fault fault = ID_TOKEN_UNKNOWN_KEY;
    enum oidc_outcome outcome = OIDC_GOOD;
    int failures = client->failures;
    pthread_mutex_lock(&client->lock);
    if (failures != client->failures)
        outcome = fail(problem, OIDC_AWAY, "its keys", "asked for just now, in vain");
    else if (client->keys_until_ms <= clock_mono_ms())
        outcome = refresh_keys(client, keys_url, problem);
    if (outcome == OIDC_GOOD)
        fault = id_token_read(client->keys, wanted, token, strlen(token), claims);
    if (outcome == OIDC_GOOD && fault == ID_TOKEN_UNKNOWN_KEY && clock_mono_ms() >= client->keys_again_at_ms) {
        client->keys_again_at_ms = clock_mono_ms() + client->keys_again_ms;
        outcome = refresh_keys(client, keys_url, problem);
        if (outcome == OIDC_GOOD)
            fault = id_token_read(client->keys, wanted, token, strlen(token), claims);
    }
    client->failures += outcome != OIDC_GOOD;
    pthread_mutex_unlock(&client->lock);
    if (outcome == OIDC_GOOD && fault != ID_TOKEN_GOOD)
        return fail(problem, OIDC_REFUSED, "its ID token", ID_TOKEN_FAULTS[fault]);
    return outcome;
}

/* --- Sending the browser there --- */

static bool take_place(atomic_int *taken, int max)
{
    if (atomic_fetch_add(taken, 1) < max)
        return true;
    atomic_fetch_sub(taken, 1);
    return false;
}

static bool enter(struct oidc_client *client, struct text *problem)
{
    if (!take_place(&client->callers, client->hangs ? 1 : OIDC_CALLS_MAX))
        return text_fail(problem, "as many as may wait for it do");
    if (take_place(&client->crowd->callers, client->hangs ? (client->crowd->max + 1) / 2 : client->crowd->max))
        return true;
    atomic_fetch_sub(&client->callers, 1);
    return text_fail(problem, "as many as may wait for any provider do");
}

static void leave(struct oidc_client *client)
{
    atomic_fetch_sub(&client->crowd->callers, 1);
    atomic_fetch_sub(&client->callers, 1);
}

enum oidc_outcome oidc_client_address(struct oidc_client *client, const struct oidc_asking *asking, struct text *out,
                                      struct text *problem)
{
    struct oidc_endpoints endpoints;
    if (!enter(client, problem))
        return OIDC_AWAY;
    enum oidc_outcome outcome = endpoints_now(client, &endpoints, problem);
    if (outcome == OIDC_GOOD) {
        const char *url = endpoints.url[OIDC_AUTHORIZATION];
        text_addf(out, "%s%sresponse_type=code", url, strchr(url, '?') != NULL ? "&" : "?");
        text_add_pair(out, '&', "client_id", client->provider->client_id);
        text_add_pair(out, '&', "redirect_uri", asking->redirect_uri);
        text_add_pair(out, '&', "scope", client->provider->scope);
        text_add_pair(out, '&', "state", asking->state);
        text_add_pair(out, '&', "code_challenge", asking->challenge);
        text_add_pair(out, '&', "code_challenge_method", "S256");
        if (client->provider->identity == OIDC_ID_TOKEN)
            text_add_pair(out, '&', "nonce", asking->nonce);
        if (asking->anew)
            text_add_pair(out, '&', "prompt", "login");
        if (client->provider->auth_time) /* any has the ID token say when they signed in (Core, 2: auth_time) */
            text_add_pair(out, '&', "max_age", asking->anew ? "0" : ANY_AGE);
    }
    oidc_endpoints_finish(&endpoints);
    leave(client);
    return outcome;
}

/* --- Who came back --- */

/* The code for tokens (RFC 6749, 4.1.3); id and secret are encoded before they become a user and a password (2.3.1). */
static enum oidc_outcome change_code(struct oidc_client *client, const char *url, const struct oidc_answer *answer,
                                     struct outgoing_reply *reply, struct text *problem)
{
    const struct oidc_provider *provider = client->provider;
    struct text form = TEXT_INIT, user = TEXT_INIT, password = TEXT_INIT;
    char *secret = secret_read("client_secret_file", provider->secret_file, problem);
    enum oidc_outcome outcome = OIDC_AWAY;
    *reply = (struct outgoing_reply){0};
    if (secret != NULL || provider->auth == OIDC_AUTH_NONE) {
        struct outgoing_request request = {.url = url};
        text_adds(&form, "grant_type=authorization_code");
        text_add_pair(&form, '&', "code", answer->code);
        text_add_pair(&form, '&', "redirect_uri", answer->redirect_uri);
        text_add_pair(&form, '&', "code_verifier", answer->verifier);
        if (provider->auth == OIDC_AUTH_BASIC) {
            text_add_percent(&user, provider->client_id);
            text_add_percent(&password, secret);
            request.user = user.data;
            request.password = password.data;
        } else {
            text_add_pair(&form, '&', "client_id", provider->client_id);
        }
        if (provider->auth == OIDC_AUTH_POST)
            text_add_pair(&form, '&', "client_secret", secret);
        for (int i = 0; i < OIDC_HANDED_ON_MAX && provider->handed_on[i] != NULL; ++i)
            if (answer->handed_on[i] != NULL)
                text_add_pair(&form, '&', provider->handed_on[i], answer->handed_on[i]);
        request.body = form.data;
        request.body_len = form.len;
        outcome = ask(client, "its token endpoint", request, reply, problem);
    }
    secret_free(secret);
    secret_free(form.data); /* wiped, all three */
    secret_free(user.data);
    secret_free(password.data);
    return outcome;
}

/* What its userinfo endpoint tells, with the access token of the reply (Core, 5.3). */
static enum oidc_outcome ask_userinfo(struct oidc_client *client, const char *url, const struct outgoing_reply *tokens,
                                      json_t **out, struct text *problem)
{
    struct outgoing_reply reply;
    struct error e = {0};
    int64_t lifetime_s;
    struct text why = TEXT_INIT;
    char *token = rest_token("It", tokens, &lifetime_s, &why);
    text_finish(&why);
    if (token == NULL)
        return fail(problem, OIDC_REFUSED, "its token endpoint", "no access token");
    struct text form = TEXT_INIT;
    struct outgoing_request request = {.url = url};
    if (client->provider->userinfo_by_form) {
        text_adds(&form, "access_token=");
        text_add_percent(&form, token);
        text_add_pair(&form, '&', "client_id", client->provider->client_id);
        request.body = form.data;
        request.body_len = form.len;
    } else {
        request.bearer = token;
    }
    enum oidc_outcome outcome = ask(client, "its userinfo", request, &reply, problem);
    secret_free(token);
    secret_free(form.data);
    *out = outcome == OIDC_GOOD ? json_parse(reply.body.data, reply.body.len, &e) : NULL;
    outgoing_reply_finish(&reply);
    if (outcome != OIDC_GOOD || json_is_object(*out))
        return outcome;
    json_decref(*out);
    *out = NULL;
    return fail(problem, OIDC_REFUSED, "its userinfo", "no JSON object");
}

/* Claims that the ID token has not may stand in userinfo; it must be of the same person (Core, 5.3.2). */
static enum oidc_outcome add_userinfo(struct oidc_client *client, const char *url, const struct outgoing_reply *tokens,
                                      json_t *claims, struct text *problem)
{
    json_t *more = NULL;
    if (client->provider->n_schools == 0 || url == NULL)
        return OIDC_GOOD;
    enum oidc_outcome outcome = ask_userinfo(client, url, tokens, &more, problem);
    const char *sub = json_get_string(more, "sub");
    if (outcome == OIDC_GOOD && (sub == NULL || strcmp(sub, json_get_string(claims, "sub")) != 0))
        outcome = fail(problem, OIDC_REFUSED, "its userinfo", "of another subject");
    if (outcome == OIDC_GOOD)
        json_object_update_missing(claims, more);
    json_decref(more);
    return outcome;
}

static enum oidc_outcome identify(struct oidc_client *client, const struct oidc_endpoints *endpoints,
                                  const struct oidc_answer *answer, const struct outgoing_reply *tokens,
                                  json_t **claims, struct text *problem)
{
    const struct oidc_provider *provider = client->provider;
    const char *userinfo = endpoints->url[OIDC_USERINFO_ENDPOINT];
    const struct id_token_wanted wanted = {provider->issuer, provider->client_id,
                                           answer->nonce,    provider->algorithms,
                                           answer->now_s,    provider->auth_time ? answer->since_s : 0};
    struct error e = {0};
    if (provider->identity == OIDC_USERINFO)
        return ask_userinfo(client, userinfo, tokens, claims, problem);
    json_t *reply = json_parse(tokens->body.data, tokens->body.len, &e);
    const char *token = json_get_string(reply, "id_token");
    enum oidc_outcome outcome = token != NULL
                                    ? read_id_token(client, endpoints->url[OIDC_KEYS], &wanted, token, claims, problem)
                                    : fail(problem, OIDC_REFUSED, "its token endpoint", "no ID token");
    json_decref(reply);
    return outcome == OIDC_GOOD ? add_userinfo(client, userinfo, tokens, *claims, problem) : outcome;
}

static enum oidc_outcome find_person(struct oidc_client *client, const struct oidc_answer *answer,
                                     struct oidc_person *out, struct text *problem)
{
    struct outgoing_reply tokens = {0};
    struct oidc_endpoints endpoints;
    enum oidc_outcome outcome = endpoints_now(client, &endpoints, problem);
    if (outcome == OIDC_GOOD &&
        (answer->iss != NULL ? strcmp(answer->iss, client->provider->issuer) != 0 : endpoints.names_itself))
        outcome = fail(problem, OIDC_REFUSED, "the answer", "of another issuer");
    if (outcome == OIDC_GOOD)
        outcome = change_code(client, endpoints.url[OIDC_TOKEN], answer, &tokens, problem);
    if (outcome == OIDC_GOOD)
        outcome = identify(client, &endpoints, answer, &tokens, &out->claims, problem);
    if (outcome == OIDC_GOOD && !oidc_claim(out->claims, client->provider->subject, out->subject, sizeof out->subject))
        outcome = fail(problem, OIDC_REFUSED, "what it tells", "no subject");
    out->auth_time_s = client->provider->auth_time ? id_token_auth_time(out->claims, answer->now_s) : -1;
    outgoing_reply_finish(&tokens);
    oidc_endpoints_finish(&endpoints);
    return outcome;
}

enum oidc_outcome oidc_client_person(struct oidc_client *client, const struct oidc_answer *answer,
                                     struct oidc_person *out, struct text *problem)
{
    *out = (struct oidc_person){0};
    if (!enter(client, problem))
        return OIDC_AWAY;
    enum oidc_outcome outcome = find_person(client, answer, out, problem);
    leave(client);
    if (outcome != OIDC_GOOD)
        oidc_person_finish(out);
    return outcome;
}
