/* parta appservice …: registrations of application services (docs/appservices.md). They are files of the machine's
 * operator, which the server may not be able to write, so these verbs work on the folder, with or without a server; one
 * that runs is asked to take over what is there (appservice/takeover.h). */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "appservice/registry.h"
#include "appservice/takeover.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/cli/control.h"
#include "homeserver/cli/verb.h"
#include "homeserver/outgoing/outgoing.h"

#define PING_MS 10000

static struct appservices *load(struct verb_call *call)
{
    struct text problem = TEXT_INIT;
    struct appservices *set = NULL;
    if (call->config->appservices == NULL)
        verb_fail(call, "The configuration names no folder of registrations (appservices).");
    else if ((set = appservices_load(call->config, &problem)) == NULL)
        verb_fail(call, "%s", problem.data);
    text_finish(&problem);
    return set;
}

static void add_names(struct text *out, char *const *names, size_t n)
{
    if (n == 0)
        text_addc(out, '-');
    for (size_t i = 0; i < n; ++i)
        text_addf(out, "%s%s", i != 0 ? "," : "", names[i]);
}

static bool list(struct verb_call *call)
{
    struct appservices *set = load(call);
    for (size_t i = 0; set != NULL && i < set->n; ++i) {
        const struct registration_file *service = set->all[i];
        text_addf(&call->out, "%s\t%s\t%s\t", service->id, service->url != NULL ? service->url : "-",
                  service->sender_id);
        add_names(&call->out, service->schools, service->n_schools);
        for (int kind = 0; kind < NAMESPACE_KIND__COUNT; ++kind)
            for (size_t k = 0; k < service->namespaces[kind].n; ++k)
                text_addf(&call->out, "\t%s%s:%s", NAMESPACE_NAMES[kind],
                          service->namespaces[kind].all[k].exclusive ? "!" : "",
                          service->namespaces[kind].all[k].regex);
        text_addc(&call->out, '\n');
    }
    appservices_unref(set);
    return set != NULL;
}

/* Inside the server. Prints which there are now. */
static bool reload(struct verb_call *call)
{
    struct text problem = TEXT_INIT;
    struct takeover *takeover = call->services->takeover;
    if (takeover == NULL)
        return verb_fail(call, "No server is running here: it reads the registrations when it starts.");
    bool done = takeover_run(takeover, &problem) || verb_fail(call, "%s", problem.data);
    struct appservices *set = registry_get(takeover->registry);
    for (size_t i = 0; done && i < set->n; ++i)
        text_addf(&call->out, "%s\n", set->all[i]->id);
    appservices_unref(set);
    text_finish(&problem);
    return done;
}

/* Of a folder that has changed. */
static bool take_over(struct verb_call *call)
{
    struct verb_call ask = {.verb = verb_find("appservice reload"), .config = call->config, .heard_on = -1};
    bool done = true, asked = control_ask(call->config->control_path, &ask, &done);
    if (!asked)
        text_adds(&call->notes,
                  "No server was reached: one that runs takes it over on SIGHUP (systemctl reload partad), "
                  "another when it starts.\n");
    else if (!done)
        verb_fail(call, "The server did not take it over: %s", ask.problem.data);
    text_finish(&ask.out);
    text_finish(&ask.notes);
    text_finish(&ask.problem);
    return !asked || done;
}

static bool add(struct verb_call *call)
{
    struct text problem = TEXT_INIT, path = TEXT_INIT;
    struct appservices *set = load(call);
    const char *bytes = call->input.data != NULL ? call->input.data : "";
    bool done = set != NULL && appservices_add(set, call->config, bytes, call->input.len, &path, &problem);
    if (done) {
        text_addf(&call->out, "%s\n", path.data);
        done = take_over(call);
    } else if (set != NULL) {
        verb_fail(call, "%s", problem.data);
    }
    appservices_unref(set);
    text_finish(&path);
    text_finish(&problem);
    return done;
}

/* Its place in the set; set->n: none, and call->problem says so. */
static size_t place_of(struct verb_call *call, const struct appservices *set)
{
    size_t i = 0;
    while (i < set->n && strcmp(set->all[i]->id, call->args[0]) != 0)
        ++i;
    if (i == set->n)
        verb_fail(call, "There is no application service \"%s\".", call->args[0]);
    return i;
}

static bool remove_one(struct verb_call *call)
{
    struct appservices *set = load(call);
    size_t i = set != NULL ? place_of(call, set) : 0;
    bool done = set != NULL && i < set->n;
    if (done && unlink(set->files[i]) != 0)
        done = verb_fail(call, "%s: %s", set->files[i], strerror(errno));
    appservices_unref(set);
    return done && take_over(call);
}

static bool ping_service(struct verb_call *call, const struct registration_file *service)
{
    static const char *const HEADERS[] = {"Content-Type: application/json"};
    struct outgoing *outgoing = outgoing_create(NULL);
    struct outgoing_reply reply = {0};
    struct text url = TEXT_INIT;
    int64_t from_ms = clock_mono_ms();
    text_addf(&url, "%s/_matrix/app/v1/ping", service->url);
    const struct outgoing_request request = {.what = "appservice",
                                             .url = url.data,
                                             .network = OUTGOING_ANY,
                                             .method = "POST",
                                             .bearer = service->hs_token,
                                             .headers = HEADERS,
                                             .n_headers = 1,
                                             .body = "{}",
                                             .body_len = 2,
                                             .deadline_ms = from_ms + PING_MS,
                                             .attempts_max = 1,
                                             .attempt_ms = PING_MS};
    outgoing_call(outgoing, &request, NULL, NULL, &reply);
    bool done = reply.status == 200;
    if (done)
        text_addf(&call->out, "%lld ms\n", (long long)(clock_mono_ms() - from_ms));
    else if (reply.fault == OUTGOING_ANSWERED)
        verb_fail(call, "\"%s\" answered with status %ld.", service->id, reply.status);
    else
        verb_fail(call, "\"%s\" could not be reached: %s.", service->id, reply.why != NULL ? reply.why : "not tried");
    outgoing_reply_finish(&reply);
    text_finish(&url);
    outgoing_destroy(outgoing);
    return done;
}

static bool ping(struct verb_call *call)
{
    struct appservices *set = load(call);
    size_t i = set != NULL ? place_of(call, set) : 0;
    bool there = set != NULL && i < set->n;
    bool done = there && (set->all[i]->url != NULL ? ping_service(call, set->all[i])
                                                   : verb_fail(call, "\"%s\" has no url.", call->args[0]));
    appservices_unref(set);
    return done;
}

static const struct verb TABLE[] = {
    {"appservice list", .flags = VERB_CONFIG, .run = list, .summary = "Lists the application services.",
     .essay = "Its id, address and user, the schools that it may be told of, and its namespaces (\"!\": exclusive)."},
    {"appservice add", "FILE", 1, 1, .flags = VERB_CONFIG | VERB_INPUT, .run = add,
     .summary = "Puts a registration into the folder of them.",
     .essay = "Refused when something is wrong with it, or when it clashes with another. Prints the new file's path."},
    {"appservice ping", "ID", 1, 1, .flags = VERB_CONFIG, .run = ping,
     .summary = "Asks an application service whether it is there.",
     .essay = "From this machine, with the token that it knows the server by. Prints how long it took."},
    {"appservice reload", .flags = VERB_CONFIG | VERB_WRITES, .run = reload,
     .summary = "Has the server take over the folder of registrations as it is now.",
     .essay =
         "As SIGHUP does. What is another than before is in the audit log. Prints the ids of those that there are."},
    {"appservice remove", "ID", 1, 1, .flags = VERB_CONFIG, .run = remove_one,
     .summary = "Takes a registration out of the folder.",
     .essay = "Its users stay, and nobody acts as them any more; what waited for it is forgotten."},
};
const struct verbs APPSERVICE_VERBS = VERBS(TABLE);
