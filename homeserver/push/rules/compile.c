#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/glob.h"
#include "homeserver/base/json.h"
#include "homeserver/base/json_path.h"
#include "homeserver/push/rules/evaluate_private.h"
#include "homeserver/push/rules/defaults.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/push/rules/scope.h"

/* What grows while compiling. */
struct build {
    struct text rules, conditions, pool; /* arrays of struct rule and struct condition, bytes */
    bool is_default;                     /* the rule at hand is the server's */
    bool wants_display_name;
    bool asks_power; /* a rule of the user's own does */
};

static uint32_t pool_add(struct build *b, const char *bytes, size_t len)
{
    uint32_t at = (uint32_t)b->pool.len;
    text_add(&b->pool, bytes, len);
    text_addc(&b->pool, '\0');
    return at;
}

static uint32_t pool_add_json(struct build *b, const json_t *value, uint32_t *len)
{
    uint32_t at = (uint32_t)b->pool.len;
    json_add_canonical(&b->pool, value);
    *len = (uint32_t)b->pool.len - at;
    text_addc(&b->pool, '\0');
    return at;
}

/* Keys. */

static const char *const SLOT_KEYS[PUSH_SLOT__COUNT] = {
    [PUSH_TYPE] = "type",
    [PUSH_SENDER] = "sender",
    [PUSH_ROOM_ID] = "room_id",
    [PUSH_EVENT_ID] = "event_id",
    [PUSH_STATE_KEY] = "state_key",
    [PUSH_BODY] = "content.body",
    [PUSH_MSGTYPE] = "content.msgtype",
    [PUSH_MEMBERSHIP] = "content.membership",
    [PUSH_MENTIONS_ROOM] = "content.m\\.mentions.room",
    [PUSH_MENTIONS] = "content.m\\.mentions.user_ids",
    [PUSH_REL_TYPE] = "content.m\\.relates_to.rel_type",
};

/* The names below the content, written as canonical JSON writes them: so the content is compared as it lies. */
static void set_path(struct build *b, struct condition *c, const char *key)
{
    struct text names = TEXT_INIT, json = TEXT_INIT;
    size_t n = json_path_split(&names, key);
    const char *name = names.data;
    bool in_content = strcmp(name, "content") == 0;
    c->path = (uint32_t)b->pool.len;
    c->path_n = in_content && n <= UINT16_MAX ? (uint16_t)(n - 1) : 0;
    for (uint16_t i = 0; i < c->path_n; ++i) {
        name += strlen(name) + 1;
        text_clear(&json);
        text_add_json(&json, name);
        pool_add(b, json.data + 1, json.len - 2);
    }
    text_finish(&names);
    text_finish(&json);
}

static bool set_key(struct build *b, struct condition *c, const json_t *source)
{
    const char *key = json_get_string(source, "key");
    if (key == NULL)
        return false;
    for (c->slot = 0; c->slot < PUSH_SLOT__COUNT; ++c->slot)
        if (strcmp(key, SLOT_KEYS[c->slot]) == 0)
            return true;
    set_path(b, c, key);
    return c->path_n != 0; /* nothing else outside of the content is known: absent, never matches */
}

/* Conditions, one function a kind; false: it can never match. */

static bool is_me(const struct build *b, const char *value)
{
    return b->is_default && value != NULL && strcmp(value, PUSH_DEFAULTS_ME) == 0;
}

static void set_folded(struct build *b, struct condition *c, const char *pattern, size_t len)
{
    c->text = pool_add(b, pattern, len);
    c->text_len = (uint32_t)len;
    glob_fold(b->pool.data + c->text, pattern, len);
}

static bool compile_match(struct build *b, struct condition *c, const json_t *source)
{
    const char *pattern = json_get_string(source, "pattern");
    if (pattern == NULL || !set_key(b, c, source))
        return false;
    size_t len = strlen(pattern);
    c->ask = ASK_EQUAL;
    if (is_me(b, pattern))
        c->ask = ASK_SELF;
    else if (c->slot == PUSH_BODY)
        c->ask = ASK_BODY;
    else if (glob_has_wildcard(pattern, len))
        c->ask = pattern[0] == '*' && !glob_has_wildcard(pattern + 1, len - 1) ? ASK_SUFFIX : ASK_GLOB;
    size_t skipped = c->ask == ASK_SUFFIX;
    set_folded(b, c, pattern + skipped, len - skipped);
    return true;
}

static uint8_t kind_of(const json_t *value)
{
    static const uint8_t KINDS[] = {
        [JSON_STRING] = PUSH_STRING, [JSON_INTEGER] = PUSH_INTEGER, [JSON_TRUE] = PUSH_TRUE,
        [JSON_FALSE] = PUSH_FALSE,   [JSON_NULL] = PUSH_NULL,
    };
    return value != NULL && (size_t)json_typeof(value) < sizeof KINDS ? KINDS[json_typeof(value)] : PUSH_ABSENT;
}

static bool compile_value(struct build *b, struct condition *c, const json_t *source)
{
    const json_t *value = json_object_get(source, "value");
    c->kind = kind_of(value);
    if (c->kind == PUSH_ABSENT || !set_key(b, c, source))
        return false;
    c->ask = ASK_VALUE;
    c->n = json_integer_value(value);
    c->text_len = (uint32_t)json_string_length(value);
    if (c->kind == PUSH_STRING)
        c->text = pool_add(b, json_string_value(value), c->text_len);
    return true;
}

static bool compile_contains(struct build *b, struct condition *c, const json_t *source)
{
    if (!compile_value(b, c, source))
        return false;
    const json_t *value = json_object_get(source, "value");
    c->ask = is_me(b, json_string_value(value)) ? ASK_SELF_IN : ASK_CONTAINS;
    c->json = pool_add_json(b, value, &c->json_len);
    return true;
}

static bool compile_display_name(struct build *b, struct condition *c, const json_t *source)
{
    c->ask = ASK_DISPLAY_NAME;
    b->wants_display_name = true;
    return true;
}

static const struct {
    const char *sign;
    enum compare compare;
} SIGNS[] = {
    {"==", COMPARE_EQUAL}, {"<=", COMPARE_NOT_GREATER}, {">=", COMPARE_NOT_LESS},
    {"<", COMPARE_LESS},   {">", COMPARE_GREATER},      {"", COMPARE_EQUAL},
};

static bool compile_members(struct build *b, struct condition *c, const json_t *source)
{
    const char *is = json_get_string(source, "is");
    size_t i = 0;
    if (is == NULL)
        return false;
    while (strncmp(is, SIGNS[i].sign, strlen(SIGNS[i].sign)) != 0)
        ++i;
    is += strlen(SIGNS[i].sign);
    size_t digits = strspn(is, "0123456789");
    c->ask = ASK_MEMBERS;
    c->compare = SIGNS[i].compare;
    c->n = digits <= 15 ? strtoll(is, NULL, 10) : INT64_MAX;
    return digits > 0 && is[digits] == '\0';
}

static bool compile_power(struct build *b, struct condition *c, const json_t *source)
{
    const char *key = json_get_string(source, "key");
    if (key == NULL)
        return false;
    c->ask = ASK_POWER;
    b->asks_power |= !b->is_default;
    c->text_len = (uint32_t)strlen(key);
    c->text = pool_add(b, key, c->text_len);
    return true;
}

static bool compile_call_started(struct build *b, struct condition *c, const json_t *source)
{
    c->ask = ASK_CALL_STARTED;
    return true;
}

static const struct {
    const char *kind;
    bool (*compile)(struct build *b, struct condition *c, const json_t *source);
} CONDITIONS[] = {
    {"event_match", compile_match},
    {"event_property_is", compile_value},
    {"event_property_contains", compile_contains},
    {"contains_display_name", compile_display_name},
    {"room_member_count", compile_members},
    {"sender_notification_permission", compile_power},
    {"call_started", compile_call_started},
    {"org.matrix.msc3914.call_started", compile_call_started},
};

static void add_condition(struct build *b, const struct condition *c)
{
    text_add(&b->conditions, (const char *)c, sizeof *c);
}

/* Rules: what their kind asks. false: they can never match. */

static bool ask_conditions(struct build *b, const json_t *source)
{
    const json_t *conditions = json_get_array(source, "conditions"), *one;
    for (size_t i = 0; (one = json_array_get(conditions, i)) != NULL; ++i) {
        struct condition c = {.slot = PUSH_SLOT__COUNT};
        const char *kind = json_get_string(one, "kind");
        size_t k = 0;
        while (k < sizeof CONDITIONS / sizeof *CONDITIONS && (kind == NULL || strcmp(kind, CONDITIONS[k].kind) != 0))
            ++k;
        if (k == sizeof CONDITIONS / sizeof *CONDITIONS || !CONDITIONS[k].compile(b, &c, one))
            return false;
        add_condition(b, &c);
    }
    return true;
}

static bool ask_pattern(struct build *b, const json_t *source)
{
    const char *pattern = json_get_string(source, "pattern");
    struct condition c = {.ask = ASK_BODY, .slot = PUSH_BODY};
    if (pattern == NULL)
        return false;
    set_folded(b, &c, pattern, strlen(pattern));
    add_condition(b, &c);
    return true;
}

static bool ask_id(struct build *b, const json_t *source, enum push_slot slot)
{
    const char *id = json_get_string(source, "rule_id");
    struct condition c = {.ask = ASK_EXACT, .slot = (uint8_t)slot, .text_len = (uint32_t)strlen(id)};
    c.text = pool_add(b, id, c.text_len);
    add_condition(b, &c);
    return true;
}

static bool ask_kind(struct build *b, enum push_rule_kind kind, const json_t *source)
{
    switch (kind) {
    case PUSH_RULE_CONTENT: return ask_pattern(b, source);
    case PUSH_RULE_ROOM: return ask_id(b, source, PUSH_ROOM_ID);
    case PUSH_RULE_SENDER: return ask_id(b, source, PUSH_SENDER);
    default: return ask_conditions(b, source);
    }
}

/* {"sound": "default", "highlight": true}: what a push gateway is told. A highlight without a value is one. */
static json_t *read_tweaks(const json_t *actions)
{
    json_t *tweaks = json_object();
    size_t i;
    json_t *action;
    json_array_foreach(actions, i, action) {
        const char *tweak = json_get_string(action, "set_tweak");
        json_t *value = json_object_get(action, "value");
        if (tweak == NULL)
            continue;
        if (value == NULL)
            json_object_set_new(tweaks, tweak, strcmp(tweak, "highlight") == 0 ? json_true() : json_null());
        else
            json_object_set_new(tweaks, tweak, json_deep_copy(value)); /* no reference of the shared defaults */
    }
    return tweaks;
}

static bool wants_notify(const json_t *actions)
{
    size_t i;
    json_t *action;
    json_array_foreach(actions, i, action)
        if (json_is_string(action) && strcmp(json_string_value(action), "notify") == 0)
            return true;
    return false;
}

static void compile_rule(void *build, const struct push_rule *from)
{
    struct build *b = build;
    size_t conditions_before = b->conditions.len, pool_before = b->pool.len;
    const json_t *actions = from->actions;
    b->is_default = from->is_default;
    if (!from->enabled)
        return;
    if (!ask_kind(b, from->kind, from->source)) {
        b->conditions.len = conditions_before;
        b->pool.len = pool_before;
        return;
    }
    uint32_t len;
    json_t *tweaks = read_tweaks(actions);
    const char *id = json_get_string(from->source, "rule_id");
    struct rule rule = {.first = (uint32_t)(conditions_before / sizeof(struct condition)),
                        .n = (uint32_t)((b->conditions.len - conditions_before) / sizeof(struct condition)),
                        .notify = wants_notify(actions),
                        .id = pool_add(b, id, strlen(id)),
                        .actions = pool_add_json(b, actions, &len),
                        .tweaks = pool_add_json(b, tweaks, &len)};
    rule.highlight = rule.notify && json_is_true(json_object_get(tweaks, "highlight"));
    json_decref(tweaks);
    text_add(&b->rules, (const char *)&rule, sizeof rule);
}

struct push_rules *push_rules_compile(const char *stored)
{
    struct build b = {0};
    push_rules_each(stored, compile_rule, &b);
    struct push_rules *rules = xcalloc(1, sizeof *rules);
    atomic_init(&rules->refs, 1);
    rules->wants_display_name = b.wants_display_name;
    rules->asks_power = b.asks_power;
    rules->n = (uint32_t)(b.rules.len / sizeof(struct rule));
    rules->rules = (void *)text_take(&b.rules);
    rules->conditions = (void *)text_take(&b.conditions);
    rules->pool = text_take(&b.pool);
    push_rules_keep_scopes(rules);
    return rules;
}

struct push_rules *push_rules_ref(struct push_rules *rules)
{
    atomic_fetch_add_explicit(&rules->refs, 1, memory_order_relaxed);
    return rules;
}

void push_rules_unref(struct push_rules *rules)
{
    if (rules == NULL || atomic_fetch_sub_explicit(&rules->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(rules->rules);
    free(rules->conditions);
    free(rules->pool);
    free(rules->scopes);
    free(rules);
}

bool push_rules_want_display_name(const struct push_rules *rules)
{
    return rules->wants_display_name;
}

bool push_rules_ask_power(const struct push_rules *rules)
{
    return rules->asks_power;
}
