/* The frame of the school API, /_parta/v1/…: who calls, paging, writing once.
 *
 * JSON with snake_case names; people are named by Matrix id, schools and classes by sourcedId, the rest by number (as a
 * string). Lists answer {"items": […], "next": "…"}; `next` is absent on the last page. Errors are Matrix's ({"errcode",
 * "error"}), with "org.parta.rule" where a rule refused. docs/openapi.json describes it all; tests/api compares that file
 * with the route tables and with real replies.
 *
 * A caller is a person's access token, or an operator's ("parta_…"). Handlers don't ask what the caller may: the functions
 * that act do (policy/actor.h). */
#ifndef PARTA_POLICY_API_API_H
#define PARTA_POLICY_API_API_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/http/request.h"
#include "policy/actor.h"
#include "policy/roster/change.h"

/* Every route of the API that needs a caller has these flags (and ROUTE_BODY where it has one). */
#define ROUTE_CALLER (ROUTE_AUTH_OPTIONAL | ROUTE_OPERATOR_TOO)

/* Who calls; name and override_ (header Parta-Override-Reason) borrowed from the request. false: r->error. */
bool api_caller(struct request *r, struct actor *out);

struct api_page {
    int64_t after; /* items beyond this number */
    int limit;     /* 1 … 500; 100 when not said */
};
bool api_page(struct request *r, struct api_page *out);                   /* ?from=&limit=; false: r->error */
bool api_reply_list(struct request *r, json_t *items, int64_t next);      /* takes items; next 0: the last page */
bool api_reply_versioned(struct request *r, json_t *value, int64_t version); /* takes value; sets ETag */

/* One write: api_write runs act inside a writer's job and answers with act->reply.
 * Header Idempotency-Key: the same key with the same request by the same caller is answered as it was the first time, for a
 * day, without acting again; with another request it is refused (409). Both are decided inside the job. Header If-Match (the
 * ETag of a reply): if_version. */
struct api_act {
    struct changing_records records; /* tx, rooms, actor, e */
    struct request *r;               /* not r->db */
    int64_t if_version;              /* 0: whatever */
    json_t *reply;                   /* out: new reference; NULL: {} */
    int status;                      /* out: 200, or 201 for something new */
    int64_t version;                 /* out: of the record, for ETag; 0: none */
};
typedef bool api_act_fn(struct api_act *act, void *state);
bool api_write(struct request *r, api_act_fn *act, void *state);

/* Decoding, with r->error set when false or 0. Inside a job pass tx->db. */
user_no api_user(struct request *r, struct db *db, const char *user_id, struct error *e);
school_no api_school(struct db *db, const char *sourced_id, struct error *e);
class_no api_class(struct db *db, const char *sourced_id, struct error *e);

#endif
