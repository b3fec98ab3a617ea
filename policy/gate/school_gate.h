/* Who performs an act of the school's office, and the one gate of all such acts.
 *
 * Records, sign-up, guardians, imports, reports: whatever changes the school's own data, or shows it, asks school_gate
 * in the function that performs it, inside its job, as rooms ask rooms/gate.h. It makes no difference who comes: a
 * page, the API, `parta`, the bridge (J3). */
#ifndef PARTA_POLICY_GATE_SCHOOL_GATE_H
#define PARTA_POLICY_GATE_SCHOOL_GATE_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/school/links.h"
#include "policy/gate/operator.h"
#include "policy/rules/rules.h"
#include "policy/rules/school_policy.h"

struct db;

struct actor {
    user_no user;          /* a person; 0: an operator */
    const char *name;      /* for the log: "@p…:school.example", "operator:region"; borrowed */
    unsigned scopes;       /* of an operator: enum operator_scope */
    const char *override_; /* J2: the reason for getting past a rule that allows it; NULL: none given */
};

/* The command line acts as the operator "operator:parta" with every scope: whoever runs it owns the machine. */
extern const struct actor ACTOR_COMMAND_LINE;

/* Whom or what an act is about; 0: nobody, none. */
struct subject {
    school_no school; /* the school concerned; 0: of target, any school that both are in (an operator: any) */
    class_no class;
    user_no target;
    user_no other; /* whom else it concerns: the guardian to be or not to be, the child of an application (J4) */
    link_no link;  /* ACT_APPROVE, to let in, and ACT_CLAIM: the link they came by */
    user_no with;  /* who reports, who made a link: the gate asks whether the actor is kept from them (D9) */
    class_no
        place;     /* ACT_ROLES (0: class), ACT_APPROVE: where target, or a child of theirs, has or gets a place (D9) */
    room_no into;  /* ACT_ROOMS_WRITE: the room in which target gets a place (D9) */
    unsigned role; /* ACT_LINK, ACT_APPROVE, ACT_ROLES: enum school_role that somebody would get by it */
    bool roster_kept; /* a roster's import owns the record */
    room_no room; /* ACT_REPORTS of a room, in which target, who reports, accuses whoever answers for it; 0: target is
                       * accused */
    bool own_contact, eases_own; /* rules.h, office_facts */
    bool unread; /* who asks beforehand may not read target's records: how many guardians a child has is not counted
                  * (D5, D9) */
};

/* Whether actor may do act (one of rules.h's office acts, or ACT_REPORT, ACT_PROFILE, ACT_FIND). false: *e is the
 * refusal with its rule, as rooms/gate.h makes it. verdict (may be NULL): what was decided; overridden says that the
 * override was used, which the caller's audit entry must then say. An operator without the scope is refused by "J3",
 * "scope". In policy.mode open the office is closed all the same: only what people may know of each other is open
 * (ACT_REPORT, ACT_PROFILE, ACT_FIND). Reads the database; inside a job through tx->db. */
bool school_gate(struct db *db, bool school_mode, const struct actor *actor, enum act act,
                 const struct subject *subject, struct verdict *verdict, bool *overridden, struct error *e);

/* What an actor is at a school, whomever an act is about: for whoever asks about one person after the other, in one
 * snapshot. Begins as {.known = false}. */
struct school_asker {
    bool known; /* of that school */
    school_no school;
    struct school_policy policy;
    struct person_facts person;
    bool unconfirmed; /* office_facts */
};

/* school_gate; what the actor is there is asked the first time. actor is the same each time. */
bool school_gate_again(struct db *db, bool school_mode, const struct actor *actor, enum act act,
                       const struct subject *subject, struct school_asker *asker, struct error *e);

/* J1: what school_gate would say, and every row that speaks, as rules_explain tells it. */
void school_explain(struct db *db, bool school_mode, const struct actor *actor, enum act act,
                    const struct subject *subject, struct verdict *out, int max, int *n);

#endif
