/* Whose number is that: user_no → "@localpart:server" from memory.
 *
 * The mapping never changes, so the table only grows: a string, once handed out, stays valid until user_names_destroy,
 * and threads share it without a lock (a two-level array of atomic pointers, indexed by the number; numbers are dense).
 * It is not bounded: it costs some 60 bytes a user who was ever asked for, and a server has at most some hundred
 * thousand.
 *
 * The one danger is a number whose job is rolled back and which the next user gets. A name read through the writer's
 * connection is therefore believed only when a reader, or whoever has a session of it, has already seen that number or
 * a higher one committed; until then it is asked for again each time. */
#ifndef PARTA_STORE_MATRIX_USER_NAMES_H
#define PARTA_STORE_MATRIX_USER_NAMES_H

#include "homeserver/base/ids.h"

struct db;
struct user_names;

/* An empty table, never NULL; the name is copied. The caller destroys it once no thread asks it any more. */
struct user_names *user_names_create(const char *server_name);
void user_names_destroy(struct user_names *names); /* NULL is accepted */

/* The user's id, borrowed for the life of names; NULL: no such user (or the database failed). Reads the database when
 * the name is not in memory. Any thread, with that thread's connection; also inside a job. db NULL: memory alone is
 * asked. */
const char *user_names_get(struct user_names *names, struct db *db, user_no no);

/* Somebody has heard of the number after its commit: a session of it has asked for something. Any thread. */
void user_names_committed(struct user_names *names, user_no no);

/* The server's name, borrowed. */
const char *user_names_server(const struct user_names *names);

#endif
