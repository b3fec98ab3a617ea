/* From the row back to the PDU, which is signed here: no signature lies in the row (pdu.h).
 *
 * Names of earlier events (prev_events, auth_events) are positions in the row; here they become ids again. A redacted
 * row gives the redacted event, whose reference hash is the same. */
#ifndef PARTA_ROOMS_PDU_PDU_ROW_H
#define PARTA_ROOMS_PDU_PDU_ROW_H

#include <stdbool.h>

#include "homeserver/rooms/pdu/pdu.h"
#include "homeserver/store/matrix/events.h"

struct db;
struct user_names;

/* A PDU with the strings it borrows. */
struct pdu_row {
    struct pdu pdu;
    char *room_id, *content, *type, *state_key, *redacts;
    char *ids[1 + 32]; /* prev_events, then auth_events */
    unsigned char hashes[1 + 32][SHA256_BYTES];
    const char *prev[1], *auth[32];
    bool redacted; /* the content is what was left of it: its hash does not hold */
};

/* Reads. NULL: there is no such room, or its version is none that is known. */
const struct room_version *room_version_of(struct db *db, room_no room);

/* Puts the event at pos together and signs it with the server's own key. false: there is no such event, or it is
 * damaged. Finish it either way. */
bool pdu_row_load(struct pdu_row *out, struct db *db, struct user_names *names, const struct signing_key *key,
                  const char *server_name, stream_pos pos);
void pdu_row_finish(struct pdu_row *row);

/* Whether the event at pos is whole: its id is its reference hash and, unless it was redacted, its content hash
 * holds. */
bool pdu_row_check(struct db *db, struct user_names *names, const struct signing_key *key, const char *server_name,
                   stream_pos pos);

#endif
