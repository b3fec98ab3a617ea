#include "homeserver/http/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/config.h"
#include "homeserver/base/log.h"
#include "homeserver/http/server.h"

static const struct {
    int status;
    const char *reason;
} REASONS[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const char *status_reason(int status)
{
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; ++i)
        if (REASONS[i].status == status)
            return REASONS[i].reason;
    return "Status";
}

void reply_reset(struct reply *reply)
{
    text_finish(&reply->body);
    for (int i = 0; i < reply->n_headers; ++i)
        free(reply->headers[i].value);
    *reply = (struct reply){0};
}

void error_members(const struct error *e, json_t *object)
{
    json_object_set_new(object, "errcode", json_string(error_wire_name(e->code)));
    json_object_set_new(object, "error",
                        e->translation != NULL ? json_sprintf("%s / %s", error_sentence(e), e->translation)
                                               : json_string(error_sentence(e)));
    if (e->retry_after_ms > 0)
        json_object_set_new(object, "retry_after_ms", json_integer(e->retry_after_ms));
    if (e->soft_logout)
        json_object_set_new(object, "soft_logout", json_true());
    if (e->rule != NULL) {
        json_object_set_new(object, "org.parta.rule", json_string(e->rule));
        json_object_set_new(object, "org.parta.code", json_string(e->rule_code));
        json_object_set_new(object, "org.parta.sentences",
                            json_pack("{s:s, s:s}", "ru", e->sentence, "en", e->translation));
    }
    if (e->field != NULL)
        json_object_set_new(object, e->field, json_string(e->value));
}

/* Who is refused by a rule, or may not sign in, finds help as in /.well-known/matrix/support (school.md H2). */
static void add_help(const struct request *r, json_t *object)
{
    const struct config *config = r->server != NULL ? r->server->config : NULL;
    bool closed = r->error.code == ERROR_USER_LOCKED || r->error.code == ERROR_USER_DEACTIVATED;
    if (config == NULL || !(r->error.rule != NULL || closed))
        return;
    if (config->support.page != NULL)
        json_object_set_new(object, "org.parta.help", json_string(config->support.page));
    else if (config->support.email != NULL)
        json_object_set_new(object, "org.parta.help", json_sprintf("mailto:%s", config->support.email));
}

void reply_error(struct request *r)
{
    char seconds[24];
    json_t *object = json_object();
    int64_t wait_ms = r->error.retry_after_ms;
    error_members(&r->error, object);
    add_help(r, object);
    reply_reset(&r->reply);
    reply_json(r, object);
    reply_status(r, error_status(&r->error));
    if (r->reply.status == 429 || wait_ms > 0) {
        snprintf(seconds, sizeof seconds, "%lld", (long long)(wait_ms > 1000 ? (wait_ms + 999) / 1000 : 1));
        reply_header(r, "retry-after", seconds);
    }
}

bool reply_empty(struct request *r)
{
    text_clear(&r->reply.body);
    text_adds(&r->reply.body, "{}");
    return true;
}

static int add_dumped(const char *bytes, size_t len, void *text)
{
    text_add(text, bytes, len);
    return 0;
}

bool reply_json(struct request *r, json_t *value)
{
    text_clear(&r->reply.body);
    if (value == NULL || json_dump_callback(value, add_dumped, &r->reply.body, JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
        log_error("http", "reply of %s cannot be written as JSON", r->route != NULL ? r->route->path : "?");
        refuse(r, ERROR_UNKNOWN, NULL);
    }
    json_decref(value);
    return true;
}

bool reply_text(struct request *r, struct text *body)
{
    text_finish(&r->reply.body);
    r->reply.body = *body;
    *body = TEXT_INIT;
    return true;
}

bool reply_status(struct request *r, int status)
{
    r->reply.status = status;
    return true;
}

bool reply_header(struct request *r, const char *name, const char *value)
{
    struct reply *reply = &r->reply;
    int at = 0;
    while (at < reply->n_headers && strcmp(reply->headers[at].name, name) != 0)
        ++at;
    if (at == (int)(sizeof reply->headers / sizeof *reply->headers)) {
        log_error("http", "reply of %s has too many headers", r->route != NULL ? r->route->path : "?");
        return true;
    }
    if (at == reply->n_headers)
        reply->headers[reply->n_headers++] = (struct header){.name = name};
    free(reply->headers[at].value);
    reply->headers[at].value = xstrdup(value);
    for (char *c = reply->headers[at].value; *c != '\0'; ++c) /* nothing may begin a header of its own */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return true;
}

bool reply_when_written(struct request *r, writer_job *job, void *state, request_handler *finish)
{
    r->written = (struct written){job, state, finish};
    return true;
}
