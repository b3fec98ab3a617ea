/* What one person may have of each thing (school.md J5): everything that somebody can make, hold or ask for is bounded,
 * so that nobody fills the disk, or another's screen. A table that a person can fill is counted here, or is bounded
 * where it is written; tests/unit/bounds.c reads the schema and asks for each. */
#ifndef PARTA_STORE_BOUNDS_H
#define PARTA_STORE_BOUNDS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct db;

enum bound {
#define X(name, word, most, args, sql, ru, en) BOUND_##name,
#include "homeserver/store/bounds.def"
#undef X
    BOUND__COUNT
};

/* Inside the job, once the row is written: whether the person has no more than may be. scope: as bounds.def says for
 * this bound (a room, the other person, now in milliseconds); 0: none. false: *e is ERROR_BOUND with "org.parta.bound"
 * ("sessions: 100"), and the job must answer false. */
bool bound_kept(struct db *db, enum bound bound, user_no user, int64_t scope, struct error *e);

/* The same before it is written: whether there is room for so much more. */
bool bound_has_room(struct db *db, enum bound bound, user_no user, int64_t scope, int64_t more, struct error *e);

/* ERROR_BOUND of something that is counted elsewhere; word: static storage, for machines. Returns false. */
bool bound_refuse(struct error *e, const char *word, int64_t most);

/* "sessions", for machines; how many there may be. */
const char *bound_word(enum bound bound);
int64_t bound_most(enum bound bound);

#endif
