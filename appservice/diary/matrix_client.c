#include "appservice/diary/matrix_client.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/outgoing/outgoing.h"

#define SCHOOL_API "/_parta/v1/"
#define TRIES 3
#define ATTEMPT_MS 15000
#define REPLY_BYTES_MAX (4u << 20)

/* The one of words that it is; NULL: none. */
static const char *one_of(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; word != NULL && i < n; ++i)
        if (strcmp(word, words[i]) == 0)
            return words[i];
    return NULL;
}

/* Refused is the bot itself, whatever it asks for: it is not let in yet, or stopped; or the
 * server has no such path (another stands in its place). That ends when the office, or whoever runs the server, has
 * seen to it. As one word of ours; NULL: it is not. */
static const char *refuses_bot(const json_t *said)
{
    static const char *const CODES[] = {"account_pending",    "account_suspended",    "account_stopped",
                                        "outsider_acts",      "outside_every_school", "second_factor_missing",
                                        "may_not_make_rooms", "external_creates"};
    static const char *const ERRCODES[] = {"M_USER_SUSPENDED", "M_USER_DEACTIVATED", "M_USER_LOCKED", "M_UNRECOGNIZED"};
    const char *code = one_of(json_get_string(said, "org.parta.code"), CODES, sizeof CODES / sizeof *CODES);
    return code != NULL ? code : one_of(json_get_string(said, "errcode"), ERRCODES, sizeof ERRCODES / sizeof *ERRCODES);
}

static bool is_quiet(const json_t *said)
{
    const char *code = json_get_string(said, "org.parta.code");
    return code != NULL && strncmp(code, "quiet_hours", strlen("quiet_hours")) == 0;
}

/* What the server has said to a request that was not done. For good it refuses by a Matrix error alone, of an act on a
 * room or a person: what has none comes from a proxy, and what the bot may not do at all it may once it is let in. */
static enum matrix_answer judge(const struct matrix_client *client, const char *path,
                                const struct outgoing_reply *reply, const json_t *said)
{
    static const char *const OWN[] = {"/account/whoami", "/createRoom", "/joined_rooms"};
    bool school = strncmp(path, SCHOOL_API, strlen(SCHOOL_API)) == 0;
    bool answered = reply->fault == OUTGOING_ANSWERED && reply->status >= 400 && reply->status < 500;
    if (!answered || reply->status == 429)
        return MATRIX_UNKNOWN;
    const char *bot = refuses_bot(said);
    if (bot != NULL)
        log_warn("diary", "the homeserver refuses the bot itself (%s): what it was to do waits", bot);
    if (bot != NULL && client->refused != NULL)
        client->refused(client->self);
    bool not_now = bot != NULL || is_quiet(said) || reply->status == 401 || json_get_string(said, "errcode") == NULL ||
                   one_of(path, OWN, sizeof OWN / sizeof *OWN) != NULL || (school && reply->status == 403);
    return not_now ? MATRIX_NOT_NOW : MATRIX_REFUSED;
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

/* What became of it; *reply as in matrix_call. A page of somebody in between, which says 200, is no answer. */
static enum matrix_answer take(const struct matrix_client *client, const char *path, struct outgoing_reply *got,
                               json_t **reply)
{
    struct error e;
    bool done = got->fault == OUTGOING_ANSWERED && got->status >= 200 && got->status < 300;
    json_t *said = got->body.len != 0 ? json_parse(got->body.data, got->body.len, &e) : NULL;
    enum matrix_answer answer = !done ? judge(client, path, got, said) : said != NULL ? MATRIX_DONE : MATRIX_UNKNOWN;
    sodium_memzero(got->body.data, got->body.data != NULL ? got->body.len : 0);
    outgoing_reply_finish(got);
    if (reply != NULL)
        *reply = said;
    else
        json_decref(said);
    return answer;
}

enum how { USUAL, LOOK, ONCE };

/* Asks once, for a moment: what others wait for is held meanwhile. */
static bool answers_at_once(const struct matrix_client *client, const struct call *c, enum how how,
                            struct outgoing_reply *got)
{
    struct outgoing_request brief = c->request;
    brief.attempts_max = 1;
    brief.attempt_ms = MATRIX_BRIEF_MS;
    outgoing_call(client->outgoing, &brief, how == LOOK ? judge_look : NULL, NULL, got);
    if (got->fault == OUTGOING_ANSWERED && got->status < 500 && got->status != 429)
        return true;
    outgoing_reply_finish(got);
    *got = (struct outgoing_reply){0};
    return false;
}

static enum matrix_answer call(const struct matrix_client *client, const char *method, const char *path,
                               json_t *content, json_t **reply, enum how how)
{
    struct call c;
    struct outgoing_reply got = {0};
    bool again = strcmp(method, "GET") == 0 || strncmp(path, "/join/", strlen("/join/")) == 0; /* twice is as once */
    bool brief = again && client->let_go != NULL && client->let_go(client->self, false);
    call_init(&c, client, method, path, content);
    if (!brief || !answers_at_once(client, &c, how, &got)) {
        if (client->let_go != NULL)
            client->let_go(client->self, true);
        if (how == ONCE)
            c.request.attempts_max = 1;
        outgoing_call(client->outgoing, &c.request, how == LOOK ? judge_look : NULL, NULL, &got);
    }
    call_finish(&c);
    json_decref(content);
    return take(client, path, &got, reply);
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
        puts[i]->answer = take(client, puts[i]->path, &got[i], &puts[i]->reply);
    free(got);
}

enum matrix_answer matrix_call(const struct matrix_client *client, const char *method, const char *path,
                               json_t *content, json_t **reply)
{
    return call(client, method, path, content, reply, USUAL);
}

enum matrix_answer matrix_call_once(const struct matrix_client *client, const char *method, const char *path,
                                    json_t *content, json_t **reply)
{
    return call(client, method, path, content, reply, ONCE);
}

enum matrix_answer matrix_look(const struct matrix_client *client, const char *path, json_t **reply)
{
    return call(client, "GET", path, NULL, reply, LOOK);
}
