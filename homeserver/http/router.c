#include "homeserver/http/router.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/log.h"
#include "homeserver/base/percent.h"

/* A tree over segments: sorted literals, and at most one parameter beside them. */
struct node {
    char *literal;
    struct node *children; /* sorted by literal */
    size_t n;
    struct node *param;
    const struct route *routes[HTTP_METHOD__COUNT];
};

struct router {
    struct node root;
};

struct search {
    const struct path *path;
    enum http_method method;
    int params[PATH_SEGMENTS_MAX]; /* indices of segments */
    int n_params;
    unsigned allowed;
};

static const char *const METHODS[HTTP_METHOD__COUNT] = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"};

const char *method_name(enum http_method method)
{
    return METHODS[method];
}

bool method_from(const char *name, size_t len, enum http_method *out)
{
    for (int i = 0; i < HTTP_METHOD__COUNT; ++i)
        if (strlen(METHODS[i]) == len && memcmp(METHODS[i], name, len) == 0) {
            *out = (enum http_method)i;
            return true;
        }
    return false;
}

/* The path's beginning in a target, which may be in absolute form (RFC 9112, 3.2.2): "http://host/path". */
static size_t path_start(const char *target, size_t len)
{
    size_t at = 0;
    if (len > 7 && strncasecmp(target, "http://", 7) == 0)
        at = 7;
    else if (len > 8 && strncasecmp(target, "https://", 8) == 0)
        at = 8;
    while (at != 0 && at < len && target[at] != '/')
        ++at;
    return at;
}

static bool is_segment(const struct path *path, int i, const char *what)
{
    return i < path->n && !path->segments[i].bad && strcmp(path->segments[i].decoded, what) == 0;
}

bool path_split(struct path *out, const char *raw, size_t len, char *buffer)
{
    size_t start = path_start(raw, len);
    out->n = 0;
    if (start == len || raw[start] != '/')
        return false;
    for (size_t at = start + 1; at <= len;) {
        const char *slash = at < len ? memchr(raw + at, '/', len - at) : NULL;
        size_t n = slash != NULL ? (size_t)(slash - raw) - at : len - at;
        if (out->n == PATH_SEGMENTS_MAX)
            return false;
        out->segments[out->n++] =
            (struct path_segment){.decoded = buffer, .bad = percent_decode(buffer, raw + at, n, false) < 0};
        buffer += n + 1;
        at += n + 1;
    }
    /* The older name of the same operations, which some clients still ask for. */
    if (is_segment(out, 0, "_matrix") && is_segment(out, 1, "client") && is_segment(out, 2, "r0"))
        out->segments[2].decoded = "v3";
    return true;
}

/* Where literal is or belongs among the children. */
static size_t child_index(const struct node *node, const char *literal, bool *found)
{
    size_t low = 0, high = node->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(node->children[mid].literal, literal);
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = false;
    return low;
}

static struct node *child_literal(struct node *node, const char *segment, size_t len)
{
    bool found;
    char *literal = xstrndup(segment, len);
    size_t at = child_index(node, literal, &found);
    if (found) {
        free(literal);
        return &node->children[at];
    }
    node->children = xrealloc(node->children, (node->n + 1) * sizeof *node->children);
    memmove(node->children + at + 1, node->children + at, (node->n - at) * sizeof *node->children);
    node->children[at] = (struct node){.literal = literal};
    ++node->n;
    return &node->children[at];
}

/* The node of a template, made on the way; NULL: ill-formed. */
static struct node *node_for(struct node *node, const char *template)
{
    int segments = 0, params = 0;
    if (template[0] != '/')
        return NULL;
    for (const char *at = template + 1;; ++at) {
        size_t len = strcspn(at, "/");
        bool is_param = len >= 3 && at[0] == '{' && at[len - 1] == '}';
        if (++segments > PATH_SEGMENTS_MAX || (is_param && ++params > PARAMS_MAX))
            return NULL;
        if (is_param && node->param == NULL)
            node->param = xcalloc(1, sizeof *node->param);
        node = is_param ? node->param : child_literal(node, at, len);
        at += len;
        if (*at == '\0')
            return node;
    }
}

static bool add_route(struct router *router, const struct route *route)
{
    struct node *node = node_for(&router->root, route->path);
    if (node == NULL || node->routes[route->method] != NULL) {
        log_error("http", "route %s %s is %s", METHODS[route->method], route->path,
                  node == NULL ? "ill-formed" : "there twice");
        return false;
    }
    node->routes[route->method] = route;
    return true;
}

struct router *router_create(const struct routes *const *tables, size_t n)
{
    struct router *router = xcalloc(1, sizeof *router);
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < tables[i]->n; ++j)
            if (!add_route(router, &tables[i]->table[j])) {
                router_destroy(router);
                return NULL;
            }
    return router;
}

static void node_finish(struct node *node)
{
    for (size_t i = 0; i < node->n; ++i)
        node_finish(&node->children[i]);
    if (node->param != NULL)
        node_finish(node->param);
    free(node->param);
    free(node->children);
    free(node->literal);
}

void router_destroy(struct router *router)
{
    if (router == NULL)
        return;
    node_finish(&router->root);
    free(router);
}

static const struct route *route_at(const struct node *node, struct search *s)
{
    const struct route *route = node->routes[s->method];
    if (route == NULL && s->method == HTTP_HEAD)
        route = node->routes[HTTP_GET];
    for (int i = 0; i < HTTP_METHOD__COUNT; ++i)
        if (node->routes[i] != NULL)
            s->allowed |= 1u << i;
    return route;
}

static const struct route *search(const struct node *node, struct search *s, int at)
{
    if (at == s->path->n)
        return route_at(node, s);
    const struct path_segment *segment = &s->path->segments[at];
    bool found = false;
    size_t child = segment->bad ? 0 : child_index(node, segment->decoded, &found);
    const struct route *route = found ? search(&node->children[child], s, at + 1) : NULL;
    if (route != NULL || node->param == NULL || (!segment->bad && segment->decoded[0] == '\0'))
        return route;
    s->params[s->n_params++] = at;
    route = search(node->param, s, at + 1);
    if (route == NULL)
        --s->n_params;
    return route;
}

enum route_match router_find(const struct router *router, const struct path *path, enum http_method method,
                             struct route_hit *hit)
{
    struct search s = {.path = path, .method = method};
    *hit = (struct route_hit){.route = search(&router->root, &s, 0), .allowed = s.allowed};
    if (hit->route == NULL)
        return s.allowed != 0 ? ROUTE_METHOD : ROUTE_UNKNOWN;
    for (int i = 0; i < s.n_params; ++i) {
        const struct path_segment *segment = &path->segments[s.params[i]];
        if (segment->bad)
            return ROUTE_BAD_PATH;
        hit->params[hit->n_params++] = segment->decoded;
    }
    return ROUTE_FOUND;
}
