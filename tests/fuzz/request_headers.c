/* Headers that handlers read: the first line is If-Match, the second Idempotency-Key, the third the credential, the
 * rest the path with its query. What is taken of If-Match is an ETag as this API writes it, for
 * whoever decides as well. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/http/request_context.h"
#include "homeserver/http/router.h"
#include "homeserver/http/server.h"
#include "policy/api/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const struct route TABLE[] = {
    {HTTP_PUT, "/a/{x}", NULL, ROUTE_BODY, RATE_NONE},
    {HTTP_PUT, "/d/{x}", NULL, ROUTE_BODY | ROUTE_DECIDES, RATE_NONE},
};
static const struct routes ROUTES_ = ROUTES(TABLE);

static void check_match(const char *sent)
{
    int64_t version, other;
    char etag[40];
    struct request plain = {.route = &TABLE[0]}, decides = {.route = &TABLE[1]};
    plain.headers[HEADER_IF_MATCH] = decides.headers[HEADER_IF_MATCH] = sent;
    bool taken = api_if_match(&plain, &version), decided = api_if_match(&decides, &other);
    must(taken == (plain.error.code == ERROR_NONE) && decided == (decides.error.code == ERROR_NONE));
    must(!taken || version == 0 ? !decided : decided && other == version);
    snprintf(etag, sizeof etag, "\"%lld\"", (long long)version);
    must(!taken || version == 0 || strcmp(etag, sent) == 0);
    must(!taken || version != 0 || sent == NULL || strcmp(sent, "*") == 0);
}

/* As the loop makes a request of what libh2o has parsed. */
static void check_request(char *const lines[4])
{
    static const struct routes *const TABLES[] = {&ROUTES_};
    static struct router *router;
    static struct server server;
    static struct request_spares spares;
    struct request_head head = {.method = HTTP_PUT, .path = lines[3], .path_len = strlen(lines[3])};
    if (router == NULL)
        router = router_create(TABLES, 1);
    head.authorization = (struct head_value){lines[2], strlen(lines[2])};
    head.headers[HEADER_IF_MATCH] = (struct head_value){lines[0], strlen(lines[0])};
    head.headers[HEADER_IDEMPOTENCY_KEY] = (struct head_value){lines[1], strlen(lines[1])};
    head.headers[HEADER_OVERRIDE_REASON] = (struct head_value){lines[1], strlen(lines[1])};
    struct request_context *context = request_context_create(&spares, &server, router, &head);
    struct request *r = &context->r;
    must(r->headers[HEADER_IF_MATCH] != NULL && strlen(r->headers[HEADER_IF_MATCH]) <= 512);
    const char *reason = r->headers[HEADER_OVERRIDE_REASON];
    must(reason != NULL && utf8_valid(reason, strlen(reason)));
    for (int i = 0; i < r->n_query; ++i)
        must(utf8_valid(r->query[i].name, strlen(r->query[i].name)));
    request_context_destroy(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *whole = xstrndup((const char *)bytes, len), *next = whole, *lines[4], end[] = "";
    for (int i = 0; i < 4; ++i) {
        char *line = next != NULL && i < 3 ? strsep(&next, "\n") : next;
        lines[i] = line != NULL ? line : end;
    }
    check_match(lines[0]);
    check_match(NULL);
    check_request(lines);
    free(whole);
    return 0;
}
