#include "policy/admin/operators.h"

#include <stdio.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/words.h"
#include "homeserver/store/school/operators.h"
#include "homeserver/store/driver/writer.h"
#include "policy/records/office_act.h"

bool operator_is_chief(const struct actor *actor, struct error *e)
{
    return (actor->user == 0 && actor->scopes == SCOPE_ALL) ||
           error_set(e, ERROR_FORBIDDEN, "Operators' tokens are for an operator who has every scope.");
}

/* The audit log tells who acted by name alone: the server's own names are nobody's to take (J2). */
static bool name_valid(const char *name)
{
    static const char *const RESERVED[] = {"parta", "roster-pull", "erasure", "calendar", "shared-secret"};
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return WORD_FIND(RESERVED, name) < 0 && len >= 1 && len <= OPERATOR_NAME_MAX && name[len] == '\0';
}

static bool note(struct changing_records *c, const char *act, const char *name)
{
    return office_act_note(c, act, 0, json_pack("{s:s}", "operator", name), NULL, NULL);
}

int64_t operator_create(struct changing_records *c, const struct operator_plan *plan, char token[OPERATOR_TOKEN_BYTES])
{
    unsigned char hash[TOKEN_HASH_BYTES];
    struct text scopes = TEXT_INIT;
    int64_t no = 0;
    if (!operator_is_chief(c->actor, c->e))
        return 0;
    if (!name_valid(plan->name) || plan->scopes == 0) {
        error_set_parameter(
            c->e, ERROR_INVALID_PARAM, "name",
            "A token needs scopes, and a name of 1 to 48 of a-z 0-9 . _ - (not parta, roster-pull, erasure, "
            "calendar, shared-secret).");
        return 0;
    }
    int64_t ends_ms = operator_expires_ms(c->tx->db, c->actor->name);
    bool longer = ends_ms != 0 && (plan->expires_ms == 0 || plan->expires_ms > ends_ms);
    if ((plan->scopes & ~c->actor->scopes) != 0 || longer) {
        rule_refuse(c->e, RULE_J4_TOKEN_GROWS);
        return 0;
    }
    strcpy(token, OPERATOR_TOKEN_PREFIX);
    random_name(token + strlen(token), OPERATOR_TOKEN_CHARS);
    token_hash(token, hash);
    operator_scopes_text(plan->scopes, &scopes);
    no = operators_insert(c->tx, plan->name, hash, scopes.data, plan->expires_ms);
    if (no == 0)
        error_set(c->e, ERROR_CONFLICT, "There is, or was, an operator of this name.");
    else if (!note(c, "operator.create", plan->name))
        no = 0;
    text_finish(&scopes);
    return no;
}

bool operator_revoke(struct changing_records *c, int64_t no)
{
    struct operator_row row;
    char name[OPERATOR_NAME_MAX + 1] = "";
    if (!operator_is_chief(c->actor, c->e))
        return false;
    struct stmt *q = operators_list(c->tx->db, no - 1, 1);
    if (operators_next(q, &row) && row.no == no && row.revoked_ms == 0)
        snprintf(name, sizeof name, "%s", row.name);
    stmt_end(q);
    if (*name == '\0')
        return error_set(c->e, ERROR_NOT_FOUND, "There is no such token, or it was revoked before.");
    return operators_revoke(c->tx, no) && note(c, "operator.revoke", name);
}
