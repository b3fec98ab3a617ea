/* What the regional operator's tokens allow: scopes, their words, and what they must not give away (J4). */
#ifndef PARTA_POLICY_GATE_OPERATOR_H
#define PARTA_POLICY_GATE_OPERATOR_H

#include <stdint.h>

struct db;
struct text;

#define OPERATOR_ACTOR_PREFIX "operator:" /* of struct actor's name */

/* What an operator's token allows; bits. Words as in docs/openapi.json. */
enum operator_scope {
    SCOPE_READ = 1,    /* schools, people, classes, rooms */
    SCOPE_RECORDS = 2, /* to change them; links, applications */
    SCOPE_IMPORT = 4,  /* rosters, the rollover */
    SCOPE_POLICY = 8,
    SCOPE_REPORTS = 16,
    SCOPE_AUDIT = 32,
    SCOPE_ACCOUNTS = 64, /* account states, sessions, export, erasure */
    SCOPE_ALL = 127
};
unsigned operator_scope_from(const char *word);             /* the bit; 0: unknown. "all": SCOPE_ALL */
const char *operator_scope_name(enum operator_scope scope); /* one bit; NULL: none is called so. Static storage */

/* Words with spaces between, both ways. from: 0 when there is none, or one is unknown. */
unsigned operator_scopes_from(const char *words);
void operator_scopes_text(unsigned scopes, struct text *out);

/* J4: the scopes that somebody of that role has in their school's office, on top of SCOPE_RECORDS. A token without them
 * does not give the role, and makes no personal link to who has it. */
unsigned operator_scopes_of_roles(unsigned roles); /* enum school_role, several */

/* What the token of the actor of that name ("operator:region") allows now; 0: there is none, it has expired or was
 * revoked. Reads. */
unsigned operator_scopes_now(struct db *db, const char *actor_name);
/* When that token ends; 0: never, or there is none. Reads. */
int64_t operator_expires_ms(struct db *db, const char *actor_name);

#endif
