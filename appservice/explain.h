/* J1: what an application service may be told, for explain (policy/api/explain.c), which asks by
 * server->explain_service. */
#ifndef PARTA_APPSERVICE_EXPLAIN_H
#define PARTA_APPSERVICE_EXPLAIN_H

#include <jansson.h>

#include "homeserver/base/ids.h"

struct db;
struct server;

/* Of a user that a service has made: {"id", "schools": [sourcedIds that its registration names][, "may_be_told":
 * whether it may hear of that room]}, a new reference; room 0: of none. NULL: nobody's. Reads. */
json_t *appservice_explain(const struct server *server, struct db *db, user_no user, room_no room);

#endif
