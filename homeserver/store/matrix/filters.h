/* Filters that clients uploaded: a definition under a number, per user (Client-Server API, "Filtering").
 *
 * The same definition keeps its number. A user has at most FILTERS_PER_USER, of FILTERS_BYTES_PER_USER together; then
 * the oldest go, since clients make a filter anew when theirs is not known any more. Numbers are not used twice, not
 * even when a copy of the database has been put back: they are the time, in milliseconds, or one more than the last. */
#ifndef PARTA_STORE_MATRIX_FILTERS_H
#define PARTA_STORE_MATRIX_FILTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

#define FILTERS_PER_USER 200
#define FILTERS_BYTES_PER_USER 1048576

struct db;
struct tx;

/* The definition as it was put: a copy that the caller frees; NULL: there is none. Blocks (a read). */
char *filters_get(struct db *db, user_no user, int64_t filter_no);

/* The number (> 0) under which the user has this definition; 0: not yet. Blocks (a read). */
int64_t filters_find(struct db *db, user_no user, const char *definition);

/* Inside a job: keeps a definition (canonical JSON), if it is not there yet, and says its number in *filter_no. */
bool filters_put(struct tx *tx, user_no user, const char *definition, int64_t *filter_no);

/* Inside a job: forgets all of the user's (deactivation). */
bool filters_forget(struct tx *tx, user_no user);

#endif
