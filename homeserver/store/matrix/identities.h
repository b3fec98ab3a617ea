/* Who somebody is elsewhere (school.md C1a): at which provider (its issuer) and by which subject, each once verified;
 * never a name or an address. One of these is one person's here; a person may have several (bound IDENTITIES).
 *
 * A row outlives a stop: whoever is locked out or closed by the office is found by it, and is refused. It goes with the
 * account that its owner closes, with an erasure, and with a claim that the office undoes. */
#ifndef PARTA_STORE_MATRIX_IDENTITIES_H
#define PARTA_STORE_MATRIX_IDENTITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;
struct user_row;

/* Borrowed. */
struct identity_of {
    const char *issuer, *subject;
};

struct identity_row {
    const char *issuer, *subject; /* valid while the callback runs */
    int64_t linked_ms;
};

/* Look-ups; also inside a job. */
user_no identities_owner(struct db *db, const struct identity_of *identity); /* 0: nobody's */
bool identities_any(struct db *db, user_no user);
int64_t identities_count(struct db *db, user_no user);
bool identities_or_password(struct db *db, const struct user_row *row); /* whether somebody has a way in already */
void identities_each(struct db *db, user_no user, void (*fn)(void *arg, const struct identity_row *row), void *arg);

/* Inside a job. insert: of one that is nobody's. delete: all of the person's at that issuer. */
bool identities_insert(struct tx *tx, user_no user, const struct identity_of *identity);
bool identities_delete(struct tx *tx, user_no user, const char *issuer);
bool identities_forget(struct tx *tx, user_no user);

#endif
