/* How many messages with codes went out, at rest: by the hour, a day back; for whom is kept as a hash. What is too many
 * is decided in accounts/code_limits.c. */
#ifndef PARTA_STORE_MATRIX_CODE_COUNTS_H
#define PARTA_STORE_MATRIX_CODE_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct db;
struct tx;

/* scope: a word of the caller's ("sms school"); name: whose ("": there is one only). Hours are those of the epoch.
 * Since first_hour, that hour counted. Blocks (a read). */
int64_t code_counts_since(struct db *db, const char *scope, const char *name, int64_t first_hour);

/* Inside a job. */
bool code_counts_add(struct tx *tx, const char *scope, const char *name, int64_t hour);
bool code_counts_purge(struct tx *tx, int64_t before_hour);

#endif
