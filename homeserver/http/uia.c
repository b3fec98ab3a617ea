#include "homeserver/http/uia.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/metrics.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/request.h"
#include "homeserver/http/router.h"
#include "homeserver/http/server.h"

#define ID_LEN 24
#define LIFETIME_MS (INT64_C(15) * 60 * 1000)
#define PARAMS_BYTES_MAX (16u << 10)    /* of one session; a longer request must be sent whole each time */
#define ALL_PARAMS_BYTES_MAX (8u << 20) /* of all together */

struct uia_session {
    char id[ID_LEN + 1];
    char *operation; /* "DELETE /_matrix/…" */
    user_no user;    /* 0: nobody is signed in */
    int64_t ends_ms;
    char *params; /* the request's body without auth, as JSON; NULL: not remembered */
    size_t params_len;
    struct uia_result done;
    struct uia_session *prev, *next; /* oldest first */
    UT_hash_handle hh;
};

struct uia {
    pthread_mutex_t lock;
    struct uia_session *by_id, *by_age;
    size_t max, params_bytes;
};

const struct uia_stage UIA_DUMMY = {.type = "m.login.dummy"};

struct uia *uia_create(size_t max)
{
    struct uia *uia = xcalloc(1, sizeof *uia);
    pthread_mutex_init(&uia->lock, NULL);
    uia->max = max > 0 ? max : 1;
    return uia;
}

/* A new password may be among what is remembered. NULL is accepted. */
static void wipe(char *params, size_t len)
{
    if (params != NULL)
        sodium_memzero(params, len);
    free(params);
}

static void session_end(struct uia *uia, struct uia_session *s)
{
    HASH_DEL(uia->by_id, s);
    DL_DELETE(uia->by_age, s);
    uia->params_bytes -= s->params_len;
    wipe(s->params, s->params_len);
    free(s->operation);
    free(s);
}

void uia_destroy(struct uia *uia)
{
    if (uia == NULL)
        return;
    while (uia->by_age != NULL)
        session_end(uia, uia->by_age);
    pthread_mutex_destroy(&uia->lock);
    free(uia);
}

size_t uia_count(struct uia *uia)
{
    pthread_mutex_lock(&uia->lock);
    size_t n = HASH_COUNT(uia->by_id);
    pthread_mutex_unlock(&uia->lock);
    return n;
}

static int64_t unfinished(void *uia)
{
    return (int64_t)uia_count(uia);
}

void uia_metrics(struct uia *uia, struct metrics *metrics)
{
    static const struct metric METRICS[] = {
        {"parta_uia_sessions", "Unfinished user-interactive authentications.", METRIC_GAUGE, unfinished, NULL}};
    metrics_add(metrics, METRICS, 1, uia);
}

static struct uia_session *session_new(struct uia *uia, const char *operation, user_no user, int64_t now_ms)
{
    struct uia_session *s = xcalloc(1, sizeof *s);
    random_name(s->id, ID_LEN);
    s->operation = xstrdup(operation);
    s->user = user;
    s->ends_ms = now_ms + LIFETIME_MS;
    while (uia->by_age != NULL && (HASH_COUNT(uia->by_id) >= uia->max || uia->by_age->ends_ms <= now_ms))
        session_end(uia, uia->by_age);
    HASH_ADD_STR(uia->by_id, id, s);
    DL_APPEND(uia->by_age, s);
    return s;
}

/* NULL: unknown or too old */
static struct uia_session *session_find(struct uia *uia, const char *id, int64_t now_ms)
{
    struct uia_session *s = NULL;
    if (id != NULL)
        HASH_FIND_STR(uia->by_id, id, s);
    return s != NULL && s->ends_ms > now_ms ? s : NULL;
}

static bool is_done(const struct uia_result *done, const char *type)
{
    return uia_value(done, type) != NULL;
}

const char *uia_value(const struct uia_result *result, const char *type)
{
    for (size_t i = 0; i < result->n; ++i)
        if (strcmp(result->stages[i].type, type) == 0)
            return result->stages[i].value;
    return NULL;
}

static void mark_done(struct uia_result *done, const char *type, const char *value)
{
    if (is_done(done, type) || done->n == UIA_STAGES_MAX)
        return;
    done->stages[done->n].type = type;
    snprintf(done->stages[done->n].value, sizeof done->stages[done->n].value, "%s", value);
    ++done->n;
}

static bool flow_complete(const struct uia_flow *flow, const struct uia_result *done)
{
    for (size_t i = 0; i < flow->n; ++i)
        if (!is_done(done, flow->stages[i]->type))
            return false;
    return flow->n > 0;
}

static bool complete(const struct uia_flow *flows, size_t n, const struct uia_result *done)
{
    for (size_t i = 0; i < n; ++i)
        if (flow_complete(&flows[i], done))
            return true;
    return false;
}

static const struct uia_stage *stage_of(const struct uia_flow *flows, size_t n, const char *type)
{
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < flows[i].n; ++j)
            if (strcmp(flows[i].stages[j]->type, type) == 0)
                return flows[i].stages[j];
    return NULL;
}

/* A stage that the person has completed on a page (m.oauth); NULL: none. */
static const struct uia_stage *stage_elsewhere(struct request *r, const struct uia_flow *flows, size_t n,
                                               const struct uia_result *done)
{
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < flows[i].n; ++j) {
            const struct uia_stage *stage = flows[i].stages[j];
            if (stage->elsewhere != NULL && !is_done(done, stage->type) && stage->elsewhere(r))
                return stage;
        }
    return NULL;
}

static json_t *flows_json(const struct uia_flow *flows, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; ++i) {
        json_t *stages = json_array();
        for (size_t j = 0; j < flows[i].n; ++j)
            json_array_append_new(stages, json_string(flows[i].stages[j]->type));
        json_array_append_new(list, json_pack("{s:o}", "stages", stages));
    }
    return list;
}

static json_t *params_json(struct request *r, const struct uia_flow *flows, size_t n)
{
    json_t *all = json_object();
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < flows[i].n; ++j) {
            const struct uia_stage *stage = flows[i].stages[j];
            json_t *params = stage->params != NULL ? stage->params(r) : NULL;
            if (params != NULL)
                json_object_set_new(all, stage->type, params);
        }
    return all;
}

/* The 401 answer; a failed stage's error in r->error goes into it. */
static bool ask(struct request *r, const struct uia_flow *flows, size_t n, const char *id,
                const struct uia_result *done)
{
    json_t *answer = json_object(), *completed = json_array();
    for (size_t i = 0; i < done->n; ++i)
        json_array_append_new(completed, json_string(done->stages[i].type));
    if (r->error.code != ERROR_NONE)
        error_members(&r->error, answer);
    json_object_set_new(answer, "flows", flows_json(flows, n));
    json_object_set_new(answer, "params", params_json(r, flows, n));
    json_object_set_new(answer, "session", json_string(id));
    json_object_set_new(answer, "completed", completed);
    r->error = (struct error){0};
    reply_reset(&r->reply);
    reply_json(r, answer);
    reply_status(r, 401);
    r->reply.complete = true;
    return false;
}

/* What one request knows of its session while no lock is held. */
struct session_view {
    char id[ID_LEN + 1];
    struct uia_result done;
    char *params; /* a copy, when the request carried nothing but auth; the caller frees it */
};

/* Remembers the parameters of a request that has some; gives back the remembered ones to one that has none. */
static void share_params(struct uia *uia, struct uia_session *s, json_t *body, struct session_view *view)
{
    if (json_object_size(body) == 0) {
        view->params = s->params != NULL ? xstrndup(s->params, s->params_len) : NULL;
        return;
    }
    struct text text = TEXT_INIT;
    json_add_canonical(&text, body);
    uia->params_bytes -= s->params_len;
    wipe(s->params, s->params_len);
    s->params = NULL;
    s->params_len = 0;
    if (text.len <= PARAMS_BYTES_MAX && uia->params_bytes + text.len <= ALL_PARAMS_BYTES_MAX) {
        s->params_len = text.len;
        s->params = text_take(&text);
        uia->params_bytes += s->params_len;
    } else {
        sodium_memzero(text.data, text.len);
    }
    text_finish(&text);
}

/* Finds the session named by the request, or makes one. false: it belongs to something else. */
static bool open_session(struct uia *uia, struct request *r, const char *id, struct session_view *view)
{
    struct text operation = TEXT_INIT;
    user_no user = r->identity.user;
    int64_t now_ms = clock_mono_ms();
    text_addf(&operation, "%s %s", method_name(r->method), r->path);
    pthread_mutex_lock(&uia->lock);
    struct uia_session *s = session_find(uia, id, now_ms);
    bool same = s == NULL || (s->user == user && strcmp(s->operation, operation.data) == 0);
    if (same) {
        if (s == NULL)
            s = session_new(uia, operation.data, user, now_ms);
        share_params(uia, s, r->body, view);
        memcpy(view->id, s->id, sizeof view->id);
        view->done = s->done;
    }
    pthread_mutex_unlock(&uia->lock);
    text_finish(&operation);
    return same || refuse(r, ERROR_FORBIDDEN, "This authentication session belongs to another operation.");
}

/* Writes what was proven into the session. true: a flow is complete, and the session was ended by this very call. */
static bool session_advance(struct uia *uia, struct session_view *view, const struct uia_flow *flows, size_t n,
                            const char *type, const char *value)
{
    pthread_mutex_lock(&uia->lock);
    struct uia_session *s = session_find(uia, view->id, clock_mono_ms());
    bool passed = false;
    if (s != NULL) {
        if (type != NULL)
            mark_done(&s->done, type, value);
        view->done = s->done;
        passed = complete(flows, n, &s->done);
        if (passed)
            session_end(uia, s);
    }
    pthread_mutex_unlock(&uia->lock);
    return passed;
}

/* Tries the stage that auth names. *type: what it proved, NULL: nothing. false: the error stands for itself. */
static bool try_stage(struct request *r, const struct uia_flow *flows, size_t n, const json_t *auth,
                      const struct uia_result *done, struct uia_attempt *attempt, const char **type)
{
    const char *wanted = json_get_string(auth, "type");
    const struct uia_stage *elsewhere = wanted == NULL ? stage_elsewhere(r, flows, n, done) : NULL;
    *type = elsewhere != NULL ? elsewhere->type : NULL;
    if (wanted == NULL || is_done(done, wanted)) /* only asks how far it is; completed stages are not tried again */
        return true;
    const struct uia_stage *stage = stage_of(flows, n, wanted);
    if (stage == NULL) {
        refuse(r, ERROR_UNRECOGNIZED, "This kind of authentication is not offered here.");
        return true;
    }
    if (stage->check == NULL || stage->check(r, auth, attempt)) {
        r->error = (struct error){0};
        *type = stage->type;
        return true;
    }
    if (r->error.code == ERROR_NONE)
        refuse(r, ERROR_FORBIDDEN, NULL);
    int status = error_status(&r->error); /* some are answers of their own rather than a chance to try again */
    return status != 429 && status < 500;
}

/* The body becomes the request's parameters alone. */
static void put_params(struct request *r, const struct session_view *view)
{
    struct error ignored = {0};
    json_t *params = view->params != NULL ? json_parse(view->params, strlen(view->params), &ignored) : NULL;
    if (params == NULL)
        return;
    json_decref(r->body);
    r->body = params;
}

static bool pass(struct request *r, const struct uia_flow *flows, size_t n, void *arg, const json_t *auth,
                 struct session_view *view)
{
    struct uia *uia = r->server->uia;
    struct uia_attempt attempt = {.arg = arg};
    const char *type;
    if (!open_session(uia, r, json_get_string(auth, "session"), view))
        return false;
    put_params(r, view);
    if (!try_stage(r, flows, n, auth, &view->done, &attempt, &type))
        return false;
    /* "Never succeeds without auth", even if nothing would have to be proven; but for what was proven elsewhere. */
    if ((auth != NULL || type != NULL) && session_advance(uia, view, flows, n, type, attempt.value))
        return true;
    return ask(r, flows, n, view->id, &view->done);
}

user_no uia_session_user(struct uia *uia, const char *id)
{
    pthread_mutex_lock(&uia->lock);
    const struct uia_session *s = session_find(uia, id, clock_mono_ms());
    user_no user = s != NULL ? s->user : 0;
    pthread_mutex_unlock(&uia->lock);
    return user;
}

bool uia_complete(struct uia *uia, const char *id, const char *type)
{
    pthread_mutex_lock(&uia->lock);
    struct uia_session *s = session_find(uia, id, clock_mono_ms());
    if (s != NULL)
        mark_done(&s->done, type, "");
    pthread_mutex_unlock(&uia->lock);
    return s != NULL;
}

bool uia_pass(struct request *r, const struct uia_flow *flows, size_t n, void *arg, struct uia_result *result)
{
    struct session_view view = {0};
    json_t *auth = NULL;
    if (!body_object_or_null(r, "auth", &auth))
        return false;
    json_incref(auth);
    json_object_del(r->body, "auth");
    bool passed = pass(r, flows, n, arg, auth, &view);
    r->proven = passed;
    if (result != NULL)
        *result = view.done;
    json_decref(auth);
    wipe(view.params, view.params != NULL ? strlen(view.params) : 0);
    return passed;
}
