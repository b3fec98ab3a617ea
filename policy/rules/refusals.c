#include "policy/rules/refusals.h"

static const struct refusal REFUSALS[RULE_REFUSAL__COUNT] = {
    [RULE_NONE] = {"", "", ERROR_NONE, "", ""},
#define X(name, rule, code, error, ru, en) [RULE_##name] = {rule, code, ERROR_##error, ru, en},
#include "policy/rules/refusals.def"
#undef X
};

const struct refusal *refusal_of(enum rule_refusal refusal)
{
    return &REFUSALS[refusal];
}

bool rule_refuse(struct error *e, enum rule_refusal refusal)
{
    const struct refusal *row = refusal_of(refusal);
    error_set(e, row->error, row->sentence_ru);
    e->translation = row->sentence_en;
    e->rule = row->rule;
    e->rule_code = row->code;
    return false;
}
