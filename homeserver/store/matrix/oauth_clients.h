/* Programs that people sign in with by the OAuth 2.0 API (Client-Server API, "Client registration"; RFC 7591).
 *
 * Anybody may register one, without signing in, and one that registers the same metadata is the same client: all who
 * use an application share its row. Rows are few (OAUTH_CLIENTS_MAX) and of bounded size; one that nobody is signed in
 * with goes once it has not been used for a day, or earlier when there is no more room. One with a session stays. */
#ifndef PARTA_STORE_MATRIX_OAUTH_CLIENTS_H
#define PARTA_STORE_MATRIX_OAUTH_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"

struct db;
struct tx;

#define OAUTH_CLIENTS_MAX 4000
#define OAUTH_CLIENT_ID_CHARS 22            /* 131 bits */
#define OAUTH_CLIENT_METADATA_MAX (8 << 10) /* bytes of metadata, as canonical JSON */

struct oauth_client_row {
    client_no no;
    char *client_id, *metadata; /* heap: oauth_client_row_finish. metadata: a JSON object as it was taken */
    int64_t used_ms;
};
void oauth_client_row_finish(struct oauth_client_row *row); /* frees its strings and empties it */

/* true: found, the caller finishes *row. Blocks (a read); also inside a job. */
bool oauth_clients_get(struct db *db, const char *client_id, struct oauth_client_row *row);

/* Inside a job. The client of that digest (sha256 of metadata), which is made if there is none; notes the use. */
bool oauth_clients_put(struct tx *tx, const char *client_id, const unsigned char digest[SHA256_BYTES],
                       const char *metadata, struct oauth_client_row *row);
bool oauth_clients_used(struct tx *tx, client_no no);

/* Inside a job. Forgets up to most of those that nobody has a session, or a code, of, the longest unused first; only
 * such as were not used since before_ms. How many it were. */
int oauth_clients_prune(struct tx *tx, int64_t before_ms, int most);
int64_t oauth_clients_count(struct db *db);

#endif
