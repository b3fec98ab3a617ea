/* Interactive authentication: each line is the body of one request of the same operation; "@" in a line stands for the
 * session that the last answer named. Nothing may crash or leak; nobody passes without having proven something, and
 * only once a session. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-api/login_common.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/http/uia.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define REQUESTS_MAX 8

static bool check_secret(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    char out[IDENTIFIER_BYTES];
    const char *secret = json_get_string(auth, "secret"), *user = identifier_user(r, auth, out);
    if (secret == NULL || strcmp(secret, "right") != 0)
        return refuse(r, ERROR_FORBIDDEN, "Wrong secret.");
    r->error = (struct error){0};
    snprintf(attempt->value, sizeof attempt->value, "%.*s", UIA_VALUE_MAX - 1, user != NULL ? user : "");
    return true;
}

static json_t *secret_params(struct request *r)
{
    return json_pack("{s:s}", "hint", "five letters");
}

static const struct uia_stage SECRET = {"test.secret", check_secret, secret_params};
static const struct uia_stage *const BOTH[] = {&SECRET, &UIA_DUMMY};
static const struct uia_stage *const ALONE[] = {&SECRET};
static const struct uia_flow FLOWS[] = {{BOTH, 2}, {ALONE, 1}};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static char *with_session(const char *line, const char *session)
{
    struct text out = TEXT_INIT;
    text_adds(&out, "");
    for (; *line != '\0'; ++line)
        if (*line == '@')
            text_adds(&out, session);
        else
            text_addc(&out, *line);
    return text_take(&out);
}

static void read_session(const struct reply *reply, char session[64])
{
    struct error e = {0};
    json_t *answer = json_parse(reply->body.data, reply->body.len, &e);
    const char *named = json_get_string(answer, "session");
    must(reply->status == 401 && named != NULL && json_get_array(answer, "flows") != NULL &&
         json_get_array(answer, "completed") != NULL);
    snprintf(session, 64, "%s", named);
    json_decref(answer);
}

static void ask(struct server *server, const char *line, char session[64])
{
    struct error e = {0};
    struct uia_result result = {0};
    char *text = with_session(line, session);
    size_t before = uia_count(server->uia);
    struct request r = {
        .server = server, .method = HTTP_POST, .path = "/op", .body = json_parse(text, strlen(text), &e)};
    if (json_is_object(r.body)) {
        bool asks = json_get_object(r.body, "auth") != NULL;
        bool passed = uia_pass(&r, FLOWS, *line == ' ' ? 1 : 2, NULL, &result);
        must(!passed || (asks && result.n > 0 && r.proven && uia_count(server->uia) + 1 >= before));
        must(!passed || (uia_value(&result, "test.secret") != NULL && json_object_get(r.body, "auth") == NULL));
        if (!passed && r.reply.complete)
            read_session(&r.reply, session);
        else
            must(passed || r.error.code != ERROR_NONE);
    }
    json_decref(r.body);
    reply_reset(&r.reply);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct config config;
    static struct server server = {.config = &config};
    char session[64] = "", *lines = xstrndup((const char *)bytes, len), *next = lines;
    must(crypto_start());
    server.uia = uia_create(3); /* so few that the oldest goes */
    for (int i = 0; i < REQUESTS_MAX && next != NULL; ++i) {
        char *line = strsep(&next, "\n");
        ask(&server, line, session);
    }
    uia_destroy(server.uia);
    free(lines);
    return 0;
}
