#include "homeserver/outgoing/rest_client.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"

#define BACKOFF_MS 500       /* before the second try; then twice as long each time */
#define TOKEN_SPARE_MS 30000 /* a token is not used in its last seconds */
#define TOKEN_BYTES_MAX 8192
#define HEADERS_MAX 8

/* --- One exchange --- */

/* Every answer will do but one that may pass. */
static enum outgoing_verdict judge(void *arg, const struct outgoing_reply *reply)
{
    enum outgoing_verdict verdict = outgoing_usual_verdict(reply);
    return verdict == OUTGOING_GIVE_UP && reply->fault == OUTGOING_ANSWERED ? OUTGOING_DONE : verdict;
}

/* One request, tried again where that may help. request has its address and content; what: for the problem. true: there
 * is a reply, client->reply. */
static bool exchange(struct rest_client *client, const char *what, struct outgoing_request request,
                     struct text *problem)
{
    struct outgoing_reply *reply = &client->reply;
    request.what = client->what;
    request.network = OUTGOING_ANY; /* the operator's service, which may stand next door */
    request.ca_file = client->ca_file;
    request.reply_max = client->reply_max;
    request.deadline_ms = INT64_MAX;
    request.attempts_max = client->tries;
    request.attempt_ms = (int)client->timeout_ms;
    request.backoff_ms = BACKOFF_MS;
    request.compressed = true;
    request.stop = client->stop;
    outgoing_reply_finish(reply);
    if (outgoing_call(client->outgoing, &request, judge, NULL, reply))
        return true;
    if (client->stop != NULL && *client->stop)
        return text_fail(problem, "Stopped.");
    if (reply->fault == OUTGOING_TOO_LARGE)
        return text_fail(problem, "%s's reply for %s is longer than %zu MiB.", client->who, what,
                         client->reply_max >> 20);
    if (reply->fault == OUTGOING_ANSWERED)
        return text_fail(problem, "%s answers %s with status %ld, %d times.", client->who, what, reply->status,
                         reply->attempts);
    return text_fail(problem, "%s can't be asked for %s: %s.", client->who, what,
                     reply->why != NULL ? reply->why : "too much waits already");
}

/* --- The token --- */

/* The error code of RFC 6749, 5.2, if it is one; it goes into a sentence. */
static const char *oauth_error(const json_t *reply)
{
    const char *error = json_get_string(reply, "error");
    bool word = error != NULL && strlen(error) <= 40 && strspn(error, "abcdefghijklmnopqrstuvwxyz_") == strlen(error);
    return word ? error : "no reason given";
}

static bool token_shaped(const char *token)
{
    if (token == NULL || *token == '\0' || strlen(token) > TOKEN_BYTES_MAX)
        return false;
    for (; *token != '\0'; ++token)
        if (*token <= ' ' || *token >= 127) /* RFC 6750: of visible characters */
            return false;
    return true;
}

char *rest_token(const char *who, const struct outgoing_reply *from, int64_t *lifetime_s, struct text *problem)
{
    struct error e = {0};
    char *token = NULL;
    json_t *reply = from->body.len != 0 ? json_parse(from->body.data, from->body.len, &e) : NULL;
    const char *given = json_get_string(reply, "access_token"), *type = json_get_string(reply, "token_type");
    int64_t lifetime = json_get_int(reply, "expires_in", 3600);
    *lifetime_s = lifetime < 0 ? 0 : lifetime < 86400 ? lifetime : 86400;
    if (from->status != 200)
        text_addf(problem, "%s refuses the client id and secret (status %ld, %s).", who, from->status,
                  oauth_error(reply));
    else if (!token_shaped(given) || type == NULL || strcasecmp(type, "bearer") != 0)
        text_addf(problem, "%s's token endpoint gives no bearer token.", who);
    else
        token = xstrdup(given);
    json_decref(reply);
    return token;
}

static void drop_token(struct rest_client *client)
{
    if (client->token != NULL)
        sodium_memzero(client->token, strlen(client->token));
    free(client->token);
    client->token = NULL;
}

/* Id and secret are encoded before they become a user and a password (RFC 6749, 2.3.1). */
static bool get_token(struct rest_client *client, struct text *problem)
{
    int64_t lifetime_s;
    struct text user = TEXT_INIT, password = TEXT_INIT;
    text_add_percent(&user, client->client_id);
    text_add_percent(&password, client->secret);
    bool told = exchange(client, "a token",
                         (struct outgoing_request){.url = client->token_url,
                                                   .user = user.data,
                                                   .password = password.data,
                                                   .body = client->form,
                                                   .body_len = strlen(client->form)},
                         problem);
    text_finish(&user);
    if (password.data != NULL)
        sodium_memzero(password.data, password.len);
    text_finish(&password);
    if (!told)
        return false;
    text_clear(problem);
    char *token = rest_token(client->who, &client->reply, &lifetime_s, problem);
    if (token == NULL)
        return false;
    drop_token(client);
    client->token = token;
    client->token_until_ms = clock_mono_ms() + lifetime_s * 1000 - TOKEN_SPARE_MS;
    return true;
}

void rest_client_finish(struct rest_client *client)
{
    drop_token(client);
    outgoing_reply_finish(&client->reply);
}

/* --- Asking --- */

bool rest_client_get(struct rest_client *client, const char *what, const char *url, const char *const *headers,
                     size_t n_headers, struct text *problem)
{
    const char *all[HEADERS_MAX] = {"Accept: application/json"};
    bool renewed = client->token_url == NULL;
    if (n_headers >= HEADERS_MAX)
        abort();
    for (size_t i = 0; i < n_headers; ++i)
        all[i + 1] = headers[i];
    for (;;) {
        bool stale = client->token == NULL || clock_mono_ms() >= client->token_until_ms;
        if (client->token_url != NULL && stale && !get_token(client, problem))
            return false;
        if (!exchange(client, what,
                      (struct outgoing_request){
                          .url = url, .bearer = client->token, .headers = all, .n_headers = n_headers + 1},
                      problem))
            return false;
        if (client->reply.status != 401 || renewed)
            return true;
        renewed = true;
        drop_token(client);
    }
}

int64_t rest_total(const struct outgoing_reply *reply, int64_t max)
{
    char value[64], *end;
    if (!outgoing_reply_header(reply, "X-Total-Count", value, sizeof value))
        return -1;
    int64_t total = strtoll(value, &end, 10);
    return end == value || *end != '\0' || total < 0 || total > max ? -2 : total;
}
