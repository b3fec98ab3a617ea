/* Verbs that do what a route of the school API does: the same handler, called by the operator of the machine.
 *
 * Such a verb is data: where its arguments and options go in the request, and which members of the reply it prints,
 * with tabs between. Lists are paged through to their end. `parta` has no say of its own: what the API refuses to an
 * operator with every scope, it refuses here (school.md J3). */
#ifndef PARTA_CLI_API_VERB_H
#define PARTA_CLI_API_VERB_H

#include <stdbool.h>

#include "homeserver/cli/verb.h"
#include "homeserver/http/request.h"

/* For rows of tables of verbs: where every path of the API begins; what such a verb needs, and what runs it. */
#define API "/_parta/v1"
#define API_VERB VERB_CONFIG | VERB_WRITES, api_verb_run

/* Where something goes, by the first character: "?school": the query; ":name": a string of the body; "#uses": a whole
 * number of the body; "!enabled": a flag, true in the body; "/scopes": words with commas between, a list of the body;
 * "-enabled": a flag, false in the body; "^override", "^version": headers Parta-Override-Reason, If-Match; "=json":
 * prints the reply as it came. NULL, for an argument: it is in the path. */
struct api_verb {
    enum http_method method;
    const char *path;         /* "/_parta/v1/people/{0}/standing": {0}, {1} are arguments */
    const char *without_args; /* the path when no argument was given; NULL: the same */
    const char *args[VERB_ARGS_MAX];
    const char *options[VERB_OPTIONS_MAX]; /* in the order of verb->options */
    const char *body;                      /* a fixed body, JSON; NULL: {} to begin with */
    const char *input; /* VERB_INPUT: the member of the body that the file's JSON becomes; "": the body as bytes */
    const char *shows; /* a decision: the path of what is decided on. Without its "^version" it only shows that, a line
                          * a member, and call->asks says which version it was; NULL: no decision */
    const char *columns; /* "user_id roles.role family_name": of the reply, or each item of a list; what is called "ts"
                          * or "…_ts" as a day and a time; NULL: nothing but problems; "*": the reply as it came; "{}":
                          * the reply, laid out for reading */
    const char *lines;   /* a list of the reply, "difference", a line each before that of the columns; NULL: none */
};

/* Which of the options is "^version"; -1: none. */
int api_verb_version_option(const struct api_verb *api);

/* call->verb->api says what. */
bool api_verb_run(struct verb_call *call);

#endif
