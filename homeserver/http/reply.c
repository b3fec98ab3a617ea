#include "homeserver/http/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "homeserver/base/config.h"
#include "homeserver/base/log.h"
#include "homeserver/http/range.h"
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
    {428, "Precondition Required"},
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

static void file_free(struct reply_file *file)
{
    if (file == NULL)
        return;
    close(file->fd);
    free(file->type);
    free(file->piece);
    free(file);
}

void reply_reset(struct reply *reply)
{
    text_finish(&reply->body);
    file_free(reply->file);
    for (size_t i = 0; i < reply->n_headers; ++i)
        free(reply->headers[i].value);
    free(reply->headers);
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
    bool bound =
        r->error.code == ERROR_BOUND; /* the specification wants to know whom to ask, be there somebody or not */
    if (bound)
        json_object_set_new(
            object, "admin_contact",
            config != NULL && config->support.email != NULL
                ? json_sprintf("mailto:%s", config->support.email)
                : json_string(config != NULL && config->support.page != NULL ? config->support.page : ""));
    if (config == NULL || !(r->error.rule != NULL || closed || bound))
        return;
    if (config->support.page != NULL)
        json_object_set_new(object, "org.parta.help", json_string(config->support.page));
    else if (config->support.email != NULL)
        json_object_set_new(object, "org.parta.help", json_sprintf("mailto:%s", config->support.email));
}

void reply_error(struct request *r)
{
    char seconds[24];
    int64_t wait_ms = r->error.retry_after_ms;
    if (r->route != NULL && (r->route->flags & ROUTE_HTML) != 0) {
        reply_reset(&r->reply);
        r->server->pages->refused(r);
        return;
    }
    json_t *object = json_object();
    error_members(&r->error, object);
    add_help(r, object);
    reply_reset(&r->reply);
    reply_json(r, object);
    reply_status(r, error_status(&r->error));
    if (r->reply.status == 429 || r->reply.status == 503 || wait_ms > 0) {
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

/* Cookies are told apart by their own names: each is a header of its own (RFC 6265, 3). */
static struct header *header_like(struct reply *reply, const char *name, const char *value)
{
    size_t own = strcmp(name, "set-cookie") == 0 ? strcspn(value, "=") + 1 : 0;
    for (size_t i = 0; i < reply->n_headers; ++i)
        if (strcmp(reply->headers[i].name, name) == 0 && strncmp(reply->headers[i].value, value, own) == 0)
            return &reply->headers[i];
    return NULL;
}

bool reply_header(struct request *r, const char *name, const char *value)
{
    struct reply *reply = &r->reply;
    struct header *header = header_like(reply, name, value);
    size_t bytes = reply->headers_bytes + strlen(value) - (header != NULL ? strlen(header->value) : 0);
    if (bytes > REPLY_HEADERS_BYTES_MAX) {
        log_error("http", "reply of %s has too many headers", r->route != NULL ? r->route->path : "?");
        return true;
    }
    if (header == NULL) {
        reply->headers = xrealloc(reply->headers, (reply->n_headers + 1) * sizeof *reply->headers);
        header = &reply->headers[reply->n_headers++];
        *header = (struct header){.name = name};
    }
    free(header->value);
    header->value = xstrdup(value);
    reply->headers_bytes = bytes;
    for (char *c = header->value; *c != '\0'; ++c) /* nothing may begin a header of its own */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return true;
}

bool reply_file(struct request *r, int fd, int64_t size, const char *type)
{
    char of[80];
    struct byte_range part = {0, size - 1};
    const struct header *etag = header_like(&r->reply, "etag", "");
    enum range_outcome outcome = RANGE_WHOLE;
    if (r->method == HTTP_GET) /* Range means nothing to other methods (RFC 9110, 14.2) */
        outcome = range_find(r->headers[HEADER_RANGE], r->headers[HEADER_IF_RANGE], etag != NULL ? etag->value : NULL,
                             size, &part);
    reply_header(r, "accept-ranges", "bytes");
    if (outcome == RANGE_UNSATISFIABLE) {
        close(fd);
        snprintf(of, sizeof of, "bytes */%lld", (long long)size);
        reply_header(r, "content-range", of);
        reply_status(r, 416);
        return reply_json(r, json_pack("{s:s, s:s}", "errcode", error_wire_name(ERROR_INVALID_PARAM), "error",
                                       "This range is beyond the end."));
    }
    if (outcome == RANGE_PART) {
        snprintf(of, sizeof of, "bytes %lld-%lld/%lld", (long long)part.first, (long long)part.last, (long long)size);
        reply_header(r, "content-range", of);
        reply_status(r, 206);
    }
    file_free(r->reply.file);
    r->reply.file = xcalloc(1, sizeof *r->reply.file);
    *r->reply.file =
        (struct reply_file){.fd = fd, .at = part.first, .left = part.last - part.first + 1, .type = xstrdup(type)};
    return true;
}

bool reply_file_read(struct reply_file *file, bool wait)
{
    size_t wanted = file->left < REPLY_PIECE_BYTES ? (size_t)file->left : REPLY_PIECE_BYTES;
    if (file->piece == NULL)
        file->piece = xrealloc(NULL, REPLY_PIECE_BYTES);
    struct iovec piece = {file->piece, wanted};
    ssize_t n;
    do
        n = preadv2(file->fd, &piece, 1, file->at, wait ? 0 : RWF_NOWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && !wait) /* not in memory, or a file system that cannot say so */
        return false;
    file->piece_len = n > 0 ? n : -1;
    if (n > 0) {
        file->at += n;
        file->left -= n;
    } else
        log_error("http", "a file cannot be read on: %s", n < 0 ? strerror(errno) : "it is shorter than was said");
    return true;
}

bool reply_when_written(struct request *r, const struct write_kind *kind, void *state)
{
    r->written = (struct written){kind, state};
    return true;
}
