/* A user's push rules as clients see and change them (Client-Server API, "Push Rules").
 *
 * What the store keeps (account data m.push_rules, room 0) is only what the user made of them: the user's own rules in
 * order, and for server-default rules what was changed of them. The whole ruleset is put together when it is asked for,
 * so that a default rule of a later version reaches everyone. Nobody but this file and evaluate.c reads the stored
 * form: whoever shows m.push_rules to a client (/sync, account data) calls push_rules_add_content.
 *
 *     {"rules": {"override": [{"rule_id":…, "enabled":…, "conditions":…, "actions":…}], "content": …, …},
 *      "defaults": {".m.rule.master": {"enabled": true}, ".m.rule.message": {"actions": []}}}
 *
 * Changes are pure functions on a ruleset in memory; the caller brings it from the store and back inside one job of the
 * writer. Every change is checked and bounded here. */
#ifndef PARTA_PUSH_RULES_DOCUMENT_H
#define PARTA_PUSH_RULES_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"

#define PUSH_RULES_TYPE "m.push_rules" /* the type of account data */
#define PUSH_RULES_MAX 500             /* own rules of a user, all kinds together */
#define PUSH_RULES_BYTES_MAX 131072    /* of the stored form */
#define PUSH_RULE_ID_MAX 255           /* bytes */
#define PUSH_PATTERN_MAX 512           /* bytes of a pattern, key or value */
#define PUSH_CONDITIONS_MAX 20         /* of one rule */
#define PUSH_ACTIONS_MAX 20            /* of one rule … */
#define PUSH_ACTIONS_BYTES_MAX 2048    /* … and as JSON */

enum push_rule_kind {
    PUSH_RULE_OVERRIDE,
    PUSH_RULE_CONTENT,
    PUSH_RULE_ROOM,
    PUSH_RULE_SENDER,
    PUSH_RULE_UNDERRIDE,
    PUSH_RULE_KIND__COUNT
};
const char *push_rule_kind_name(enum push_rule_kind kind); /* "override"; static storage. kind: not __COUNT */
bool push_rule_kind_from(const char *name, enum push_rule_kind *out); /* false: no such kind */

/* Appends {"global": {…}}: the content of m.push_rules and the body of GET /pushrules/. stored: as it lies, or NULL. */
void push_rules_add_content(struct text *out, const char *stored, const char *user_id);

/* The same as a tree: {"global": {kind: [rule, …]}}, in the order in which rules are tried. The caller owns it. */
json_t *push_rules_whole(const char *stored, const char *user_id);

/* The same rules one by one, without a copy of those that nobody changed. All is borrowed for the call; a default
 * rule's members may say PUSH_DEFAULTS_ME (defaults.h). */
struct push_rule {
    enum push_rule_kind kind;
    const json_t *source;  /* rule_id, conditions, pattern; its enabled and actions do not count: */
    const json_t *actions; /* an array */
    bool enabled, is_default;
};
typedef void push_rule_fn(void *arg, const struct push_rule *rule);
void push_rules_each(const char *stored, push_rule_fn *fn, void *arg);

/* One rule of the whole, borrowed from it; NULL: there is none. */
json_t *push_rules_find(const json_t *whole, enum push_rule_kind kind, const char *rule_id);

/* The stored form, opened for a change and closed again. Heap texts. */
json_t *push_rules_open(const char *stored); /* never NULL; what can't be read counts as nothing. The caller owns it */
char *push_rules_close(const json_t *rules, struct error *e); /* the text to store; NULL: it has become too large */

/* Where a new or moved rule goes; both NULL: to the front if it is new, else it stays. before wins over after. */
struct push_place {
    const char *before; /* the rule that comes right after it */
    const char *after;  /* the rule that comes right before it */
};

/* Makes or replaces an own rule. body: {"actions": …, "conditions"/"pattern": …}. false: *e says what is wrong. */
bool push_rules_put(json_t *rules, enum push_rule_kind kind, const char *rule_id, const json_t *body,
                    const struct push_place *place, struct error *e);
bool push_rules_delete(json_t *rules, enum push_rule_kind kind, const char *rule_id, struct error *e);

/* Of own and of default rules. */
bool push_rules_set_enabled(json_t *rules, enum push_rule_kind kind, const char *rule_id, bool enabled,
                            struct error *e);
bool push_rules_set_actions(json_t *rules, enum push_rule_kind kind, const char *rule_id, const json_t *actions,
                            struct error *e);

#endif
