#include "policy/gate/operator.h"

#include <stdio.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/store/school/operators.h"
#include "policy/rules/words.h"

static const struct {
    const char *word;
    enum operator_scope scope;
} SCOPES[] = {
    {"read", SCOPE_READ},       {"records", SCOPE_RECORDS}, {"import", SCOPE_IMPORT},     {"policy", SCOPE_POLICY},
    {"reports", SCOPE_REPORTS}, {"audit", SCOPE_AUDIT},     {"accounts", SCOPE_ACCOUNTS}, {"all", SCOPE_ALL},
};

unsigned operator_scope_from(const char *word)
{
    for (size_t i = 0; word != NULL && i < sizeof SCOPES / sizeof *SCOPES; ++i)
        if (strcmp(SCOPES[i].word, word) == 0)
            return SCOPES[i].scope;
    return 0;
}

const char *operator_scope_name(enum operator_scope scope)
{
    for (size_t i = 0; i < sizeof SCOPES / sizeof *SCOPES; ++i)
        if (SCOPES[i].scope == scope)
            return SCOPES[i].word;
    return NULL;
}

unsigned operator_scopes_from(const char *words)
{
    char word[32];
    unsigned scopes = 0;
    for (int len = 0; sscanf(words, " %31[^ ,]%n", word, &len) == 1; len = 0) {
        unsigned scope = operator_scope_from(word);
        if (scope == 0)
            return 0;
        scopes |= scope;
        words += len;
        words += strspn(words, " ,");
    }
    return scopes;
}

void operator_scopes_text(unsigned scopes, struct text *out)
{
    for (unsigned bit = 1; bit < SCOPE_ALL; bit <<= 1)
        if ((scopes & bit) != 0)
            text_addf(out, "%s%s", out->len != 0 ? " " : "", operator_scope_name((enum operator_scope)bit));
}

unsigned operator_scopes_of_roles(unsigned roles)
{
    return ((roles & ROLE_ADMINISTRATOR) != 0 ? SCOPE_ALL : 0) |
           ((roles & ROLE_CLASS_TEACHER) != 0 ? SCOPE_READ | SCOPE_RECORDS | SCOPE_REPORTS : 0);
}

/* The row of a token that is good now. NULL: there is none. The caller ends the statement. */
static struct stmt *token_of(struct db *db, const char *actor_name, struct operator_row *row)
{
    size_t len = strlen(OPERATOR_ACTOR_PREFIX);
    if (strncmp(actor_name, OPERATOR_ACTOR_PREFIX, len) != 0)
        return NULL;
    struct stmt *q = operators_by_name(db, actor_name + len);
    if (operators_next(q, row) && operator_valid(row, clock_wall_ms()))
        return q;
    stmt_end(q);
    return NULL;
}

unsigned operator_scopes_now(struct db *db, const char *actor_name)
{
    struct operator_row row;
    struct stmt *q = token_of(db, actor_name, &row);
    unsigned scopes = q != NULL ? operator_scopes_from(row.scopes) : 0;
    if (q != NULL)
        stmt_end(q);
    return scopes;
}

int64_t operator_expires_ms(struct db *db, const char *actor_name)
{
    struct operator_row row;
    struct stmt *q = token_of(db, actor_name, &row);
    int64_t expires_ms = q != NULL ? row.expires_ms : 0;
    if (q != NULL)
        stmt_end(q);
    return expires_ms;
}
