/* What the files of crypto.h share: rows, signed JSON, devices, Olm sessions, the outbox. */
#ifndef PARTA_DIARY_CRYPTO_PRIVATE_H
#define PARTA_DIARY_CRYPTO_PRIVATE_H

#include "appservice/diary/crypto.h"
#include "appservice/diary/ratchet.h"

#define OLM "m.olm.v1.curve25519-aes-sha2"
#define MEGOLM "m.megolm.v1.aes-sha2"

/* Kinds of rows. All but "room" and "user" hold secrets. */
#define ROW_ACCOUNT "account"   /* "": the account's pickle */
#define ROW_META "meta"         /* "": JSON: whose it is, what was uploaded */
#define ROW_IDENTITY "identity" /* "": seeds of the master, self-signing and user-signing key */
#define ROW_USER                                                                                                       \
    "user" /* user: JSON: {"stale", "master", "self_signing", "pinned", "devices": {ID: {"c", "e", "s", "x"}}} */
#define ROW_STALE "stale"   /* user: its devices are to be asked for */
#define ROW_OLM "olm"       /* user SP curve25519: sessions with a device, the one to use first */
#define ROW_ROOM "room"     /* room: JSON: members, rotation */
#define ROW_MINE "mine"     /* room: our session, whom it was shared with */
#define ROW_PAST "past"     /* room SP session: one before, without the ratchet */
#define ROW_THEIRS "theirs" /* room SP sender SP session: JSON and the ratchet */
#define ROW_OUTBOX "outbox" /* number: JSON of a sendToDevice */
#define ROW_HELD "held"     /* user SP number: JSON of a message to this device */

struct crypto {
    struct crypto_store store;
    struct crypto_rules rules;
    unsigned char key[CRYPTO_KEY_BYTES];
    char *user_id, *device_id;
    struct ratchet_identity me;
    struct text device_keys; /* our signed device keys, JSON */
    int depth;
    bool failed;    /* since the outermost bracket began */
    json_t *wanted; /* {user: {device: true: a dummy follows}}: whose one-time keys are to be claimed; a
                 * hint: it is made again */
    json_t *told;   /* {…: true}: to which requests for keys "withheld" was said; a hint, bounded */
    bool counts_known, fallback_used;
    int64_t one_time_count; /* on the server, as it last said */
};

/* --- Rows (crypto_rows.c) --- */

/* Nests. false: the store fails; crypto_leave must follow all the same. */
bool crypto_enter(struct crypto *c);
bool crypto_leave(struct crypto *c); /* commits the outermost; false: nothing of it is there */

int crypto_get(struct crypto *c, const char *kind, const char *name,
               struct text *plain); /* 1, 0, −1; wiped by caller */
/* Seals the bytes with the row's name and replaces the row. What fails here or below is not answered: it fails the
 * bracket, and crypto_leave says so. */
void crypto_put(struct crypto *c, const char *kind, const char *name, const struct text *plain);
void crypto_drop(struct crypto *c, const char *kind, const char *name);        /* there being none is no failure */
json_t *crypto_get_json(struct crypto *c, const char *kind, const char *name); /* an object; NULL: none, or failed */
/* As canonical JSON; a failure as in crypto_put. value is borrowed. */
void crypto_put_json(struct crypto *c, const char *kind, const char *name, const json_t *value);
json_t *crypto_names(struct crypto *c, const char *kind, const char *prefix, size_t max); /* an array of strings */

/* A row of several parts: numbers of 8 bytes, and bytes behind their length. */
struct parts {
    const char *at, *end;
    bool good;
};
/* add: behind what is there. The others go through a row from its beginning, which they borrow: what is not there is 0
 * or empty, and good is false from then on. */
void parts_add_int(struct text *row, int64_t n);
void parts_add(struct text *row, const char *bytes, size_t len);
struct parts parts_of(const struct text *row);
int64_t parts_int(struct parts *parts);
void parts_bytes(struct parts *parts, struct text *out);
bool parts_more(const struct parts *parts);

char *crypto_name(const char *a, const char *b, const char *c); /* "a b c", c NULL: "a b": heap */
/* To who opened us, if they want to hear. */
void crypto_tell(const struct crypto *c, enum crypto_news news, const char *user, const char *device, const char *room);
bool crypto_id_good(const char *id, char sigil); /* of a user or room, without spaces */
bool crypto_device_id_good(const char *id);      /* 1 … 255 bytes without control characters; NULL is not */
void json_wipe(json_t *value); /* drops the reference; the strings of objects in it are overwritten first */

/* --- Signed JSON (crypto_rows.c) --- */

char *signed_text(const json_t *object); /* what is signed of it: heap; NULL: it is not canonical or too large */
/* Whether signatures.{user}.{key_id} of the object is its signature by that key, in base64 (Appendices, "Checking for a
 * Signature"). false, too: nothing is there, NULL, ill-formed, not canonical. */
bool signed_by(const json_t *object, const char *user, const char *key_id, const char *ed25519);
/* Replaces it, and makes what is missing above it. Strings are copied. */
void signature_put(json_t *object, const char *user, const char *key_id, const char *signature);
/* Signs each of them by our device's key and puts the signature in. false: none has one, because one is not canonical
 * or the account could not be read. */
bool sign_by_device(struct crypto *c, json_t *const *objects, size_t n);

/* --- The account (crypto.c) --- */

json_t *crypto_meta(struct crypto *c);        /* a new reference; NULL: failed, and then the bracket has, too */
int64_t crypto_next_number(struct crypto *c); /* rises; for the outbox and what is held */

/* --- Devices (crypto_devices.c) --- */

struct device {
    const char *id, *curve25519, *ed25519; /* borrowed of the user's row */
    bool refused, cross_signed;
};
json_t *user_row(struct crypto *c, const char *user); /* NULL: not tracked, or failed */
/* The devices of somebody who is not known yet are to be asked for; our own user is not tracked. A failure is the
 * bracket's, here and below. */
void user_track(struct crypto *c, const char *user);
bool user_stale(const json_t *row); /* row: of user_row, NULL: stale */
/* Somebody tracked is to be asked for anew; an answer to a question that was asked before does not end it. */
void user_mark_stale(struct crypto *c, const char *user);
/* entry: of "devices" in a user's row, which lends the strings; NULL entry: refused. */
struct device device_of(const char *id, const json_t *entry);
/* The device of that key, as device_of. false: the row has none, or it is refused; *device may be another then. */
bool device_find(const json_t *row, const char *curve25519, struct device *device);
/* Why it gets no room keys, a code of m.room_key.withheld; NULL: it gets them. */
const char *device_withheld(const struct crypto *c, const json_t *row, const struct device *device);
json_t *devices_query(struct crypto *c); /* a request, NULL: nothing to ask */
enum crypto_answer devices_answered(struct crypto *c, const json_t *request, const json_t *body);

/* --- Olm sessions (crypto_sessions.c) --- */

struct olm_session {
    int64_t used_ms; /* when it last received, or was made */
    struct text pickle;
};
struct olm_row {
    int64_t unwedged_ms, no_key_ms; /* when a session was begun anew for it, when it had no one-time key; 0: never */
    size_t n;
    struct olm_session all[CRYPTO_SESSIONS_MAX + 1]; /* the latest used first */
};
/* *row without sessions when there is none. What cannot be read fails the bracket. The caller finishes it. */
void olm_row_get(struct crypto *c, const char *user, const char *curve25519, struct olm_row *row);
void olm_row_put(struct crypto *c, const char *user, const char *curve25519, struct olm_row *row); /* sorts and caps */
void olm_row_finish(struct olm_row *row); /* wipes the pickles */

/* Its one-time key is claimed with the next requests. dummy: once it has a session it is told so by an m.dummy. In
 * memory alone: lost, it is wanted again when somebody is written to. */
void session_want(struct crypto *c, const char *user, const char *device, bool dummy);
/* A request keys_claim, the caller's, of CRYPTO_REQUEST_USERS devices at most; NULL: nothing is wanted. */
json_t *sessions_claim(struct crypto *c);
enum crypto_answer sessions_answered(struct crypto *c, const json_t *request, const json_t *body, int64_t now_ms);
/* The content of m.room.encrypted for the device; content is JSON. NULL: there is no session, or failed. */
json_t *session_encrypt(struct crypto *c, const char *user, const struct device *device, const char *type,
                        const struct text *content);

/* Collects messages of one type and puts them into the outbox, at most CRYPTO_OUTBOX_DEVICES in one. */
struct outgoing {
    const char *type;
    json_t *messages; /* {user: {device: content}} */
    size_t n;
};
/* content is taken, NULL is nothing. finish puts the rest into the outbox; a failure is the bracket's. */
void outgoing_add(struct crypto *c, struct outgoing *out, const char *user, const char *device, json_t *content);
void outgoing_finish(struct crypto *c, struct outgoing *out);

/* --- Rooms (crypto_rooms.c) --- */

void rooms_retire(struct crypto *c); /* no session of any room is used again; what was shared can be asked for */
bool room_has(const json_t *room, const char *user); /* row ROW_ROOM; NULL for either: no */
/* An m.room_key_request of theirs: answered with the key, or m.room_key.withheld, into the outbox. Ignored: ill-formed,
 * of somebody who is not in the room, of a device that gets no keys. */
void room_key_request(struct crypto *c, const char *sender, const json_t *content);

/* --- What comes (crypto_receive.c) --- */

void receive_held(struct crypto *c, const char *user, int64_t now_ms); /* the user's devices are known now */

#endif
