/* What a person has let a program have and it has not fetched yet: authorization codes (RFC 6749, 4.1), and device
 * codes with their user codes (RFC 8628). Hashes only; a code stands for one person, one client, one device id.
 *
 * A code that was spent keeps its row for OAUTH_CODE_KEPT_MS, so that its second use is known for what it is (RFC 6749,
 * 4.1.2). Codes fall with a person's sessions (devices_delete_all) and with a new password: origin is the hash of the
 * one they had. */
#ifndef PARTA_STORE_MATRIX_OAUTH_CODES_H
#define PARTA_STORE_MATRIX_OAUTH_CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"

struct db;
struct tx;

#define OAUTH_CODES_MAX 10                 /* of a person; then the oldest goes */
#define OAUTH_CODE_KEPT_MS INT64_C(600000) /* after it has expired */
#define OAUTH_DEVICE_CODES_MAX 5000        /* of all */
#define OAUTH_DEVICE_CODES_OF_PLACE 200    /* asked for from one address: a school is behind one */

struct oauth_code_row {
    client_no client;
    user_no user;
    char *redirect_uri, *challenge, *device_id, *scope; /* heap: oauth_code_row_finish */
    unsigned char origin[TOKEN_HASH_BYTES];
    int64_t expires_ms;
    bool spent;
};
void oauth_code_row_finish(struct oauth_code_row *row); /* frees its strings and empties it */

/* Inside a job; the oldest of the person's beyond OAUTH_CODES_MAX go. Strings are borrowed; spent is not read. */
bool oauth_codes_insert(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES], const struct oauth_code_row *row);
/* Reads; one that is spent or has expired, too. false: there is none; the caller finishes *row in either case. */
bool oauth_codes_get(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES], struct oauth_code_row *row);
bool oauth_codes_spend(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES]);
bool oauth_codes_forget(struct tx *tx, user_no user); /* device codes that the person has allowed as well */

enum oauth_device_state { OAUTH_DEVICE_WAITING, OAUTH_DEVICE_ALLOWED, OAUTH_DEVICE_DENIED, OAUTH_DEVICE_STATE__COUNT };

struct oauth_device_code_row {
    client_no client;
    user_no user;                        /* who has allowed it; 0: nobody yet */
    char *client_id, *device_id, *scope; /* heap: oauth_device_code_row_finish. client_id: only read */
    char *address;                       /* likewise: from where the program asked */
    enum oauth_device_state state;
    unsigned char origin[TOKEN_HASH_BYTES];
    int64_t expires_ms, interval_ms, polled_ms;
};
void oauth_device_code_row_finish(struct oauth_device_code_row *row); /* the same */

/* Inside a job. false: there is such a user code, or the database failed. place: of the address that asks. */
bool oauth_device_codes_insert(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES],
                               const unsigned char user_code[TOKEN_HASH_BYTES],
                               const unsigned char place[TOKEN_HASH_BYTES], const struct oauth_device_code_row *row);
/* Reads: whether one more may wait of that place, and of all. */
bool oauth_device_codes_have_room(struct db *db, const unsigned char place[TOKEN_HASH_BYTES]);

/* By the code that the program has, and by the one that the person types. */
bool oauth_device_codes_get(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                            struct oauth_device_code_row *row);
bool oauth_device_codes_by_user_code(struct db *db, const unsigned char user_code[TOKEN_HASH_BYTES],
                                     struct oauth_device_code_row *row);

/* Inside a job. decide: true once, while it waits. */
bool oauth_device_codes_polled(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES], int64_t interval_ms);
bool oauth_device_codes_decide(struct tx *tx, const unsigned char user_code[TOKEN_HASH_BYTES],
                               enum oauth_device_state state, user_no user,
                               const unsigned char origin[TOKEN_HASH_BYTES]);
bool oauth_device_codes_remove(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES]);

/* Inside a job. Forgets up to most of each kind that expired before before_ms; how many it were. */
int oauth_codes_prune(struct tx *tx, int64_t before_ms, int most);

#endif
