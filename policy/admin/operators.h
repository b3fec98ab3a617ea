/* The regional operator's tokens: made and revoked by whoever runs the machine, or by an operator who has every scope.
 *
 * A token is told once and kept as its hash. Its name is what the audit log knows its holder by. J4: none makes another
 * that may do more, or lives longer, than itself. */
#ifndef PARTA_POLICY_ADMIN_OPERATORS_H
#define PARTA_POLICY_ADMIN_OPERATORS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/text.h"
#include "policy/records/change.h"

#define OPERATOR_TOKEN_PREFIX "parta_" /* no access token begins so */
#define OPERATOR_TOKEN_CHARS 43        /* random ones, 256 bits */
#define OPERATOR_TOKEN_BYTES 64        /* with prefix and NUL */

struct operator_plan {
    const char *name;   /* OPERATOR_NAME_MAX characters of [a-z0-9._-] */
    unsigned scopes;    /* enum operator_scope */
    int64_t expires_ms; /* 0: never */
};

/* Both inside a job; false or 0: *c->e. Returns the token's number. */
int64_t operator_create(struct changing_records *c, const struct operator_plan *plan, char token[OPERATOR_TOKEN_BYTES]);
bool operator_revoke(struct changing_records *c, int64_t no);

/* Whether the actor may see and make tokens. false: *e. */
bool operator_is_chief(const struct actor *actor, struct error *e);

#endif
