/* Redactions, and what goes with them (Client-Server API, "Redactions"; MSC3912). Inside a writer's job. */
#ifndef PARTA_ROOMS_ACTS_REDACTION_H
#define PARTA_ROOMS_ACTS_REDACTION_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/rooms.h"

struct tx;

/* Of what relates to the event, the newest so many go with it; asked once more, the rest. */
#define REDACTION_RELATED_MAX 200

/* Redacts draft->redacts, and in the same job what relates to it by one of rel_types ("*": any): names with a NUL
 * behind each and another behind the last ("": nothing does). An edit that is none ("Validity of replacement events")
 * does not relate. Each of them is asked of the gate and of event authorization by itself, and one that the sender may
 * not redact stays. false: *e, and nothing was. */
bool redaction_act(struct room *room, struct tx *tx, const struct draft *draft, const char *rel_types,
                   struct appended *out, struct error *e);

#endif
