#include "homeserver/push/rules/evaluate.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/glob.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/push/rules/evaluate_private.h"
#include "homeserver/base/json_scan.h"

#define NOTIFICATION_LEVEL 50 /* what a notification takes when the room's power levels do not say */

/* Preparing an event. */

static enum push_kind kind_from(const struct json_scan_value *value)
{
    switch (value->kind) {
    case '"': return PUSH_STRING;
    case 'i': return PUSH_INTEGER;
    case 't': return PUSH_TRUE;
    case 'f': return PUSH_FALSE;
    case 'n': return PUSH_NULL;
    case '[': return PUSH_ARRAY;
    case 0: return PUSH_ABSENT;
    default: return PUSH_OTHER;
    }
}

/* A string that has escapes is unescaped into *memory, which is moved on. */
static struct push_value value_from(const struct json_scan_value *found, char **memory)
{
    struct push_value value = {.kind = kind_from(found), .s = found->s, .len = (uint32_t)found->len};
    if (found->kind == 'i')
        value.n = json_scan_integer(found);
    if (found->escaped) {
        value.s = *memory;
        value.len = (uint32_t)json_scan_unescape(*memory, found);
        *memory += value.len;
    }
    return value;
}

/* Where in the content the slots lie. */
static const struct place {
    const char *name; /* as canonical JSON writes it */
    enum push_slot slot;
    const struct place *below; /* not NULL: an object, whose members these are */
} IN_MENTIONS[] = {{"room", PUSH_MENTIONS_ROOM, NULL}, {"user_ids", PUSH_MENTIONS, NULL}, {NULL, 0, NULL}},
  IN_RELATES[] = {{"rel_type", PUSH_REL_TYPE, NULL}, {NULL, 0, NULL}},
  IN_CONTENT[] = {
      {"body", PUSH_BODY, NULL},      {"msgtype", PUSH_MSGTYPE, NULL}, {"membership", PUSH_MEMBERSHIP, NULL},
      {"m.mentions", 0, IN_MENTIONS}, {"m.relates_to", 0, IN_RELATES}, {NULL, 0, NULL}};

static void collect(struct json_scan_value *slots, const struct json_scan_value *object, const struct place *places)
{
    struct json_scan in;
    struct json_scan_value key, value;
    if (!json_scan_enter(&in, object, '{'))
        return;
    while (json_scan_member(&in, &key, &value))
        for (const struct place *p = places; p->name != NULL; ++p) {
            if (key.len != strlen(p->name) || memcmp(key.s, p->name, key.len) != 0)
                continue;
            if (p->below != NULL)
                collect(slots, &value, p->below);
            else
                slots[p->slot] = value;
        }
}

/* Strings in the array of mentions, and the bytes they may need. */
static size_t count_mentions(const struct json_scan_value *array, size_t *bytes)
{
    struct json_scan in;
    struct json_scan_value item;
    size_t n = 0;
    if (!json_scan_enter(&in, array, '['))
        return 0;
    while (json_scan_item(&in, &item)) {
        n += item.kind == '"';
        *bytes += item.escaped ? item.len : 0;
    }
    return n;
}

static int by_bytes(const void *a, const void *b)
{
    const struct push_value *x = a, *y = b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->s, y->s, x->len);
}

static void fill_mentions(struct push_event *event, struct push_value *mentions, const struct json_scan_value *array,
                          char **memory)
{
    struct json_scan in;
    struct json_scan_value item;
    event->mentions = mentions;
    if (event->n_mentions == 0 || !json_scan_enter(&in, array, '['))
        return;
    for (size_t i = 0; i < event->n_mentions && json_scan_item(&in, &item);)
        if (item.kind == '"')
            mentions[i++] = value_from(&item, memory);
    if (event->n_mentions > 1)
        qsort(mentions, event->n_mentions, sizeof *mentions, by_bytes);
}

static void set_slot(struct push_event *event, enum push_slot slot, const char *s)
{
    if (s != NULL)
        event->slots[slot] = (struct push_value){.kind = PUSH_STRING, .len = (uint32_t)strlen(s), .s = s};
}

static void set_content_slots(struct push_event *event)
{
    struct json_scan_value found[PUSH_SLOT__COUNT] = {{0}},
                           content = json_scan_text(event->facts.content, event->content_len);
    collect(found, &content, IN_CONTENT);
    size_t bytes = found[PUSH_BODY].len;
    event->n_mentions = count_mentions(&found[PUSH_MENTIONS], &bytes);
    for (int slot = PUSH_BODY; slot < PUSH_SLOT__COUNT; ++slot)
        bytes += found[slot].escaped ? found[slot].len : 0;
    size_t table = event->n_mentions * sizeof(struct push_value);
    if (bytes + table != 0)
        event->memory = xcalloc(bytes + table, 1);
    char *memory = event->memory != NULL ? (char *)event->memory + table : NULL;
    for (int slot = PUSH_BODY; slot < PUSH_SLOT__COUNT; ++slot)
        event->slots[slot] = value_from(&found[slot], &memory);
    fill_mentions(event, event->memory, &found[PUSH_MENTIONS], &memory);
    if (event->slots[PUSH_BODY].kind != PUSH_STRING)
        return;
    event->body_folded = memory != NULL ? memory : "";
    if (event->slots[PUSH_BODY].len != 0)
        glob_fold(memory, event->slots[PUSH_BODY].s, event->slots[PUSH_BODY].len);
}

void push_event_init(struct push_event *event, const struct push_facts *facts)
{
    *event = (struct push_event){.facts = *facts};
    if (facts->content == NULL)
        event->facts.content = "{}";
    event->content_len = strlen(event->facts.content);
    set_content_slots(event);
    set_slot(event, PUSH_TYPE, facts->type);
    set_slot(event, PUSH_SENDER, facts->sender);
    set_slot(event, PUSH_ROOM_ID, facts->room_id);
    set_slot(event, PUSH_EVENT_ID, facts->event_id);
    set_slot(event, PUSH_STATE_KEY, facts->state_key);
}

void push_event_finish(struct push_event *event)
{
    if (event != NULL)
        free(event->memory);
}

/* Asking. */

/* One evaluation. */
struct question {
    const struct push_rules *rules;
    const struct push_event *event;
    const struct push_viewer *viewer;
    size_t viewer_len; /* bytes of viewer->user_id */
    uint32_t budget;   /* of all patterns together */
    bool asked_power;
};

/* The property that a condition looks at. Its string may lie in *heap, which the caller frees. */
static struct push_value look_up(const struct question *q, const struct condition *c, char **heap)
{
    if (c->slot != PUSH_SLOT__COUNT)
        return q->event->slots[c->slot];
    struct json_scan_value content = json_scan_text(q->event->facts.content, q->event->content_len);
    struct json_scan_value found = json_scan_find(&content, q->rules->pool + c->path, c->path_n);
    char *memory = *heap = found.escaped ? xcalloc(found.len, 1) : NULL;
    return value_from(&found, &memory);
}

static bool same_bytes(const struct push_value *value, const char *s, size_t len)
{
    return value->kind == PUSH_STRING && value->len == len && memcmp(value->s, s, len) == 0;
}

static bool glob_folded(struct question *q, const struct condition *c, const struct push_value *value)
{
    char small[256], *folded = value->len <= sizeof small ? small : xcalloc(value->len, 1);
    glob_fold(folded, value->s, value->len);
    bool matches = glob_match(q->rules->pool + c->text, c->text_len, folded, value->len, &q->budget);
    if (folded != small)
        free(folded);
    return matches;
}

static bool is_value(const struct question *q, const struct condition *c, const struct push_value *value)
{
    if (value->kind != c->kind)
        return false;
    if (c->kind == PUSH_STRING)
        return same_bytes(value, q->rules->pool + c->text, c->text_len);
    return c->kind != PUSH_INTEGER || value->n == c->n;
}

static bool mentions(const struct push_event *event, const char *s, size_t len)
{
    const struct push_value wanted = {.kind = PUSH_STRING, .len = (uint32_t)len, .s = s};
    return event->n_mentions != 0 &&
           bsearch(&wanted, event->mentions, event->n_mentions, sizeof wanted, by_bytes) != NULL;
}

/* Items are compared as they are written, which is the same thing in canonical JSON. */
static bool contains(const struct question *q, const struct condition *c, const struct push_value *value)
{
    struct json_scan_value array = json_scan_text(value->s, value->len), item;
    struct json_scan in;
    bool is_string = c->kind == PUSH_STRING; /* an item's quotes are not part of what json_scan_item says */
    const char *wanted = q->rules->pool + c->json + is_string;
    size_t len = c->json_len - 2 * (size_t)is_string;
    if (c->slot == PUSH_MENTIONS && is_string)
        return mentions(q->event, q->rules->pool + c->text, c->text_len);
    if (!json_scan_enter(&in, &array, '['))
        return false;
    while (json_scan_item(&in, &item))
        if ((item.kind == '"') == is_string && item.len == len && memcmp(item.s, wanted, len) == 0)
            return true;
    return false;
}

static bool has_display_name(struct question *q)
{
    const char *name = q->viewer->display_name;
    size_t len = name != NULL ? strlen(name) : 0;
    const struct push_event *event = q->event;
    char small[256];
    if (len == 0 || event->body_folded == NULL || len > event->slots[PUSH_BODY].len)
        return false;
    char *folded = len <= sizeof small ? small : xcalloc(len, 1);
    glob_fold(folded, name, len);
    bool found = glob_find_words(folded, len, event->body_folded, event->slots[PUSH_BODY].len, &q->budget);
    if (folded != small)
        free(folded);
    return found;
}

static bool has_members(const struct question *q, const struct condition *c)
{
    int64_t n = q->event->facts.members;
    switch ((enum compare)c->compare) {
    case COMPARE_EQUAL: return n == c->n;
    case COMPARE_LESS: return n < c->n;
    case COMPARE_GREATER: return n > c->n;
    case COMPARE_NOT_GREATER: return n <= c->n;
    case COMPARE_NOT_LESS: return n >= c->n;
    }
    return false;
}

/* Rooms of old versions may write a level as a string. */
static bool has_power(struct question *q, const struct condition *c)
{
    q->asked_power = true;
    const json_t *level = json_object_get(q->event->facts.notifications, q->rules->pool + c->text);
    int64_t needed = json_is_integer(level) ? json_integer_value(level) : NOTIFICATION_LEVEL;
    if (json_is_string(level))
        needed = strtoll(json_string_value(level), NULL, 10);
    return q->event->facts.sender_power >= needed;
}

static struct json_scan_value member_of(const char *content, const char *name)
{
    struct json_scan_value object = json_scan_text(content, strlen(content));
    return json_scan_find(&object, name, 1);
}

/* A call that rings, where there was none (MSC3914). */
static bool starts_call(const struct push_facts *facts)
{
    const struct json_scan_value intent = member_of(facts->content, "m.intent");
    bool rings = intent.kind == '"' && ((intent.len == 6 && memcmp(intent.s, "m.ring", 6) == 0) ||
                                        (intent.len == 8 && memcmp(intent.s, "m.prompt", 8) == 0));
    return rings && facts->state_key != NULL && member_of(facts->content, "m.terminated").kind == 0 &&
           (facts->prev_content == NULL || member_of(facts->prev_content, "m.terminated").kind != 0);
}

static bool ask_property(struct question *q, const struct condition *c, const struct push_value *value)
{
    const char *text = q->rules->pool + c->text;
    switch ((enum ask)c->ask) {
    case ASK_EQUAL:
        return value->kind == PUSH_STRING && value->len == c->text_len && glob_fold_equal(value->s, text, c->text_len);
    case ASK_SUFFIX:
        return value->kind == PUSH_STRING && value->len >= c->text_len &&
               glob_fold_equal(value->s + value->len - c->text_len, text, c->text_len);
    case ASK_EXACT: return same_bytes(value, text, c->text_len);
    case ASK_SELF: return same_bytes(value, q->viewer->user_id, q->viewer_len);
    case ASK_GLOB: return value->kind == PUSH_STRING && glob_folded(q, c, value);
    case ASK_VALUE: return is_value(q, c, value);
    case ASK_CONTAINS: return value->kind == PUSH_ARRAY && contains(q, c, value);
    default: return false;
    }
}

static bool ask(struct question *q, const struct condition *c)
{
    const struct push_event *event = q->event;
    switch ((enum ask)c->ask) {
    case ASK_BODY:
        return event->body_folded != NULL && glob_match_words(q->rules->pool + c->text, c->text_len, event->body_folded,
                                                              event->slots[PUSH_BODY].len, &q->budget);
    case ASK_DISPLAY_NAME: return has_display_name(q);
    case ASK_MEMBERS: return has_members(q, c);
    case ASK_POWER: return has_power(q, c);
    case ASK_CALL_STARTED: return starts_call(&event->facts);
    case ASK_SELF_IN: return mentions(event, q->viewer->user_id, q->viewer_len);
    default: break;
    }
    char *heap = NULL;
    struct push_value value = look_up(q, c, &heap);
    bool holds = ask_property(q, c, &value);
    free(heap);
    return holds;
}

static bool matches(struct question *q, const struct rule *rule)
{
    for (uint32_t i = 0; i < rule->n; ++i)
        if (!ask(q, &q->rules->conditions[rule->first + i]))
            return false;
    return true;
}

struct push_result push_evaluate(const struct push_rules *rules, const struct push_event *event,
                                 const struct push_viewer *viewer)
{
    struct push_result nothing = {.actions = "[]", .tweaks = "{}"};
    struct question q = {rules, event, viewer, strlen(viewer->user_id), GLOB_BUDGET, false};
    if (same_bytes(&event->slots[PUSH_SENDER], viewer->user_id, q.viewer_len))
        return nothing;
    for (uint32_t i = 0; i < rules->n; ++i) {
        const struct rule *rule = &rules->rules[i];
        if (matches(&q, rule))
            return (struct push_result){rule->notify,
                                        rule->highlight,
                                        q.asked_power,
                                        rules->pool + rule->id,
                                        rules->pool + rule->actions,
                                        rules->pool + rule->tweaks};
    }
    nothing.asked_power = q.asked_power;
    return nothing;
}

bool push_condition_holds(const struct push_rules *rules, const struct push_event *event,
                          const struct push_viewer *viewer, const struct condition *condition)
{
    struct question q = {rules, event, viewer, strlen(viewer->user_id), GLOB_BUDGET, false};
    return ask(&q, condition);
}
