/* The audit log at rest (policy/audit/audit.h says what an entry is). Rows are only ever added. */
#ifndef PARTA_STORE_SCHOOL_AUDIT_H
#define PARTA_STORE_SCHOOL_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

#define AUDIT_HASH_BYTES 32
#define AUDIT_SIGNATURE_BYTES 64

struct audit_row {
    int64_t seq;
    const char *entry; /* canonical JSON; borrowed until the next row, like the rest */
    const unsigned char *hash, *signature;
    school_no school; /* 0: none */
    const char *act, *actor;
    int64_t report; /* F5: the report that it is about; 0: none */
};

/* The newest entry's number and hash, of a school's if it is not 0; without entries: 0 and zeros. */
int64_t audit_head(struct db *db, school_no school, unsigned char hash[AUDIT_HASH_BYTES]);

bool audit_insert(struct tx *tx, const struct audit_row *row); /* inside a job */

/* Which rows: beyond after, at most limit; school 0: of all; act, actor: "" for any (act: also "link." for all that
 * begin so). In order of seq; newest_first: before `after` (0: from the end), falling. */
struct audit_query {
    int64_t after;
    school_no school;
    int limit;
    const char *act, *actor;
    bool newest_first;
};
struct stmt *audit_query(struct db *db, const struct audit_query *query);
bool audit_next(struct stmt *q, struct audit_row *row);

#endif
