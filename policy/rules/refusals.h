/* Every refusal by one of the school's rules, told once: refusals.def.
 *
 * Wherever a rule refuses, in the rows of rules.c or in the code of an act that knows more than its facts, the refusal
 * is a row here, so that explain can list them all and whoever is refused always learns by which rule (school.md J1).
 * Nothing else sets the rule of an error (tests/refusals holds that). */
#ifndef PARTA_POLICY_RULES_REFUSALS_H
#define PARTA_POLICY_RULES_REFUSALS_H

#include "homeserver/base/error.h"

enum rule_refusal {
    RULE_NONE, /* nothing refuses */
#define X(name, rule, code, error, ru, en) RULE_##name,
#include "policy/rules/refusals.def"
#undef X
    RULE_REFUSAL__COUNT
};

struct refusal {
    const char *rule, *code; /* "D5", "two_guardians"; of RULE_NONE "", as the sentences */
    enum error_code error;
    const char *sentence_ru, *sentence_en; /* for the person */
};

/* The row. Static storage. */
const struct refusal *refusal_of(enum rule_refusal refusal);

/* Fills *e with the refusal: its code, both sentences, rule and code of the rule. Returns false. */
bool rule_refuse(struct error *e, enum rule_refusal refusal);

#endif
