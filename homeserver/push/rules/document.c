#include "homeserver/push/rules/document.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/words.h"
#include "homeserver/push/rules/defaults.h"

#define MASTER ".m.rule.master" /* the one default rule that stands before the user's own */

static const char *const KINDS[PUSH_RULE_KIND__COUNT] = {
    [PUSH_RULE_OVERRIDE] = "override", [PUSH_RULE_CONTENT] = "content",     [PUSH_RULE_ROOM] = "room",
    [PUSH_RULE_SENDER] = "sender",     [PUSH_RULE_UNDERRIDE] = "underride",
};

const char *push_rule_kind_name(enum push_rule_kind kind)
{
    return KINDS[kind];
}

bool push_rule_kind_from(const char *name, enum push_rule_kind *out)
{
    int i = WORD_FIND(KINDS, name);
    if (i >= 0)
        *out = (enum push_rule_kind)i;
    return i >= 0;
}

static json_t *load_defaults(void)
{
    json_t *defaults = json_loads(PUSH_DEFAULTS, JSON_REJECT_DUPLICATES, NULL);
    if (defaults == NULL)
        abort(); /* the text is part of the program */
    return defaults;
}

/* The same for all threads: never changed, no reference is taken of it or of what is in it. Whoever needs it first
 * makes it. */
static const json_t *defaults_of(enum push_rule_kind kind)
{
    static json_t *_Atomic shared;
    if (shared == NULL) {
        json_t *none = NULL, *defaults = load_defaults();
        if (!atomic_compare_exchange_strong(&shared, &none, defaults))
            json_decref(defaults);
    }
    return json_get_array(shared, KINDS[kind]);
}

static bool is_rule(const json_t *rule, const char *rule_id)
{
    const char *id = json_get_string(rule, "rule_id");
    return id != NULL && strcmp(id, rule_id) == 0;
}

/* Where in an array of rules; its size if it is not there. */
static size_t find_index(const json_t *rules, const char *rule_id)
{
    size_t i;
    json_t *rule;
    json_array_foreach(rules, i, rule)
        if (is_rule(rule, rule_id))
            break;
    return i;
}

/* The stored form. */

json_t *push_rules_open(const char *stored)
{
    json_t *read = stored != NULL ? json_loads(stored, JSON_REJECT_DUPLICATES, NULL) : NULL;
    json_t *rules = json_object(), *own = json_object();
    json_t *read_own = json_get_object(read, "rules"), *changed = json_get_object(read, "defaults");
    for (int kind = 0; kind < PUSH_RULE_KIND__COUNT; ++kind) {
        json_t *list = json_get_array(read_own, KINDS[kind]);
        json_object_set_new(own, KINDS[kind], list != NULL ? json_incref(list) : json_array());
    }
    json_object_set_new(rules, "rules", own);
    json_object_set_new(rules, "defaults", changed != NULL ? json_incref(changed) : json_object());
    json_decref(read);
    return rules;
}

char *push_rules_close(const json_t *rules, struct error *e)
{
    char *text = json_canonical(rules);
    if (strlen(text) <= PUSH_RULES_BYTES_MAX)
        return text;
    free(text);
    error_set(e, ERROR_TOO_LARGE, "The push rules would become too large.");
    return NULL;
}

static json_t *own_rules(const json_t *rules, enum push_rule_kind kind)
{
    return json_get_array(json_get_object(rules, "rules"), KINDS[kind]);
}

/* The whole, for display and evaluation. */

/* Puts the user's id where the default rule says so. */
static void personalise(json_t *rule, const char *user_id)
{
    static const char *const WHERE[] = {"pattern", "value"};
    size_t i;
    json_t *condition;
    json_array_foreach(json_get_array(rule, "conditions"), i, condition)
        for (int k = 0; k < 2; ++k) {
            const char *value = json_get_string(condition, WHERE[k]);
            if (value != NULL && strcmp(value, PUSH_DEFAULTS_ME) == 0)
                json_object_set_new(condition, WHERE[k], json_string(user_id));
        }
}

/* Appends the default rules of one kind, either the master rule or the others. */
static void add_defaults(json_t *out, const json_t *defaults, const json_t *changes, bool master, const char *user_id)
{
    size_t i;
    json_t *rule;
    json_array_foreach(defaults, i, rule) {
        if (is_rule(rule, MASTER) != master)
            continue;
        const json_t *change = json_object_get(changes, json_get_string(rule, "rule_id"));
        json_t *enabled = json_object_get(change, "enabled"), *actions = json_get_array(change, "actions");
        if (json_is_boolean(enabled))
            json_object_set(rule, "enabled", enabled);
        if (actions != NULL)
            json_object_set(rule, "actions", actions);
        personalise(rule, user_id);
        json_array_append(out, rule);
    }
}

static void add_own(json_t *out, const json_t *own)
{
    size_t i;
    json_t *rule;
    json_array_foreach(own, i, rule) {
        if (json_get_string(rule, "rule_id") == NULL || json_get_array(rule, "actions") == NULL)
            continue;
        json_object_set_new(rule, "default", json_false());
        json_array_append(out, rule);
    }
}

static void each_default(const json_t *changes, enum push_rule_kind kind, bool master, push_rule_fn *fn, void *arg)
{
    size_t i;
    json_t *rule;
    json_array_foreach(defaults_of(kind), i, rule) {
        if (is_rule(rule, MASTER) != master)
            continue;
        const json_t *change = json_object_get(changes, json_get_string(rule, "rule_id"));
        const json_t *actions = json_get_array(change, "actions");
        fn(arg, &(struct push_rule){.kind = kind,
                                    .source = rule,
                                    .actions = actions != NULL ? actions : json_get_array(rule, "actions"),
                                    .enabled = json_get_bool(change, "enabled", json_get_bool(rule, "enabled", true)),
                                    .is_default = true});
    }
}

static void each_own(const json_t *own, enum push_rule_kind kind, push_rule_fn *fn, void *arg)
{
    size_t i;
    json_t *rule;
    json_array_foreach(own, i, rule) {
        const json_t *actions = json_get_array(rule, "actions");
        if (json_get_string(rule, "rule_id") != NULL && actions != NULL)
            fn(arg, &(struct push_rule){kind, rule, actions, json_get_bool(rule, "enabled", true), false});
    }
}

void push_rules_each(const char *stored, push_rule_fn *fn, void *arg)
{
    json_t *rules = push_rules_open(stored);
    const json_t *changes = json_get_object(rules, "defaults");
    for (int k = 0; k < PUSH_RULE_KIND__COUNT; ++k) {
        enum push_rule_kind kind = (enum push_rule_kind)k;
        each_default(changes, kind, true, fn, arg);
        each_own(own_rules(rules, kind), kind, fn, arg);
        each_default(changes, kind, false, fn, arg);
    }
    json_decref(rules);
}

json_t *push_rules_whole(const char *stored, const char *user_id)
{
    json_t *rules = push_rules_open(stored), *defaults = load_defaults(), *global = json_object();
    const json_t *changes = json_get_object(rules, "defaults");
    for (int kind = 0; kind < PUSH_RULE_KIND__COUNT; ++kind) {
        json_t *list = json_array(), *of_kind = json_get_array(defaults, KINDS[kind]);
        add_defaults(list, of_kind, changes, true, user_id);
        add_own(list, own_rules(rules, (enum push_rule_kind)kind));
        add_defaults(list, of_kind, changes, false, user_id);
        json_object_set_new(global, KINDS[kind], list);
    }
    json_decref(defaults);
    json_decref(rules);
    return json_pack("{s:o}", "global", global);
}

/* Of those who never changed a rule: the same for all but for their ids. Whoever needs it first makes it. */
static void add_defaults_content(struct text *out, const char *user_id)
{
    static const char ME[] = "\"" PUSH_DEFAULTS_ME "\"";
    static char *_Atomic shared;
    if (shared == NULL) {
        json_t *whole = push_rules_whole(NULL, PUSH_DEFAULTS_ME);
        char *none = NULL, *made = json_canonical(whole);
        if (!atomic_compare_exchange_strong(&shared, &none, made))
            free(made);
        json_decref(whole);
    }
    const char *at = shared, *me;
    for (; (me = strstr(at, ME)) != NULL; at = me + sizeof ME - 1) {
        text_add(out, at, (size_t)(me - at));
        text_add_json(out, user_id);
    }
    text_adds(out, at);
}

void push_rules_add_content(struct text *out, const char *stored, const char *user_id)
{
    if (stored == NULL) {
        add_defaults_content(out, user_id);
        return;
    }
    json_t *whole = push_rules_whole(stored, user_id);
    json_add_canonical(out, whole);
    json_decref(whole);
}

json_t *push_rules_find(const json_t *whole, enum push_rule_kind kind, const char *rule_id)
{
    json_t *rules = json_get_array(json_get_object(whole, "global"), KINDS[kind]);
    return json_array_get(rules, find_index(rules, rule_id));
}

/* Checking what a client sends. */

static bool bad(struct error *e, const char *sentence)
{
    return error_set(e, ERROR_INVALID_PARAM, sentence);
}

static bool is_old_action(const char *action)
{
    return strcmp(action, "dont_notify") == 0 || strcmp(action, "coalesce") == 0;
}

static bool check_action(const json_t *action, struct error *e)
{
    if (json_is_string(action))
        return strcmp(json_string_value(action), "notify") == 0 || is_old_action(json_string_value(action)) ||
               bad(e, "An action is unknown: only \"notify\" and {\"set_tweak\": …} are.");
    const char *tweak = json_get_string(action, "set_tweak");
    return (tweak != NULL && *tweak != '\0') || bad(e, "An action must be \"notify\" or have a set_tweak.");
}

/* The actions as they are kept: without those that older clients still send and nobody may heed. NULL: *e is set. */
static json_t *read_actions(const json_t *actions, struct error *e)
{
    size_t i;
    json_t *action;
    if (actions == NULL) {
        error_set(e, ERROR_MISSING_PARAM, "The rule needs actions.");
        return NULL;
    }
    if (!json_is_array(actions) || json_array_size(actions) > PUSH_ACTIONS_MAX ||
        json_dumpb(actions, NULL, 0, JSON_COMPACT) > PUSH_ACTIONS_BYTES_MAX) {
        bad(e, "The actions must be a short array.");
        return NULL;
    }
    json_t *kept = json_array();
    json_array_foreach(actions, i, action) {
        if (!check_action(action, e)) {
            json_decref(kept);
            return NULL;
        }
        if (!json_is_string(action) || !is_old_action(json_string_value(action)))
            json_array_append(kept, action);
    }
    return kept;
}

static bool is_short_string(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) <= PUSH_PATTERN_MAX;
}

static bool is_simple(const json_t *value)
{
    return json_is_boolean(value) || json_is_null(value) || is_short_string(value) ||
           (json_is_integer(value) && json_is_canonical_value(value));
}

/* What the conditions that this server knows must have; the others are kept and never match. */
static const struct condition_shape {
    const char *kind, *member;
    bool simple; /* any plain value, else a string */
    const char *sentence;
} SHAPES[] = {
    {"event_match", "key", false, "An event_match condition needs a key."},
    {"event_match", "pattern", false, "An event_match condition needs a pattern of at most 512 bytes."},
    {"event_property_is", "key", false, "An event_property_is condition needs a key."},
    {"event_property_is", "value", true,
     "An event_property_is condition needs a string, integer, boolean or null as value."},
    {"event_property_contains", "key", false, "An event_property_contains condition needs a key."},
    {"event_property_contains", "value", true,
     "An event_property_contains condition needs a string, integer, boolean or null as value."},
    {"room_member_count", "is", false, "A room_member_count condition needs is, for example \"<=10\"."},
    {"sender_notification_permission", "key", false, "A sender_notification_permission condition needs a key."},
};

static bool check_condition(const json_t *condition, struct error *e)
{
    const char *kind = json_get_string(condition, "kind");
    if (kind == NULL)
        return bad(e, "A condition must be an object with a kind.");
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; ++i) {
        const json_t *member = json_object_get(condition, SHAPES[i].member);
        if (strcmp(kind, SHAPES[i].kind) == 0 && !(SHAPES[i].simple ? is_simple(member) : is_short_string(member)))
            return bad(e, SHAPES[i].sentence);
    }
    return true;
}

static bool check_conditions(const json_t *conditions, struct error *e)
{
    size_t i;
    json_t *condition;
    if (!json_is_array(conditions) || json_array_size(conditions) > PUSH_CONDITIONS_MAX)
        return bad(e, "The conditions must be an array of at most 20.");
    json_array_foreach(conditions, i, condition)
        if (!check_condition(condition, e))
            return false;
    return true;
}

static bool check_rule_id(const char *rule_id, struct error *e)
{
    if (*rule_id == '\0' || strlen(rule_id) > PUSH_RULE_ID_MAX)
        return bad(e, "The rule id must have 1 to 255 bytes.");
    if (*rule_id == '.')
        return bad(e, "Rule ids that begin with a dot are the server's.");
    return strpbrk(rule_id, "/\\") == NULL || bad(e, "A rule id must not have slashes or backslashes.");
}

/* Adds to rule what its kind has beside id and actions. */
static bool read_matter(json_t *rule, enum push_rule_kind kind, const json_t *body, struct error *e)
{
    json_t *conditions = json_object_get(body, "conditions"), *pattern = json_object_get(body, "pattern");
    if (kind == PUSH_RULE_CONTENT) {
        if (pattern == NULL)
            return error_set(e, ERROR_MISSING_PARAM, "A content rule needs a pattern.");
        json_object_set(rule, "pattern", pattern);
        return is_short_string(pattern) || bad(e, "The pattern must be a string of at most 512 bytes.");
    }
    if (kind != PUSH_RULE_OVERRIDE && kind != PUSH_RULE_UNDERRIDE)
        return true;
    if (conditions == NULL || json_is_null(conditions)) {
        json_object_set_new(rule, "conditions", json_array());
        return true;
    }
    json_object_set(rule, "conditions", conditions);
    return check_conditions(conditions, e);
}

/* The rule that body describes, enabled. NULL: *e is set. */
static json_t *read_rule(enum push_rule_kind kind, const char *rule_id, const json_t *body, struct error *e)
{
    if (!check_rule_id(rule_id, e))
        return NULL;
    json_t *actions = read_actions(json_object_get(body, "actions"), e);
    if (actions == NULL)
        return NULL;
    json_t *rule = json_pack("{s:s, s:b, s:o}", "rule_id", rule_id, "enabled", 1, "actions", actions);
    if (read_matter(rule, kind, body, e))
        return rule;
    json_decref(rule);
    return NULL;
}

/* Changes. */

/* The index at which the rule goes into list, in which it is not. */
static bool find_place(const json_t *list, const struct push_place *place, size_t otherwise, size_t *out,
                       struct error *e)
{
    const char *next_to = place->before != NULL ? place->before : place->after;
    *out = otherwise;
    if (next_to == NULL)
        return true;
    if (*next_to == '.')
        return bad(e, "A rule cannot be placed next to one of the server's.");
    size_t at = find_index(list, next_to);
    if (at == json_array_size(list)) {
        error_set_field(e, ERROR_UNKNOWN, "The rule named by before or after was not found.", "rule_id", next_to);
        e->status = 400;
        return false;
    }
    *out = place->before != NULL ? at : at + 1;
    return true;
}

bool push_rules_put(json_t *rules, enum push_rule_kind kind, const char *rule_id, const json_t *body,
                    const struct push_place *place, struct error *e)
{
    json_t *list = own_rules(rules, kind);
    json_t *rule = read_rule(kind, rule_id, body, e);
    if (rule == NULL)
        return false;
    size_t was = find_index(list, rule_id), at, n = 0;
    bool is_new = was == json_array_size(list);
    for (int k = 0; k < PUSH_RULE_KIND__COUNT; ++k)
        n += json_array_size(own_rules(rules, (enum push_rule_kind)k));
    if (is_new && n >= PUSH_RULES_MAX) {
        json_decref(rule);
        return error_set(e, ERROR_TOO_LARGE, "There are too many push rules.");
    }
    json_t *others = json_copy(list);
    if (!is_new) {
        json_object_set(rule, "enabled", json_object_get(json_array_get(list, was), "enabled"));
        json_array_remove(others, was);
    }
    bool placed = find_place(others, place, is_new ? 0 : was, &at, e);
    if (placed) {
        json_array_insert(others, at, rule);
        json_object_set(json_get_object(rules, "rules"), KINDS[kind], others);
    }
    json_decref(others);
    json_decref(rule);
    return placed;
}

static bool not_found(struct error *e)
{
    return error_set(e, ERROR_NOT_FOUND, "There is no such push rule.");
}

/* The server's rule as it is when nobody changed it; NULL: there is none. */
static const json_t *default_rule(enum push_rule_kind kind, const char *rule_id)
{
    return json_array_get(defaults_of(kind), find_index(defaults_of(kind), rule_id));
}

bool push_rules_delete(json_t *rules, enum push_rule_kind kind, const char *rule_id, struct error *e)
{
    json_t *list = own_rules(rules, kind);
    size_t at = find_index(list, rule_id);
    if (at < json_array_size(list)) {
        json_array_remove(list, at);
        return true;
    }
    return default_rule(kind, rule_id) == NULL
               ? not_found(e)
               : bad(e, "The server's own rules cannot be deleted; disable them instead.");
}

/* Remembers a changed member of a default rule, or forgets it if it is as it was. */
static bool change_default(json_t *rules, enum push_rule_kind kind, const char *rule_id, const char *member,
                           json_t *value, struct error *e)
{
    const json_t *rule = default_rule(kind, rule_id);
    if (rule == NULL)
        return not_found(e);
    json_t *changes = json_get_object(rules, "defaults");
    json_t *known = json_get_object(changes, rule_id), *change = known != NULL ? json_copy(known) : json_object();
    if (json_equal(value, json_object_get(rule, member)))
        json_object_del(change, member);
    else
        json_object_set(change, member, value);
    if (json_object_size(change) == 0)
        json_object_del(changes, rule_id);
    else
        json_object_set(changes, rule_id, change);
    json_decref(change);
    return true;
}

/* Takes the reference to value. */
static bool change_member(json_t *rules, enum push_rule_kind kind, const char *rule_id, const char *member,
                          json_t *value, struct error *e)
{
    json_t *own = own_rules(rules, kind);
    json_t *rule = json_array_get(own, find_index(own, rule_id));
    bool ok = rule != NULL ? json_object_set(rule, member, value) == 0
                           : change_default(rules, kind, rule_id, member, value, e);
    json_decref(value);
    return ok;
}

bool push_rules_set_enabled(json_t *rules, enum push_rule_kind kind, const char *rule_id, bool enabled, struct error *e)
{
    return change_member(rules, kind, rule_id, "enabled", json_boolean(enabled), e);
}

bool push_rules_set_actions(json_t *rules, enum push_rule_kind kind, const char *rule_id, const json_t *actions,
                            struct error *e)
{
    json_t *kept = read_actions(actions, e);
    return kept != NULL && change_member(rules, kind, rule_id, "actions", kept, e);
}
