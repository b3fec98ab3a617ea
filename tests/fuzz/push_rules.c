/* Push rules: the first line says what is done, the second is what the store has, the rest an event's content or what a
 * client sends. Nothing may crash or leak; the ruleset shown is JSON; a rule that is accepted compiles; of a proper
 * content the properties that are read without a tree are those that a tree has. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/push/rules/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void ask(const char *stored, const char *content)
{
    struct push_rules *rules = push_rules_compile(stored);
    struct push_event event;
    struct push_facts facts = {.type = "m.room.message",
                               .sender = "@you:b",
                               .room_id = "!r:b",
                               .content = content,
                               .members = 2,
                               .sender_power = 50};
    push_event_init(&event, &facts);
    struct push_result r = push_evaluate(rules, &event, &(struct push_viewer){"@me:b", "Me ?*"});
    require(r.notify || !r.highlight);
    require(!push_evaluate(rules, &event, &(struct push_viewer){"@you:b", NULL}).notify);
    push_event_finish(&event);
    push_rules_unref(rules);
}

static void compare(const struct push_value *value, const json_t *tree)
{
    if (json_is_string(tree))
        require(value->kind == PUSH_STRING && value->len == json_string_length(tree) &&
                memcmp(value->s, json_string_value(tree), value->len) == 0);
    else
        require(value->kind != PUSH_STRING && (value->kind == PUSH_ABSENT) == (tree == NULL));
}

static void check_slots(json_t *tree)
{
    struct push_event event;
    char *content = json_canonical(tree);
    const json_t *mentions = json_get_object(tree, "m.mentions");
    push_event_init(&event, &(struct push_facts){.type = "t", .sender = "@a:b", .room_id = "!r:b", .content = content});
    compare(&event.slots[PUSH_BODY], json_object_get(tree, "body"));
    compare(&event.slots[PUSH_MSGTYPE], json_object_get(tree, "msgtype"));
    compare(&event.slots[PUSH_MENTIONS_ROOM], json_object_get(mentions, "room"));
    compare(&event.slots[PUSH_REL_TYPE], json_object_get(json_get_object(tree, "m.relates_to"), "rel_type"));
    size_t strings = 0, i;
    json_t *item;
    json_array_foreach(json_get_array(mentions, "user_ids"), i, item)
        strings += json_is_string(item);
    require(event.n_mentions == strings);
    push_event_finish(&event);
    free(content);
}

/* What the first line asks for, "p1b a c": its letters choose the change, the kind of rule and where it goes; then the
 * rule and the one that it goes next to. */
struct change {
    char what, where;
    bool asked; /* what comes of it; the letter was a capital */
    enum push_rule_kind kind;
    const char *rule_id, *next_to;
};

static void read_change(struct change *c, char *line)
{
    size_t len = strlen(line);
    c->asked = line[0] >= 'A' && line[0] <= 'Z';
    c->what = (char)(c->asked ? line[0] + 'a' - 'A' : line[0]);
    c->kind = len > 1 ? (enum push_rule_kind)((unsigned char)line[1] % PUSH_RULE_KIND__COUNT) : PUSH_RULE_OVERRIDE;
    c->where = (char)(len > 2 ? line[2] : 'f');
    c->rule_id = len > 4 ? line + 4 : "";
    c->next_to = strchr(c->rule_id, ' ');
    if (c->next_to != NULL) {
        line[c->next_to - line] = '\0';
        ++c->next_to;
    }
}

static bool apply(const struct change *c, json_t *rules, const json_t *body, struct error *e)
{
    struct push_place place = {.before = c->where == 'b' ? c->next_to : NULL,
                               .after = c->where == 'a' ? c->next_to : NULL};
    switch (c->what) {
    case 'p': return json_is_object(body) && push_rules_put(rules, c->kind, c->rule_id, body, &place, e);
    case 'd': return push_rules_delete(rules, c->kind, c->rule_id, e);
    case 'e': return push_rules_set_enabled(rules, c->kind, c->rule_id, true, e);
    case 'o': return push_rules_set_enabled(rules, c->kind, c->rule_id, false, e);
    default: return push_rules_set_actions(rules, c->kind, c->rule_id, body, e);
    }
}

/* What is refused says why; what is taken can be closed or is too large, and read again. */
static void change(const struct change *c, const char *stored, const json_t *body)
{
    struct error e = {0};
    json_t *rules = push_rules_open(stored);
    bool done = apply(c, rules, body, &e);
    require(done == (e.code == ERROR_NONE) || (c->what == 'p' && !json_is_object(body)));
    char *closed = push_rules_close(rules, &e);
    if (done && closed != NULL && c->asked)
        ask(closed, "{\"body\":\"hi me\"}");
    free(closed);
    json_decref(rules);
}

static void show(const struct change *c, const char *stored)
{
    struct error e = {0};
    struct text shown = TEXT_INIT;
    push_rules_add_content(&shown, stored, "@me:b");
    json_t *whole = json_parse(shown.data, shown.len, &e);
    require(whole != NULL);
    const json_t *found = push_rules_find(whole, c->kind, c->rule_id);
    require(found == NULL || strcmp(json_get_string(found, "rule_id"), c->rule_id) == 0);
    json_decref(whole);
    text_finish(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct error e = {0};
    struct change c;
    char *line = xstrndup((const char *)bytes, len), *stored = strchr(line, '\n');
    char *more = stored != NULL ? strchr(stored + 1, '\n') : NULL;
    if (stored != NULL)
        *stored++ = '\0';
    if (more != NULL)
        *more++ = '\0';
    read_change(&c, line);
    json_t *tree = more != NULL ? json_parse(more, strlen(more), &e) : NULL;
    if (c.what == 's')
        show(&c, stored);
    else if (c.what == 'c')
        ask(stored, more);
    else if (utf8_valid(c.rule_id, strlen(c.rule_id)) &&
             (c.next_to == NULL || utf8_valid(c.next_to, strlen(c.next_to))))
        change(&c, stored, tree); /* a path that is no UTF-8 has no handler */
    if (c.what == 'c' && json_is_object(tree))
        check_slots(tree);
    json_decref(tree);
    free(line);
    return 0;
}
