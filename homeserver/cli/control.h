/* How `parta` acts while the server runs: it asks the server to.
 *
 * partad keeps much of the database in memory, so nobody else may write it (base/lock.h). It listens on a Unix socket
 * in its data directory, which only its own user (and root) can reach, and runs the same verb functions on its own
 * services, one call at a time, in a thread of their own. A call is a line of JSON (verb, arguments, options, the
 * length of the input) and the input's bytes. Then come notes of long work, a line of JSON each ({"note": "…"}), as
 * soon as there is something to tell; last the reply, one JSON object (done, misused, out, notes,
 * problem), and the end. */
#ifndef PARTA_CLI_CONTROL_H
#define PARTA_CLI_CONTROL_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/cli/services.h"

struct text;
struct verb_call;
struct control;

#define CONTROL_INPUT_MAX (256 << 20) /* bytes that a call brings */

/* Starts to listen. services is copied; what it points to must outlive control_stop; its db is not used. NULL: logged,
 * and the server goes on without. */
struct control *control_start(const struct services *services);
void control_stop(struct control *control); /* finishes the call that runs; NULL is accepted */

/* Has the server at path run the call. false: nobody answers there (call->problem says so). true: the call has its
 * output, problem and misused; *done is what the verb returned. Blocks. */
bool control_ask(const char *path, struct verb_call *call, bool *done);

/* --- Its parts, for whoever has only bytes (tests) --- */

/* The server's side: one call that comes by fd, into *call, which borrows from *head, for the caller to release in
 * either case. false: ill-formed, or nothing that the server does. Blocks until all of it is there. */
bool control_hear(int fd, struct verb_call *call, json_t **head);

/* parta's side. Passes on the notes that are whole, and keeps what follows them; then the reply: false: it is none. */
void control_take_notes(struct text *bytes, struct verb_call *call);
bool control_take_reply(const struct text *bytes, struct verb_call *call, bool *done);

#endif
