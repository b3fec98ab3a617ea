/* Operators' tokens at rest: hashes only (base/crypto.h, token_hash). Names are unique for ever: the audit log knows an
 * operator by its name. */
#ifndef PARTA_STORE_SCHOOL_OPERATORS_H
#define PARTA_STORE_SCHOOL_OPERATORS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/store/driver/db.h"

struct tx;

#define OPERATOR_NAME_MAX 48 /* characters of [a-z0-9._-] */

struct operator_row {
    int64_t no;
    const char *name, *scopes;                  /* borrowed from the statement; scopes: words with spaces between */
    int64_t created_ms, expires_ms, revoked_ms; /* 0: never */
};

/* By token; also one that has expired or was revoked: operator_valid. */
struct stmt *operators_find(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES]);
struct stmt *operators_by_name(struct db *db, const char *name);      /* likewise; names are unique */
struct stmt *operators_list(struct db *db, int64_t after, int limit); /* by number */
bool operators_next(struct stmt *q, struct operator_row *row);

/* Neither revoked nor expired. Pure. */
bool operator_valid(const struct operator_row *row, int64_t now_ms);

/* Inside a job. insert: 0: the name is taken (or the database failed). expires_ms 0: never. */
int64_t operators_insert(struct tx *tx, const char *name, const unsigned char hash[TOKEN_HASH_BYTES],
                         const char *scopes, int64_t expires_ms);
bool operators_revoke(struct tx *tx, int64_t no);

#endif
