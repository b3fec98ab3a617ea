/* F6: what is urgent breaks quiet hours. A message is marked by "org.parta.urgent": {"reason": "…"} in its content; the
 * rules (policy/rules/rules.c) say who may, and that there is a reason. Here it is counted, and put into the log. */
#ifndef PARTA_POLICY_SCHOOL_ROOMS_URGENT_H
#define PARTA_POLICY_SCHOOL_ROOMS_URGENT_H

#include <stdbool.h>

struct new_event;
struct tx;

/* A hook of the recorder (homeserver/rooms/rooms.h); rooms: struct rooms. false: the database failed. */
bool urgent_note(void *rooms, struct tx *tx, const struct new_event *event);

#endif
