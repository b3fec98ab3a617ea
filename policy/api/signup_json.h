/* What several resources of sign-up show and read alike. */
#ifndef PARTA_POLICY_API_SIGNUP_JSON_H
#define PARTA_POLICY_API_SIGNUP_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/http/request.h"
#include "homeserver/store/school/applications.h"
#include "policy/gate/school_gate.h"

/* Members "school", "school_name", "class", "class_title" of object, those that there are. */
void signup_json_place(json_t *object, struct db *db, school_no school, class_no class);
/* Members "given_name", "family_name", "middle_name", "birth_date", those that were said. */
void signup_json_person(json_t *object, const struct applicant *person);
json_t *signup_json_user(struct request *r, struct db *db, user_no user); /* "@…", new reference; 0: null */
json_t *signup_json_name(struct db *db, user_no user); /* the same: display name, "" if there is none */

/* D2: what the child's record says, where they are, and whether a correction is made at once or by the school. A
 * new reference. Reads. */
json_t *signup_json_child(struct request *r, user_no child);
/* Who is signed in: state, roles, applications, family, what they must know. NULL: r->error. */
json_t *signup_json_me(struct request *r);

/* An application, for those who decide (with what the record says now, of a correction) or for the applicant (with the
 * posts of who must confirm, A3). A new reference. Reads. */
json_t *signup_json_application(struct request *r, struct db *db, const struct application_row *row, bool own);

/* The same for an actor who could decide (application_may_see). D9: whoever may say how it stands with the child's
 * custody is told that this is why somebody waits, and needs a reason: "settled". */
json_t *signup_json_for_decider(struct request *r, const struct actor *actor, const struct application_row *row);

/* A1: a list of an office's papers (links, applications) goes through those alone that the caller can know of: of the
 * staff who are of one school, that school's; of the rest of the people none (false), so that neither its pages nor
 * their numbers tell of the others. *school: 0, or what the caller has named. */
bool signup_json_list_known(struct request *r, const struct actor *actor, school_no *school);

/* Members of an object of the body (NULL: says nothing). false: r->error. Borrowed from the body. */
bool read_applicant(struct request *r, const json_t *object, struct applicant *out);

/* ROUTE_PERSON: the caller's account may be pending if so said; a locked one is refused. */
bool caller_is_person(struct request *r, bool pending_too);

/* C5: a link that was opened in a session binds to it only when the body says so: {"bind_to": "@who.asks"}. */
bool bound_to_caller(struct request *r);

#endif
