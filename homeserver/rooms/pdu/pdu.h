/* Events as servers exchange and sign them (PDUs).
 *
 * At rest an event is a row; its PDU is put together from the row's fields by splicing text, without a tree: content is
 * kept as canonical JSON, and the other keys are written in their sorted order around it. From that text come the
 * content hash, the signature and, from room version 3 on, the event's id. (Server-Server API, "Signing Events"; room
 * versions, "Event format", "Event IDs"; Appendices, "Signing JSON".)
 *
 * No signature is at rest: the id does not cover it, and Ed25519 gives the same one whenever the same key signs the
 * same bytes, which neither time nor a redaction changes. It is made when an event leaves in this form (pdu_sign).
 *
 * The pdu_tree_ functions do the same on JSON trees, as the specification tells it: for events from outside, and as the
 * yardstick that the tests hold the splicing against.
 *
 * Nothing here blocks. A struct pdu borrows every string. */
#ifndef PARTA_ROOMS_PDU_PDU_H
#define PARTA_ROOMS_PDU_PDU_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/pdu/version.h"

#define PDU_BYTES_MAX 65536 /* the whole event as canonical JSON with its signatures */

struct pdu {
    const struct room_version *version;
    const char *room_id; /* NULL: a create event of version 12, which has none (an id given for it is not written) */
    const char *sender, *type;
    const char *state_key; /* NULL: not a state event */
    const char *content;   /* canonical JSON, an object */
    size_t content_len;
    const char *redacted; /* content as a redaction leaves it, for whoever knows it; NULL: worked out when asked for */
    size_t redacted_len;
    int64_t origin_server_ts; /* milliseconds since 1970 */
    int64_t depth;
    const char *const *prev_events; /* event ids */
    size_t n_prev;
    const char *const *auth_events; /* event ids */
    size_t n_auth;
    /* Versions 1 and 2 name events with their reference hashes beside: as many as ids, same order. NULL otherwise. */
    const unsigned char (*prev_hashes)[SHA256_BYTES];
    const unsigned char (*auth_hashes)[SHA256_BYTES];
    const char *redacts; /* event id, or NULL; not written from version 11 on, where it is in the content */
    const char *signer;  /* the server that signed, "school.example" */
    const char *key_id;  /* its key, "ed25519:a1" */
    unsigned char hash[SHA256_BYTES];         /* content hash */
    unsigned char signature[SIGNATURE_BYTES]; /* by signer with key_id: pdu_sign */
    char event_id[ID_BYTES_MAX + 1];
};

enum pdu_part {
    PDU_HASHES = 1,     /* write "hashes" from hash */
    PDU_SIGNATURES = 2, /* write "signatures" from signer, key_id and signature */
    PDU_REDACTED = 4,   /* write the redacted form (a row that is already redacted reads the same either way, if its
                         * redacts is NULL) */
    PDU_WHOLE = PDU_HASHES | PDU_SIGNATURES, /* as sent to other servers */
};

/* Appends the event in its version's federation format as canonical JSON, without "unsigned".
 * parts: of enum pdu_part. */
void pdu_add_text(struct text *out, const struct pdu *pdu, unsigned parts);

/* Completes an event of this server: fills in hash, signer, key_id and event_id (versions 1 and 2: event_id is chosen
 * by the caller before). server_name and key_id are borrowed by pdu: who will sign, which counts for the size. false:
 * *e is ERROR_TOO_LARGE: the event has more than PDU_BYTES_MAX bytes, or its sender, room_id, type, state_key or
 * event_id more than 255 (Client-Server API, "Size limits"). */
bool pdu_finish(struct pdu *pdu, const char *key_id, const char *server_name, struct error *e);

/* Signs a finished event: fills in signer, key_id and signature. server_name and key->id are borrowed by pdu. */
void pdu_sign(struct pdu *pdu, const struct signing_key *key, const char *server_name);

/* Whether a finished event keeps the size limits. false: as pdu_finish. */
bool pdu_check_size(const struct pdu *pdu, struct error *e);

/* The reference hash of a finished event: what versions 1 and 2 write beside its id, what later ids are made of. */
void pdu_reference_hash(const struct pdu *pdu, unsigned char out[SHA256_BYTES]);

/* The id that a reference hash gives in versions from 3 on. */
void pdu_event_id(const struct room_version *version, const unsigned char hash[SHA256_BYTES],
                  char out[ID_BYTES_MAX + 1]);

/* Version 12: the room's id from its create event's. */
void pdu_room_id(const char *create_event_id, char out[ID_BYTES_MAX + 1]);

/* The same on trees. event: an object in federation format; it is changed only where said. */
void pdu_tree_content_hash(const json_t *event, unsigned char out[SHA256_BYTES]);
void pdu_tree_reference_hash(const struct room_version *version, const json_t *event, unsigned char out[SHA256_BYTES]);

/* Sets event's "hashes" and adds server_name's signature to its "signatures". */
void pdu_tree_finish(const struct room_version *version, json_t *event, const struct signing_key *key,
                     const char *server_name);

/* Whether server_name signed the event's redacted form with that key. */
bool pdu_tree_verify(const struct room_version *version, const json_t *event, const char *server_name,
                     const char *key_id, const unsigned char public[32]);

/* Whether "hashes" holds the content hash. false: it was changed or redacted on the way. */
bool pdu_tree_hash_holds(const json_t *event);

/* Signs any object: adds to its "signatures" (Appendices, "Signing JSON"). */
void pdu_sign_json(json_t *object, const struct signing_key *key, const char *name);

/* Whether name signed the object with that key. */
bool pdu_verify_json(const json_t *object, const char *name, const char *key_id, const unsigned char public[32]);

#endif
