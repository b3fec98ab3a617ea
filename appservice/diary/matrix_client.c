#include "appservice/diary/matrix_client.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/outgoing/outgoing.h"

#define SCHOOL_API "/_parta/v1/"
#define TRIES 3
#define ATTEMPT_MS 15000
#define REPLY_BYTES_MAX (4u << 20)

/* What the server has said to a request that was not done. */
static enum matrix_answer judge(const struct outgoing_reply *reply, const json_t *said)
{
    const char *code = json_get_string(said, "org.parta.code");
    bool answered = reply->fault == OUTGOING_ANSWERED && reply->status >= 400 && reply->status < 500;
    if (!answered || reply->status == 429)
        return MATRIX_UNKNOWN;
    if (reply->status == 401 || (code != NULL && strncmp(code, "quiet_hours", strlen("quiet_hours")) == 0))
        return MATRIX_NOT_NOW;
    return MATRIX_REFUSED;
}

/* What is not there is an answer like another. */
static enum outgoing_verdict judge_look(void *arg, const struct outgoing_reply *reply)
{
    (void)arg;
    bool none = reply->fault == OUTGOING_ANSWERED && reply->status == 404;
    return none ? OUTGOING_DONE : outgoing_usual_verdict(reply);
}

/* The request with its address and body, until it is finished. */
struct call {
    struct text url, body;
    struct outgoing_request request;
};

static void call_init(struct call *c, const struct matrix_client *client, const char *method, const char *path,
                      const json_t *content)
{
    static const char *const HEADERS[] = {"Content-Type: application/json"};
    bool school = strncmp(path, SCHOOL_API, strlen(SCHOOL_API)) == 0;
    *c = (struct call){TEXT_INIT, TEXT_INIT, {0}};
    text_addf(&c->url, "%s%s%s", client->url, school ? "" : "/_matrix/client/v3", path);
    if (content != NULL)
        json_add_canonical(&c->body, content);
    c->request = (struct outgoing_request){.what = school ? "school-api" : "matrix",
                                           .url = c->url.data,
                                           .network = OUTGOING_ANY,
                                           .ca_file = client->ca_file,
                                           .bearer = school ? client->school_token : client->as_token,
                                           .method = method,
                                           .headers = HEADERS,
                                           .n_headers = content != NULL,
                                           .body = c->body.data,
                                           .body_len = c->body.len,
                                           .reply_max = REPLY_BYTES_MAX,
                                           .deadline_ms = INT64_MAX,
                                           .attempts_max = TRIES,
                                           .attempt_ms = ATTEMPT_MS};
}

static void call_finish(struct call *c)
{
    sodium_memzero(c->body.data, c->body.data != NULL ? c->body.len : 0);
    text_finish(&c->body);
    text_finish(&c->url);
}

/* What became of it; *reply as in matrix_call. */
static enum matrix_answer take(struct outgoing_reply *got, json_t **reply)
{
    struct error e;
    bool done = got->fault == OUTGOING_ANSWERED && got->status >= 200 && got->status < 300;
    json_t *said = got->body.len != 0 ? json_parse(got->body.data, got->body.len, &e) : NULL;
    enum matrix_answer answer = done ? MATRIX_DONE : judge(got, said);
    sodium_memzero(got->body.data, got->body.data != NULL ? got->body.len : 0);
    outgoing_reply_finish(got);
    if (reply != NULL)
        *reply = said;
    else
        json_decref(said);
    return answer;
}

static enum matrix_answer call(const struct matrix_client *client, const char *method, const char *path,
                               json_t *content, json_t **reply, bool look)
{
    struct call c;
    struct outgoing_reply got = {0};
    call_init(&c, client, method, path, content);
    outgoing_call(client->outgoing, &c.request, look ? judge_look : NULL, NULL, &got);
    call_finish(&c);
    json_decref(content);
    return take(&got, reply);
}

void matrix_put_all(const struct matrix_client *client, struct matrix_put *const *puts, size_t n)
{
    struct outgoing_reply *got = xcalloc(n + 1, sizeof *got);
    struct outgoing_calls *calls = outgoing_calls_create(client->outgoing);
    for (size_t i = 0; i < n; ++i) {
        struct call c;
        call_init(&c, client, "PUT", puts[i]->path, puts[i]->content);
        outgoing_calls_add(calls, &c.request, NULL, NULL, &got[i]);
        call_finish(&c);
    }
    outgoing_calls_wait(calls);
    for (size_t i = 0; i < n; ++i)
        puts[i]->answer = take(&got[i], &puts[i]->reply);
    free(got);
}

enum matrix_answer matrix_call(const struct matrix_client *client, const char *method, const char *path,
                               json_t *content, json_t **reply)
{
    return call(client, method, path, content, reply, false);
}

enum matrix_answer matrix_look(const struct matrix_client *client, const char *path, json_t **reply)
{
    return call(client, "GET", path, NULL, reply, true);
}
