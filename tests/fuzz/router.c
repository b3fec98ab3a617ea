/* Any request line: a method's number, then the path with its query. What comes out is decoded text, or a refusal. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/percent.h"
#include "homeserver/http/address.h"
#include "homeserver/http/query.h"
#include "homeserver/http/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define R(method_, path_)                                                                                              \
    {                                                                                                                  \
        HTTP_##method_, path_, NULL, 0, RATE_NONE                                                                      \
    }

static const struct route TABLE[] = {
    R(GET, "/"),           R(GET, "/a"),
    R(GET, "/a/"),         R(GET, "/a/{x}"),
    R(PUT, "/a/{x}/b"),    R(GET, "/a/{x}/{y}"),
    R(GET, "/a/{x}/{y}/"), R(GET, "/{x}/{y}"),
    R(DELETE, "/{x}/b/"),  R(POST, "/{a}/{b}/{c}/{d}/{e}/{f}"),
};
static const struct routes ROUTES_ = ROUTES(TABLE);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_route(const struct router *router, enum http_method method, const char *path, size_t len)
{
    char *buffer = xcalloc(1, len + 1);
    struct path split;
    struct route_hit hit;
    if (path_split(&split, path, len, buffer)) {
        enum route_match match = router_find(router, &split, method, &hit);
        must((hit.route != NULL) == (match == ROUTE_FOUND || match == ROUTE_BAD_PATH));
        for (int i = 0; match == ROUTE_FOUND && i < hit.n_params; ++i)
            must(hit.params[i][0] != '\0' && utf8_valid(hit.params[i], strlen(hit.params[i])));
    }
    free(buffer);
}

static void check_query(const char *query, size_t len)
{
    struct query_pair pairs[QUERY_MAX];
    char *bytes = xstrndup("", 0);
    bytes = xrealloc(bytes, len + 1);
    memcpy(bytes, query, len);
    bytes[len] = '\0';
    int n = query_parse(bytes, len, pairs);
    must(n <= QUERY_MAX);
    for (int i = 0; i < n; ++i)
        must(utf8_valid(pairs[i].name, strlen(pairs[i].name)) && utf8_valid(pairs[i].value, strlen(pairs[i].value)));
    free(bytes);
}

/* What comes out, encoded anew, is read as the same, with "+" for a space or without. */
static void check_percent(const char *text, size_t len)
{
    for (int plus = 0; plus < 2; ++plus) {
        char *first = xcalloc(1, len + 1), *second = NULL;
        struct text again = TEXT_INIT;
        ssize_t n = percent_decode(first, text, len, plus != 0);
        must(n <= (ssize_t)len);
        if (n > 0) {
            text_add_percent(&again, first);
            second = xcalloc(1, again.len + 1);
            must(percent_decode(second, again.data, again.len, plus != 0) == n &&
                 memcmp(first, second, (size_t)n) == 0);
        }
        text_finish(&again);
        free(first);
        free(second);
    }
}

static void check_address(const char *text, size_t len)
{
    struct address peer = {{0}}, again;
    struct network anywhere = {.bits = 0};
    char out[ADDRESS_TEXT];
    struct address client = address_client(&peer, text, len, &anywhere, 1);
    address_text(&client, out);
    must(address_parse(out, strlen(out), &again) && memcmp(&again, &client, sizeof again) == 0);
}

static void check_network(const char *text, size_t len)
{
    struct network network;
    enum http_method method;
    char *s = xstrndup(text, len);
    struct address place;
    if (network_parse(s, &network)) {
        must(network.bits >= 0 && network.bits <= 128 && network_holds(&network, &network.address));
        place = network.address;
        address_place(&place);
        address_place(&network.address);
        must(memcmp(&place, &network.address, sizeof place) == 0);
    }
    if (method_from(text, len, &method))
        must(strlen(method_name(method)) == len && memcmp(method_name(method), text, len) == 0);
    free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct routes *const TABLES[] = {&ROUTES_};
    if (size == 0)
        return 0;
    struct router *router = router_create(TABLES, 1);
    const char *path = (const char *)data + 1;
    const char *mark = memchr(path, '?', size - 1);
    size_t len = mark != NULL ? (size_t)(mark - path) : size - 1;
    check_route(router, (enum http_method)(data[0] % HTTP_METHOD__COUNT), path, len);
    if (mark != NULL)
        check_query(mark + 1, size - 2 - len);
    check_percent(path, size - 1);
    check_address(path, len);
    check_network(path, len);
    router_destroy(router);
    return 0;
}
