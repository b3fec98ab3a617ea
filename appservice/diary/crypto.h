/* End-to-end encryption for the bridge (Client-Server API, "End-to-End Encryption"): one device of one user, in bytes
 * and JSON. It speaks to nobody: what is to be asked of the homeserver it gives as requests (crypto_outgoing), and is
 * told what came back (crypto_answered). The library beneath stands behind ratchet.h.
 *
 * WHAT LEAVES IS ON DISK. Every call brackets the store: it reads rows, computes, writes rows, commits, and only then
 * answers; nothing is kept in memory that a row does not say, so what failed has changed nothing, and a ratchet that
 * moved is on disk before the message that it made is out of this module. A position of a ratchet is thus never used
 * twice, whenever the program is killed: at worst one is skipped. Messages to devices wait as rows with a transaction
 * id until they are answered, so that a kill between sharing a key and sending it loses no key, and repeats none. A
 * caller that has an outbox in the same database brackets several calls by crypto_begin and crypto_commit: then nothing
 * of what they answered may leave before crypto_commit has answered true.
 *
 * AT REST every row is sealed by libsodium (XChaCha20-Poly1305) with the key of a key file and the row's own name, so
 * that none can be read, changed, or put in another's place. A whole older copy of the store cannot be told from the
 * present one: whoever puts a backup back calls crypto_restored, which gives up every session that it holds.
 *
 * TRUST. Device keys count as signed by themselves, and by what their user's self-signing key says of them; a device
 * whose keys change is refused; a user's master key is pinned when it is first seen (rules). To whom is encrypted is
 * asked anew at each message: a device or member that left has the session of the room changed.
 *
 * Bounds: below. One instance, one thread at a time. Calls block as the store does. JSON arguments are borrowed. */
#ifndef PARTA_DIARY_CRYPTO_H
#define PARTA_DIARY_CRYPTO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"

#define CRYPTO_KEY_BYTES 32
#define CRYPTO_DEVICES_MAX 50        /* of a user; more are not encrypted to */
#define CRYPTO_SESSIONS_MAX 5        /* Olm sessions with a device; the specification asks for 4 at least */
#define CRYPTO_MEMBERS_MAX 2000      /* of an encrypted room */
#define CRYPTO_ONE_TIME_WANTED 50    /* of our one-time keys on the server */
#define CRYPTO_REQUEST_USERS 100     /* of one request */
#define CRYPTO_CLEAR_MAX 44000       /* bytes of a clear event: in base64 it has to fit into one of 65536 */
#define CRYPTO_ROTATION_MESSAGES 100 /* unless the room says less; never above 1000 */
#define CRYPTO_ROTATION_MS (INT64_C(7) * 24 * 3600 * 1000)
#define CRYPTO_SHARES_MAX 32     /* positions at which a session is shared; then a new one is begun */
#define CRYPTO_PAST_MAX 8        /* earlier sessions of a room whose keys can be asked for again */
#define CRYPTO_KEY_ANSWERS_MAX 3 /* to requests for a session's key, to a device */
#define CRYPTO_INBOUND_MAX 10    /* sessions of one sender in one room */
#define CRYPTO_INDICES_MAX 2000  /* messages of a session whose replay is known by name */
#define CRYPTO_HELD_MAX 20       /* messages of one user's devices that we do not know yet */
#define CRYPTO_OUTBOX_DEVICES 50 /* of one sendToDevice */
#define CRYPTO_UNWEDGE_MS (INT64_C(3600) * 1000)
#define CRYPTO_FALLBACK_MS (INT64_C(3600) * 1000) /* between two fallback keys */

/* Where rows lie: (kind, name) and bytes. crypto_store_open below is SQLite's; tests have one in memory that fails.
 * get: 1, or 0: there is none, or −1: it failed (then commit must fail, too). names: calls each for every name of the
 * kind that begins with prefix, in byte order, at most max of them; each may not call the store. */
struct crypto_store {
    void *self;
    bool (*begin)(void *self);
    bool (*commit)(void *self);   /* false: nothing since begin is there, nor will be */
    void (*rollback)(void *self); /* after a begin that failed, too */
    int (*get)(void *self, const char *kind, const char *name, struct text *value);
    bool (*put)(void *self, const char *kind, const char *name, const void *value, size_t len);
    bool (*drop)(void *self, const char *kind, const char *name);
    bool (*names)(void *self, const char *kind, const char *prefix, size_t max, void (*each)(void *, const char *),
                  void *argument);
};

/* The table of crypto_store_open, for the migrations of whoever owns the database. */
#define CRYPTO_STORE_SCHEMA                                                                                            \
    "CREATE TABLE crypto (kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, name))"      \
    " STRICT, WITHOUT ROWID;"
struct db;
/* Borrows db, and joins a transaction that is open already. For crypto_open, and as long as what it gave is open. */
struct crypto_store *crypto_store_open(struct db *db);
void crypto_store_close(struct crypto_store *store); /* NULL is accepted */

/* The key of the seal: a file of 43 characters of base64, made with mode 0600 when it is not there. Lost, the device is
 * lost. false: *problem says why. Blocks. */
bool crypto_key_load(const char *path, unsigned char key[CRYPTO_KEY_BYTES], struct text *problem);

enum crypto_news {
    CRYPTO_NEW_KEY,          /* a room key came: what could not be read of this user and room may be now */
    CRYPTO_DEVICE_CHANGED,   /* a device has other keys than it had: refused */
    CRYPTO_DEVICE_REFUSED,   /* its keys are not signed as they must be, or are ill-formed */
    CRYPTO_TOO_MANY_DEVICES, /* some are left out */
    CRYPTO_IDENTITY_CHANGED, /* the master key is another than was pinned */
    CRYPTO_MESSAGE_REFUSED,  /* a message to this device, or one of a room, that is not what it says */
    CRYPTO_UNREADABLE,       /* a message of a known device that its sessions cannot read */
    CRYPTO_REPLAYED,         /* another event under the number of one that was read */
    CRYPTO_NO_KEYS,          /* a device has no one-time keys left; it goes without */
};

struct crypto_rules {
    bool signed_only;    /* of users who have cross-signing keys, only devices signed by them get room keys */
    bool pin_identities; /* a user whose master key changed gets none until crypto_accept_identity */
    /* What an operator should hear of; may be NULL. device and room may be NULL. Must not call this module. */
    void (*tell)(void *self, enum crypto_news news, const char *user_id, const char *device, const char *room_id);
    void *self;
};

const char *crypto_news_name(enum crypto_news news); /* "device_changed" */

enum crypto_answer {
    CRYPTO_DONE,
    CRYPTO_ASK,     /* not yet: crypto_outgoing has what is to be asked first; then again */
    CRYPTO_UNKNOWN, /* the key of this message has not come; CRYPTO_NEW_KEY may tell */
    CRYPTO_REFUSED, /* never: it is not what it says */
    CRYPTO_FAILED   /* the store failed: nothing has changed */
};

struct crypto;

/* The account of user and device, made when the store has none. NULL: *problem says why: a key that does not fit, the
 * account of another device, a store that fails. rules is copied. */
struct crypto *crypto_open(const struct crypto_store *store, const unsigned char key[CRYPTO_KEY_BYTES],
                           const char *user_id, const char *device_id, const struct crypto_rules *rules,
                           struct text *problem);
void crypto_close(struct crypto *crypto); /* wipes what it holds; NULL is accepted */

/* One bracket around several calls; crypto_commit false: none of them happened, and what they answered is void. */
bool crypto_begin(struct crypto *crypto);
bool crypto_commit(struct crypto *crypto);

/* The store is a copy of an earlier time (or may be): no session of it is used again, a new fallback key is offered. */
bool crypto_restored(struct crypto *crypto);

/* Our device's public keys, 43 characters of base64: borrowed, the same until crypto_close. */
const char *crypto_curve25519(const struct crypto *crypto);
const char *crypto_ed25519(const struct crypto *crypto);

/* --- What goes to the homeserver --- */

/* What is to be sent now, in this order, an array of {"kind", "body", …}; the caller owns it. NULL: the store failed.
 *   keys_upload             POST keys/upload
 *   device_signing_upload   POST keys/device_signing/upload
 *   signatures_upload       POST keys/signatures/upload
 *   keys_query, keys_claim  POST keys/query, keys/claim
 *   to_device               PUT sendToDevice/{event_type}/{txn_id}, both members of the request
 * The same is given again until it is answered; a room's message leaves after what was given before it. */
json_t *crypto_outgoing(struct crypto *crypto, int64_t now_ms);

/* A request of crypto_outgoing was answered with status 200 and this body. CRYPTO_REFUSED: the body is none of that
 * kind; then nothing changed. */
enum crypto_answer crypto_answered(struct crypto *crypto, const json_t *request, const json_t *body, int64_t now_ms);

/* A request keys_query for these users, as far as they are in a room: of whom nobody tells when their devices change
 * (who is invited). The caller's; its answer is for crypto_answered. NULL: there is nobody to ask for. */
json_t *crypto_query(struct crypto *crypto, const json_t *users);

/* --- What comes from the homeserver --- */

/* device_one_time_keys_count and device_unused_fallback_key_types, of /sync or of an application service's
 * transaction. NULL: not said. */
void crypto_counts(struct crypto *crypto, const json_t *counts, const json_t *unused_fallback);

/* device_lists: changed is asked again, left is forgotten. NULL or not arrays: nothing. */
bool crypto_device_lists(struct crypto *crypto, const json_t *changed, const json_t *left);

/* A message to this device: {"type", "sender", "content"}. CRYPTO_ASK: it is kept until its sender's devices are known.
 * Of room keys, requests for keys, and dummies; others are CRYPTO_REFUSED, and so are messages of who is in no room
 * that crypto_room was told of: who came in the same transaction is told of first. */
enum crypto_answer crypto_receive(struct crypto *crypto, const json_t *event, int64_t now_ms);

/* An m.room.encrypted event of a room: CRYPTO_DONE with {"type", "content", "device_id"} in *clear, which the caller
 * owns. An event that was read before may be read again; another under its number is a replay, CRYPTO_REFUSED. */
enum crypto_answer crypto_decrypt(struct crypto *crypto, const char *room_id, const json_t *event, json_t **clear);

/* --- Rooms --- */

/* Who is in the room (joined or invited, ours left out or not), and the content of its m.room.encryption, which must be
 * m.megolm.v1.aes-sha2. Whoever is missing since the last time has the session changed. CRYPTO_REFUSED: another
 * algorithm, too many members, ill-formed ids. */
enum crypto_answer crypto_room(struct crypto *crypto, const char *room_id, const json_t *settings,
                               const char *const *members, size_t n);

/* Somebody left, even if they are back already (v1.19): the next message has a new session. */
bool crypto_room_left(struct crypto *crypto, const char *room_id);
bool crypto_room_forget(struct crypto *crypto, const char *room_id); /* the bridge itself left it */

/* The content of m.room.encrypted in *encrypted, which the caller owns, and the keys of it shared with all who are to
 * read it: what crypto_outgoing then gives is sent before the message. type, content: of the clear event; relates_to
 * (m.relates_to) stays in clear, as the specification asks. CRYPTO_ASK: devices must be asked for first; again after
 * that. */
enum crypto_answer crypto_encrypt(struct crypto *crypto, const char *room_id, const char *type, const json_t *content,
                                  int64_t now_ms, json_t **encrypted);

/* A person looked at it: the user's master key as it is now is pinned. */
bool crypto_accept_identity(struct crypto *crypto, const char *user_id);

#endif
