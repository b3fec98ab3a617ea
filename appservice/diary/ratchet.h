/* Olm and Megolm as pure functions (Olm & Megolm specification): the narrow interface behind which the library stands.
 * ratchet_olm.c is libolm's, the only file that includes it; another library, such as vodozemac, takes its place by
 * another file with these functions.
 *
 * A state (account, session, group session) is a run of bytes in a struct text: the library's pickle, which is SECRET
 * and not encrypted; whoever keeps it seals it (crypto.c). A function that changes a state replaces its bytes only when
 * all went well, so what failed has changed nothing, and what was not put on disk has not happened.
 *
 * Whatever comes from outside is measured and taken apart here before the library sees it: strict unpadded base64,
 * lengths, tags and counters of a message, points of small order. Keys are 43 characters of base64. No function blocks;
 * one thread at a time for one state. */
#ifndef PARTA_DIARY_RATCHET_H
#define PARTA_DIARY_RATCHET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"

#define RATCHET_KEY_CHARS 43
#define RATCHET_SIGNATURE_CHARS 86
#define RATCHET_PLAIN_MAX 65536         /* bytes of what is encrypted: an event is no larger */
#define RATCHET_MESSAGE_CHARS_MAX 98304 /* base64 of a message */
#define RATCHET_OLM_COUNTER_MAX 100000  /* of a message in its chain; libolm skips 2000 at most */
#define RATCHET_GROUP_INDEX_MAX 1000000 /* of a message in its Megolm session */
#define RATCHET_ONE_TIME_MAX 50         /* keys made at once */

struct ratchet_identity {
    char curve25519[RATCHET_KEY_CHARS + 1], ed25519[RATCHET_KEY_CHARS + 1];
};

/* Wipes the bytes and frees them. */
void ratchet_wipe(struct text *secret);

/* Whether s is a Curve25519 key: 43 characters of base64, a point that is not of small order. */
bool ratchet_curve_key_good(const char *s);

/* --- The account --- */

/* These and all below: false: what came in is not good, or the library refused it; outputs are then not to be used.
 * account is replaced by a new one with a key of its own. */
bool ratchet_account_create(struct text *account);
bool ratchet_account_identity(const struct text *account, struct ratchet_identity *identity);
/* Signs n texts, each ended by a NUL: loading the account costs more than a signature. */
bool ratchet_account_sign(const struct text *account, char *const *texts, size_t n,
                          char (*signatures)[RATCHET_SIGNATURE_CHARS + 1]);
bool ratchet_account_make_one_time(struct text *account, size_t n); /* 1 … RATCHET_ONE_TIME_MAX */
bool ratchet_account_make_fallback(struct text *account);           /* the one before stays good until forgotten */
bool ratchet_account_forget_fallback(struct text *account);         /* the one before */
/* {"curve25519": {ID: KEY, …}} of what is not marked as published, JSON: public. */
bool ratchet_account_one_time(const struct text *account, struct text *json);
bool ratchet_account_fallback(const struct text *account, struct text *json);
bool ratchet_account_published(struct text *account);

/* --- Olm sessions --- */

/* A new session with a device, by its identity key and a one-time key of it that was claimed and whose signature was
 * checked. */
bool ratchet_session_outbound(const struct text *account, const char *their_curve25519, const char *their_one_time,
                              struct text *session);
/* A session from a pre-key message of theirs, whose one-time key is used up; and what the message says. */
bool ratchet_session_inbound(struct text *account, const char *their_curve25519, const char *message,
                             struct text *session, struct text *plain);
/* Whether a pre-key message is of this session. */
bool ratchet_session_matches(const struct text *session, const char *their_curve25519, const char *message);
bool ratchet_encrypt(struct text *session, const char *plain, size_t len, int *type, struct text *message);
bool ratchet_decrypt(struct text *session, int type, const char *message, struct text *plain);

/* --- Megolm --- */

bool ratchet_group_create(struct text *group); /* replaces *group by a new session at message 0 */
/* Its session_id, 43 characters of base64. */
bool ratchet_group_id(const struct text *group, char id[RATCHET_KEY_CHARS + 1]);
/* The session_key of m.room_key, at the message that is encrypted next: SECRET. */
bool ratchet_group_key(const struct text *group, struct text *key, uint32_t *index);
bool ratchet_group_encrypt(struct text *group, const char *plain, size_t len, struct text *message);

/* From the session_key of an m.room_key: *first_index is the first message that it can read. Whose it is the caller has
 * checked. */
bool ratchet_inbound_create(const char *session_key, struct text *inbound, char id[RATCHET_KEY_CHARS + 1],
                            uint32_t *first_index);
/* *index: the message's number in its session, by which the caller knows a replay. *plain: SECRET, replaced. */
bool ratchet_inbound_decrypt(struct text *inbound, const char *message, struct text *plain, uint32_t *index);

#endif
