/* User-interactive authentication (Client-Server API, "User-Interactive Authentication API").
 *
 * A handler that needs it lists its flows and asks uia_pass first:
 *
 *     static const struct uia_stage *const PASSWORD[] = {&STAGE_PASSWORD};
 *     static const struct uia_flow FLOWS[] = {{PASSWORD, 1}};
 *     …
 *     if (!uia_pass(r, FLOWS, 1, NULL, &result))
 *         return false;
 *
 * A session is made by the first request without (complete) authentication and named in the 401 answer. It is bound to
 * the operation (method and path as they came) and to the signed-in user if there is one; it remembers the stages that
 * were completed and the request's parameters, so that a later request may carry the auth object alone. It ends when a
 * flow is complete (exactly one request passes), after 15 minutes, or when newer sessions push it out. All of it is in
 * memory: a restart makes people begin again.
 *
 * Any thread; checks run on the worker that asks, without a lock held, and may block (a password hash: ROUTE_HASH). */
#ifndef PARTA_HTTP_UIA_H
#define PARTA_HTTP_UIA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct metrics;
struct request;
struct uia;

#define UIA_STAGES_MAX 8  /* different stages of one operation */
#define UIA_VALUE_MAX 128 /* bytes with the NUL */

/* What a check is told and may leave behind. */
struct uia_attempt {
    void *arg;                 /* what the handler gave uia_pass */
    char value[UIA_VALUE_MAX]; /* out: kept with the completed stage, for the handler (a registration token, …); "" */
};

/* One way to prove something. type: "m.login.password", static storage.
 * check: whether auth (the request's auth object, borrowed) completes the stage. false: r->error says why; a refusal
 * goes into the 401 answer beside the flows, ERROR_LIMIT_EXCEEDED and the server's own failures (5xx) go out as they
 * are. NULL: the stage needs no proof (m.login.dummy: UIA_DUMMY). elsewhere: whether it was completed elsewhere, asked
 * where auth names no stage, also where there is none; NULL: it never is. params: what the client must know beforehand,
 * a new reference, or NULL; the callback itself may be NULL. */
struct uia_stage {
    const char *type;
    bool (*check)(struct request *r, const json_t *auth, struct uia_attempt *attempt);
    json_t *(*params)(struct request *r);
    bool (*elsewhere)(struct request *r);
};

extern const struct uia_stage UIA_DUMMY; /* m.login.dummy: always succeeds, but must be asked for */

/* Stages that together let the request pass. They may be completed in any order. */
struct uia_flow {
    const struct uia_stage *const *stages;
    size_t n;
};

/* What was proven, for the handler. */
struct uia_result {
    size_t n;
    struct {
        const char *type; /* static storage */
        char value[UIA_VALUE_MAX];
    } stages[UIA_STAGES_MAX];
};

/* max: how many sessions at once; the oldest goes when one more is needed. */
struct uia *uia_create(size_t max);
void uia_destroy(struct uia *uia); /* NULL is accepted */

/* True: a flow is complete, *result (may be NULL) says which stages were completed, and r->body holds the request's
 * parameters without auth (the remembered ones if this request carried only auth). false: return false at once: the
 * reply, or the error, is filled in. The route has ROUTE_BODY. Uses r->server->uia. */
bool uia_pass(struct request *r, const struct uia_flow *flows, size_t n, void *arg, struct uia_result *result);

/* The value left by a completed stage, NULL if that stage was not part of it. Borrowed from *result. */
const char *uia_value(const struct uia_result *result, const char *type);

/* For a page that completes a stage in a browser ("Fallback"): whose unfinished session that is; 0: nobody's, or it is
 * over. Whoever made it knows the id. */
user_no uia_session_user(struct uia *uia, const char *id);

/* The stage is completed there; the client goes on with the session alone. false: the session is over. type: static
 * storage. */
bool uia_complete(struct uia *uia, const char *id, const char *type);

size_t uia_count(struct uia *uia);                          /* how many sessions there are */
void uia_metrics(struct uia *uia, struct metrics *metrics); /* uia lives as long as metrics are asked for */

#endif
