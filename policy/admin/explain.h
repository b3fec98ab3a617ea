/* J1: what would become of an act, and by which rules, without doing it; and every refusal that there is. */
#ifndef PARTA_POLICY_ADMIN_EXPLAIN_H
#define PARTA_POLICY_ADMIN_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "policy/gate/school_gate.h"

struct explain_question {
    enum act act;
    user_no caller;            /* who asks; 0: an operator. Who is not the office hears only what decides (D9) */
    const struct actor *actor; /* who would act: a person, or an operator (office acts only) */
    struct subject subject;    /* target, 0 where it is the actor anyway; school, class and role: office acts */
    room_no room;              /* acts in rooms; ACT_ROOMS_WRITE: in which target gets a place (D9) */
    const char *event_type;    /* ACT_SEND: NULL: m.room.message; ACT_STATE */
    const char *state_key;     /* ACT_STATE */
    enum room_kind kind;       /* ACT_CREATE_ROOM */
    bool with_target;          /* the caller may read of target: the facts about them and the two are told, too */
};

/* {"allowed", "kind": "allow", "refuse", "hold" or "warn", "rules": [{"rule", "code", "ru", "en", "overridable",
 * "decides"}], "facts"}: a new reference. The question makes sense (explain_check). Reads. */
json_t *explain_act(struct db *db, bool school_mode, const struct explain_question *question);

/* Whether everything that the act is about was said. false: *e. */
bool explain_check(const struct explain_question *question, struct error *e);

/* A refusal of policy/rules/refusals.h, with what the table of rules says of it: {"rule", "code", "errcode", "kind",
 * "ru", "en", "overridable"}, a new reference. */
json_t *explain_refusal(enum rule_refusal refusal);

#endif
