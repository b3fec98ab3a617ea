/* Whom a person ignores (m.ignored_user_list in their account data; Client-Server API, "Ignoring Users"): their
 * messages, not their state, are left out of what that person reads, and do not count in aggregations. And whether a
 * person takes invites at all (m.invite_permission_config; "Invite permission"). */
#ifndef PARTA_ROOMS_IGNORED_H
#define PARTA_ROOMS_IGNORED_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

struct db;
struct event_row;

#define IGNORED_TYPE "m.ignored_user_list" /* the type of account data */
#define IGNORED_MAX 4096                   /* entries that count */

struct ignored {
    user_no *users; /* ascending; NULL when there are none */
    size_t n;
};

/* Reads the list. server_name: users of other servers do not exist here and are left out. Blocks (reads). */
void ignored_load(struct ignored *ignored, struct db *db, const char *server_name, user_no user);
void ignored_finish(struct ignored *ignored);

bool ignored_has(const struct ignored *ignored, user_no user); /* NULL: nobody is ignored */

/* Whether the user wants no invites: new ones are refused, those that are there are not shown. Blocks (a read). */
bool ignored_every_invite(struct db *db, user_no user);

#endif
