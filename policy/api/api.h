/* The frame of the school API, /_parta/v1/…: who calls, paging, writing once.
 *
 * JSON with snake_case names; people are named by Matrix id, schools and classes by sourcedId, the rest by number (as a
 * string). Lists answer {"items": […], "next": "…"}; `next` is absent on the last page. Errors are Matrix's
 * ({"errcode", "error"}), with "org.parta.rule" where a rule refused. docs/openapi.json describes it all; tests/api
 * compares that file with the route tables and with real replies.
 *
 * A caller is a person's access token, or an operator's ("parta_…"). Handlers don't ask what the caller may: the
 * functions that act do (policy/gate/school_gate.h). */
#ifndef PARTA_POLICY_API_API_H
#define PARTA_POLICY_API_API_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/days.h"
#include "homeserver/http/request.h"
#include "policy/gate/school_gate.h"
#include "policy/records/change.h"

/* Every route of the API that needs a caller has these flags (and ROUTE_BODY where it has one). */
#define ROUTE_CALLER (ROUTE_SESSION | ROUTE_OPERATOR | ROUTE_STRICT)
#define ROUTE_PERSON (ROUTE_CALLER | ROUTE_PEOPLE) /* of one's own account, family, applications */

/* Who calls; name and override_ borrowed from the request. Header Parta-Override-Reason (percent-encoded UTF-8,
 * policy/gate/reason.h) is the override's reason (J2). false: r->error. */
bool api_caller(struct request *r, struct actor *out);

/* For routes with ROUTE_PROVES: the caller proves once more who they are, by the password (client-api's proof_flow,
 * counted by account as every guess at it is); an operator's token is its own proof. false: the answer that asks for it
 * stands, or r->error. Without it api_write does nothing. */
bool api_proven(struct request *r);

/* school_gate for what is only read, through r->db. false: r->error. */
bool api_may(struct request *r, const struct actor *actor, enum act act, const struct subject *subject);
bool api_shows(struct request *r, const struct actor *actor, enum act act, const struct subject *subject); /* quietly */

bool api_if_match(struct request *r, int64_t *version); /* the ETag that If-Match names; 0: none, or "*". false:
                                                        * r->error */
bool api_reply_versioned(struct request *r, json_t *value, int64_t version); /* takes value; sets ETag */

/* One write: api_write runs act inside a writer's job and answers with act->reply.
 * Header Idempotency-Key: the same key with the same request by the same caller is answered as it was the first time,
 * for a day, without acting again; with another request it is refused (409). Both are decided inside the job
 * (idempotency.h). What was refused has changed nothing and may be tried again with the same key. Header If-Match (the
 * ETag of a reply): if_version, which a route with ROUTE_DECIDES needs. */
struct api_act {
    struct changing_records records; /* tx, rooms, actor, e */
    struct request *r;               /* not r->db */
    int64_t if_version;              /* 0: whatever */
    json_t *reply;                   /* out: new reference; NULL: {} */
    int status;                      /* out: 200, or 201 for something new */
    int64_t version;                 /* out: of the record, for ETag; 0: none */
};
typedef bool api_act_fn(struct api_act *act, void *state);
/* Runs act in a job and answers with what it left in struct api_act. state is handed to act, which may be on another
 * thread, until this returns. false: r->error says why, and nothing was changed. Blocks (disk). */
bool api_write(struct request *r, api_act_fn *act, void *state);

/* Decoding: 0: *e is ERROR_NOT_FOUND. Inside a job pass tx->db and records.e, otherwise r->db and &r->error. Whoever
 * calls knows of the people and schools that they share a school with, and an operator of all; others are told as those
 * that do not exist (A1), and so is from whom they are kept, unless they are the office (D9). */
user_no api_user(struct request *r, struct db *db, const char *user_id, struct error *e);
school_no api_school(struct request *r, struct db *db, const char *sourced_id, struct error *e);
class_no api_class(struct request *r, struct db *db, const char *sourced_id, struct error *e);
room_no api_room(struct request *r, struct db *db, const char *room_id, struct error *e);

enum api_kind { API_PERSON, API_SCHOOL, API_CLASS, API_ROOM };
bool api_not_there(struct error *e, enum api_kind kind); /* ERROR_NOT_FOUND in the words of these; false */

/* Members of bodies beside request.h's: false: r->error. Absent: "" and otherwise. */
bool api_body_day(struct request *r, const char *key, school_day otherwise, school_day *out);
bool api_query_day(struct request *r, const char *key, school_day otherwise, school_day *out); /* of the query's */
bool api_day(struct request *r, const char *key, const char *text, school_day *out);           /* what text says */
bool api_body_name(struct request *r, const char *key, bool required, const char **out);       /* base/names.h */

/* Members of replies: nothing is set for NULL and "". Days: nor for "since ever" and "without end". */
void api_set(json_t *object, const char *key, const char *value);
void api_set_ms(json_t *object, const char *key, int64_t ms); /* nor for 0 */
void api_set_days(json_t *object, school_day begin, school_day end);
json_t *api_user_id(struct request *r, const char *localpart); /* new reference; NULL: json null */

/* The whole lines of a text, as strings: a new reference. Those beyond so many bytes are left out;
 * *left_out: how many. */
json_t *api_lines(const struct text *lines, size_t bytes_max, int64_t *left_out);

/* A number from the path ("{linkId}"); 0: none, which nothing has. */
int64_t api_number(const char *text);

#endif
