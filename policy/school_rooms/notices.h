/* Server notices (Client-Server API, "Server Notices"): what the administration tells one person in the server's name.
 *
 * A person has one room for them, which is made by the first; its only other member is the service user, who is the
 * sender. The person is invited, cannot decline (homeserver/rooms/acts/membership.c) and may leave once they have
 * joined: the next notice invites again. It is nobody else's business (rules: ROOM_NOTICES is like one's own
 * documents), and there is nothing to write there. */
#ifndef PARTA_POLICY_SCHOOL_ROOMS_NOTICES_H
#define PARTA_POLICY_SCHOOL_ROOMS_NOTICES_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "policy/records/change.h"

#define NOTICE_BYTES_MAX 4096
#define NOTICES_A_DAY 20 /* to one person, whoever sends them (J5) */
#define TOLD_A_DAY 10    /* of which what the server tells by itself takes so many, and the rest waits */

/* Inside a job: ACT_NOTICE. body: what the person reads, UTF-8. The log says who told whom, not what. event_id: of the
 * message. false: *c->e, and the job must answer false. */
bool notice_send(struct changing_records *c, user_no user, const char *body, char event_id[ID_BYTES_MAX + 1]);

/* Inside a job: what follows from an act that has been decided and is logged, told to somebody whom it concerns, in the
 * language that they have chosen, or in both; not asked of any gate, nor logged. ru, en: UTF-8, together of at most
 * NOTICE_BYTES_MAX. *many: they have had TOLD_A_DAY and this one is not said: the caller keeps it. false: *c->e. */
bool notice_tell(struct changing_records *c, user_no user, const char *ru, const char *en, bool *many);

#endif
