#include "homeserver/cli/api_verb.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/base/names.h"
#include "homeserver/base/percent.h"
#include "homeserver/cli/services.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/router.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/db.h"
#include "policy/api/routes.h"
#include "policy/gate/reason.h"
#include "policy/gate/school_gate.h"

/* A request in the making, and what it points into. */
struct api_request {
    struct verb_call *call;
    struct server server;
    struct request r;
    struct router *router;
    struct text path, etag;
    char *decoded;   /* of the path */
    char next[32];   /* ?from= of the next page; "" for the first */
    bool as_it_came; /* --json */
};

/* Whoever runs `parta` shows nothing: the machine is theirs. */
static const struct credential_kind COMMAND_LINE = {.name = "command line"};

/* --- What goes in --- */

static void add_path(struct api_request *a, const char *template)
{
    for (const char *c = template; *c != '\0'; ++c)
        if (c[0] == '{' && isdigit((unsigned char)c[1]) && c[2] == '}') {
            const char *arg = a->call->args[c[1] - '0'];
            text_add_percent(&a->path, arg != NULL ? arg : "");
            c += 2;
        } else
            text_addc(&a->path, *c);
}

static bool put_number(struct api_request *a, const char *name, const char *value)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0')
        return verb_misuse(a->call, "%s is no whole number.", value);
    return json_object_set_new(a->r.body, name, json_integer(n)) == 0;
}

static bool put_list(struct api_request *a, const char *name, const char *value)
{
    json_t *list = json_array();
    for (const char *at = value; *at != '\0'; at += strspn(at, ",")) {
        size_t len = strcspn(at, ",");
        json_array_append_new(list, json_stringn(at, len));
        at += len;
    }
    return json_object_set_new(a->r.body, name, list) == 0;
}

static bool put_header(struct api_request *a, const char *name, const char *value)
{
    if (strcmp(name, "version") == 0) {
        text_addf(&a->etag, "\"%s\"", value);
        a->r.headers[HEADER_IF_MATCH] = a->etag.data;
    } else
        a->r.headers[HEADER_OVERRIDE_REASON] = value;
    return true;
}

static bool put(struct api_request *a, const char *where, const char *value)
{
    const char *name = where + 1;
    switch (where[0]) {
    case '?':
        if (a->r.n_query < QUERY_MAX)
            a->r.query[a->r.n_query++] = (struct query_pair){name, value};
        return true;
    case '#': return put_number(a, name, value);
    case '/': return put_list(a, name, value);
    case '!': return json_object_set_new(a->r.body, name, json_true()) == 0;
    case '-': return json_object_set_new(a->r.body, name, json_false()) == 0;
    case '^': return put_header(a, name, value);
    case '=': return a->as_it_came = true;
    default: break;
    }
    return json_object_set_new(a->r.body, name, json_string(value)) == 0 ||
           verb_misuse(a->call, "What was typed is not UTF-8.");
}

static bool put_input(struct api_request *a, const struct api_verb *api)
{
    struct error e;
    struct text *input = &a->call->input;
    const char *bytes = input->data != NULL ? input->data : "";
    if ((a->call->verb->flags & VERB_INPUT) == 0)
        return true;
    a->r.raw_body = bytes;
    a->r.raw_body_len = input->len;
    if (*api->input == '\0')
        return true;
    json_t *value = json_parse(bytes, input->len, &e);
    return value != NULL ? json_object_set_new(a->r.body, api->input, value) == 0
                         : verb_fail(a->call, "%s: not JSON.", a->call->args[0]);
}

static bool fill(struct api_request *a)
{
    struct verb_call *call = a->call;
    const struct api_verb *api = call->verb->api;
    struct error e;
    bool good = true;
    add_path(a, call->n_args == 0 && api->without_args != NULL ? api->without_args : api->path);
    a->r.body = api->body != NULL ? json_parse(api->body, strlen(api->body), &e) : json_object();
    for (int i = 0; good && i < call->n_args; ++i)
        good = api->args[i] == NULL || put(a, api->args[i], call->args[i]);
    for (int i = 0; good && i < VERB_OPTIONS_MAX && api->options[i] != NULL; ++i)
        good = call->options[i] == NULL || put(a, api->options[i], call->options[i]);
    return good && put_input(a, api);
}

/* --- The request itself --- */

static bool find_route(struct api_request *a, enum http_method method)
{
    struct path path;
    struct route_hit hit;
    a->router = router_create(SCHOOL_API_ROUTES, SCHOOL_API_ROUTES_COUNT);
    a->decoded = xcalloc(1, a->path.len + 1);
    if (a->router == NULL || !path_split(&path, a->path.data, a->path.len, a->decoded) ||
        router_find(a->router, &path, method, &hit) != ROUTE_FOUND || (hit.route->flags & ROUTE_OPERATOR) == 0)
        return verb_misuse(a->call, "There is nothing at %s.", a->path.data);
    a->r.route = hit.route;
    a->r.n_params = hit.n_params;
    memcpy(a->r.params, hit.params, sizeof a->r.params);
    return true;
}

static struct server server_of(const struct services *services)
{
    return (struct server){.config = services->config,
                           .writer = services->writer,
                           .names = services->names,
                           .key = rooms_settings(services->rooms)->key,
                           .rooms = services->rooms,
                           .accounts = services->accounts};
}

static void begin(struct api_request *a, struct verb_call *call)
{
    *a = (struct api_request){.call = call, .server = server_of(call->services)};
    a->r.server = &a->server;
    a->r.db = call->services->db;
    a->r.raw_body = "";
    a->r.identity =
        (struct identity){.kind = &COMMAND_LINE, .name = ACTOR_COMMAND_LINE.name, .scopes = ACTOR_COMMAND_LINE.scopes};
}

static void finish(struct api_request *a)
{
    json_decref(a->r.body);
    reply_reset(&a->r.reply);
    router_destroy(a->router);
    text_finish(&a->path);
    text_finish(&a->etag);
    free(a->decoded);
}

enum { WORD_BYTES = 64 };

/* What whoever typed the verb calls a member of the request, into word: "--user", or the argument's "ROLE". */
static bool word_of(const struct verb_call *call, const char *member, char word[static WORD_BYTES])
{
    const struct api_verb *api = call->verb->api;
    const char *at = call->verb->arguments;
    *word = '\0';
    for (int i = 0; i < VERB_OPTIONS_MAX && api->options[i] != NULL; ++i)
        if (strcmp(api->options[i] + 1, member) == 0)
            snprintf(word, WORD_BYTES, "%s", call->verb->options[i].name);
    for (int i = 0; i < call->verb->args_max; ++i, at += strcspn(at, " "), at += strspn(at, " "))
        if (api->args[i] != NULL && strcmp(api->args[i] + 1, member) == 0)
            snprintf(word, WORD_BYTES, "%.*s", (int)strcspn(at, " "), at);
    return *word != '\0';
}

static bool fail(struct api_request *a)
{
    const struct error *e = &a->r.error;
    const char *sentence = e->translation != NULL ? e->translation : error_sentence(e);
    const char *detail = e->rule != NULL ? e->rule : e->value;
    char word[WORD_BYTES];
    if (a->r.headers[HEADER_OVERRIDE_REASON] != NULL && !reason_valid(a->r.headers[HEADER_OVERRIDE_REASON]))
        return verb_misuse(a->call, "--override says why in at least %d letters.", REASON_LETTERS_MIN);
    if (e->code == ERROR_UNKNOWN)
        return verb_fail(a->call, "%s Its log says what; where none runs, it stands above.", sentence);
    if (e->rule == NULL && word_of(a->call, e->value, word)) {
        if (e->code == ERROR_MISSING_PARAM)
            return verb_misuse(a->call, "%s is missing.", word);
        detail = word;
    }
    return *detail != '\0' ? verb_fail(a->call, "%s (%s)", sentence, detail) : verb_fail(a->call, "%s", sentence);
}

static bool run_handler(struct api_request *a)
{
    reply_reset(&a->r.reply);
    a->r.error = (struct error){0};
    bool done = a->r.route->handle(&a->r) && a->r.error.code == ERROR_NONE;
    if (db_failed(a->r.db)) {
        db_settle(a->r.db);
        return verb_fail(a->call, "The database can't be read (see above).");
    }
    return done || fail(a);
}

/* --- What comes out --- */

/* "2026-09-01T07:30:00Z", for eyes; --json has the milliseconds. */
static void add_moment(struct text *out, int64_t ms)
{
    char stamp[32];
    struct tm utc;
    time_t seconds = (time_t)(ms / 1000);
    if (gmtime_r(&seconds, &utc) != NULL && strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc) > 0)
        text_adds(out, stamp);
}

/* The value at "roles.role": of an array each, with commas between. */
static void add_value(struct text *out, const json_t *value, const char *path)
{
    size_t len = strcspn(path, "."), i;
    const json_t *item;
    json_array_foreach(value, i, item) {
        text_adds(out, i != 0 ? "," : "");
        add_value(out, item, path);
    }
    if (json_is_array(value))
        return;
    if (*path != '\0') {
        const json_t *member = json_object_getn(value, path, len);
        bool is_moment = strcmp(path, "ts") == 0 || (len > 3 && strcmp(path + len - 3, "_ts") == 0);
        if (is_moment && json_is_integer(member))
            add_moment(out, json_integer_value(member));
        else
            add_value(out, member, path[len] == '.' ? path + len + 1 : "");
        return;
    }
    if (json_is_string(value))
        text_add_visible(out, json_string_value(value), json_string_length(value), false);
    else if (value != NULL && !json_is_null(value))
        json_add_canonical(out, value);
}

static void add_line(struct text *out, const json_t *value, const char *columns)
{
    char path[64];
    for (const char *at = columns; *at != '\0'; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        text_adds(out, at != columns ? "\t" : "");
        if (len < sizeof path) {
            memcpy(path, at, len);
            path[len] = '\0';
            add_value(out, value, path);
        }
        at += len;
    }
    text_addc(out, '\n');
}

static void print_columns(struct api_request *a, const json_t *reply, const char *columns)
{
    size_t i;
    const char *list = a->call->verb->api->lines;
    const json_t *item, *items = json_get_array(reply, list != NULL ? list : "items");
    json_array_foreach(items, i, item)
        if (list == NULL)
            add_line(&a->call->out, item, columns);
        else {
            add_value(&a->call->out, item, "");
            text_addc(&a->call->out, '\n');
        }
    if (items == NULL || list != NULL)
        add_line(&a->call->out, reply, columns);
}

static void print(struct api_request *a, const char *columns)
{
    struct error e;
    bool raw = strcmp(columns, "*") == 0;
    json_t *reply = raw ? NULL : json_parse(a->r.reply.body.data, a->r.reply.body.len, &e);
    const char *next = json_get_string(reply, "next");
    snprintf(a->next, sizeof a->next, "%s", next != NULL ? next : "");
    if (raw || a->as_it_came) {
        const struct text *body = &a->r.reply.body;
        text_add(&a->call->out, body->data != NULL ? body->data : "", body->len);
        text_adds(&a->call->out, body->data != NULL && body->len != 0 && body->data[body->len - 1] != '\n' ? "\n" : "");
    } else if (strcmp(columns, "{}") == 0) {
        char *text = json_dumps(reply, JSON_INDENT(2)); /* a document that people read and edit */
        text_addf(&a->call->out, "%s\n", text != NULL ? text : "");
        free(text);
    } else
        print_columns(a, reply, columns);
    json_decref(reply);
}

/* Pages follow each other in one place of the query. */
static bool run_pages(struct api_request *a, const char *columns)
{
    int at = a->r.n_query;
    do {
        if (*a->next != '\0' && at < QUERY_MAX) {
            a->r.query[at] = (struct query_pair){"from", a->next};
            a->r.n_query = at + 1;
        }
        if (!run_handler(a))
            return false;
        if (columns != NULL)
            print(a, columns);
    } while (columns != NULL && *a->next != '\0');
    return true;
}

/* --- Decisions --- */

int api_verb_version_option(const struct api_verb *api)
{
    for (int i = 0; i < VERB_OPTIONS_MAX && api->options[i] != NULL; ++i)
        if (strcmp(api->options[i], "^version") == 0)
            return i;
    return -1;
}

static void print_members(struct text *out, const json_t *reply)
{
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)reply, name, value) {
        text_addf(out, "%s\t", name);
        if (json_is_string(value))
            text_add_visible(out, json_string_value(value), json_string_length(value), false);
        else
            json_add_canonical(out, value);
        text_addc(out, '\n');
    }
}

/* Shows what is decided on, and decides nothing. */
static bool show(struct verb_call *call, const struct api_verb *api)
{
    struct api_request a;
    struct error e;
    begin(&a, call);
    a.r.body = json_object();
    add_path(&a, api->shows);
    bool done = find_route(&a, HTTP_GET) && run_handler(&a);
    json_t *reply = done ? json_parse(a.r.reply.body.data, a.r.reply.body.len, &e) : NULL;
    if (reply != NULL) {
        print_members(&call->out, reply);
        snprintf(call->asks, sizeof call->asks, "%lld", (long long)json_get_int(reply, "version", 0));
        verb_fail(call, "Nothing was decided. --version %s decides on what is shown.", call->asks);
    }
    json_decref(reply);
    finish(&a);
    return false;
}

bool api_verb_run(struct verb_call *call)
{
    struct api_request a;
    const struct api_verb *api = call->verb->api;
    if (api->shows != NULL && call->options[api_verb_version_option(api)] == NULL)
        return show(call, api);
    begin(&a, call);
    a.r.method = call->verb->api->method;
    bool done = fill(&a) && find_route(&a, a.r.method) && run_pages(&a, call->verb->api->columns);
    finish(&a);
    return done;
}
